//! The manager's end of one worker.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use ipc::hibernate::Hold;
use ipc::worker::{FromWorker, Identity, Rest, ToWorker};
use ipc::{AsyncChannel, SessionId, Username};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::manager::Resumed;

/// A job that is over: done, or lost with its worker.
#[derive(Debug)]
pub struct Ended {
    /// The job.
    pub session: SessionId,
    /// What the worker says of it; `None`: the worker crashed.
    pub content: Option<Vec<u8>>,
}

/// A job that rests: it is its worker's no more, and nobody else's yet.
pub struct Resting {
    pub(crate) handle: Rc<Handle>,
    /// The job.
    pub(crate) session: SessionId,
    /// What it needs to go on.
    pub(crate) rest: Rest,
    /// What is done for its client meanwhile.
    pub(crate) hold: Hold,
    /// The client's descriptor, and perhaps that of its mailbox.
    pub(crate) fds: Vec<OwnedFd>,
    /// What is to be done about it.
    pub(crate) due: Due,
}

/// What is to be done about a job that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is to be held.
    Hold,
    /// An administrator wants it to end.
    Kick,
    /// It left its worker when no manager lived: nobody counts it.
    Count,
}

/// Names of all jobs of a manager, whoever has them.
pub(crate) type Names = Rc<RefCell<HashSet<SessionId>>>;

/// Whom a manager tells what becomes of jobs.
#[derive(Clone)]
pub(crate) struct News {
    /// Which jobs there are.
    pub names: Names,
    pub ended: mpsc::UnboundedSender<Ended>,
    pub resting: mpsc::UnboundedSender<Resting>,
}

/// How far a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Unidentified,
    Identified,
    Failed(String),
    Gone,
}

/// A job, or a place that is kept for one.
struct Job {
    waiter: Option<oneshot::Sender<Vec<u8>>>,
    begun: bool,
    /// Was told to end.
    is_kicked: bool,
}

pub(crate) struct Handle {
    pub(crate) channel: AsyncChannel,
    pub(crate) pid: Cell<u32>,
    user: RefCell<Option<Username>>,
    /// As this manager gave it; `None`: an earlier one did.
    identity: RefCell<Option<Identity>>,
    jobs: RefCell<HashMap<SessionId, Job>>,
    stage: watch::Sender<Stage>,
    /// Takes no new job: its settings are old, or it is on its way out.
    pub(crate) retiring: Cell<bool>,
    /// Was told to end.
    pub(crate) dismissed: Cell<bool>,
    /// Jobs that it ever had.
    pub(crate) taken: Cell<usize>,
    pub(crate) idle_since: Cell<Instant>,
    news: News,
    /// What it said of jobs that it had under an earlier manager.
    report: RefCell<Vec<Resumed>>,
}

/// Jobs that a worker may say it has from an earlier manager.
const MOST_RESUMED: usize = 10_000;

impl Handle {
    pub(crate) fn new(channel: AsyncChannel, pid: u32, news: News) -> Rc<Self> {
        Rc::new(Self {
            channel,
            pid: Cell::new(pid),
            user: RefCell::new(None),
            identity: RefCell::new(None),
            jobs: RefCell::new(HashMap::new()),
            stage: watch::Sender::new(Stage::Unidentified),
            retiring: Cell::new(false),
            dismissed: Cell::new(false),
            taken: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            news,
            report: RefCell::default(),
        })
    }

    pub(crate) fn user(&self) -> Option<Username> {
        self.user.borrow().clone()
    }

    /// Whom this manager made it.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity.borrow().clone()
    }

    /// Is it somebody else, or the same user under other settings?
    pub(crate) fn is_another(&self, identity: &Identity) -> bool {
        let own = self.identity.borrow();
        own.as_ref().is_some_and(|own| own != identity)
    }

    pub(crate) fn jobs(&self) -> usize {
        self.jobs.borrow().len()
    }

    pub(crate) fn has_job(&self, session: &SessionId) -> bool {
        self.jobs.borrow().contains_key(session)
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    /// Waits until the worker has become its user, or cannot.
    pub(crate) async fn settled(&self) -> Stage {
        let mut stage = self.stage.subscribe();
        // The sender lives as long as `self`.
        let _ = stage.wait_for(|stage| *stage != Stage::Unidentified).await;
        self.stage()
    }

    /// Becomes known as the user's before anything is sent: nobody else identifies it.
    pub(crate) async fn identify(&self, identity: &Identity) -> Result<(), ipc::Error> {
        *self.user.borrow_mut() = Some(identity.user.clone());
        *self.identity.borrow_mut() = Some(identity.clone());
        self.channel
            .send(
                &ToWorker::Identify {
                    identity: identity.clone(),
                },
                &[],
            )
            .await
    }

    /// Keeps a place for a job.
    pub(crate) fn note(&self, session: SessionId, waiter: oneshot::Sender<Vec<u8>>) {
        let waiter = Some(waiter);
        self.insert(
            session,
            Job {
                waiter,
                begun: false,
                is_kicked: false,
            },
        );
    }

    /// The worker has the job: from now on its end is told by the worker, or by the worker's own end.
    pub(crate) fn begin(&self, session: &SessionId) {
        if let Some(job) = self.jobs.borrow_mut().get_mut(session) {
            job.begun = true;
        }
    }

    /// The worker is told to end it.
    pub(crate) fn kicked(&self, session: &SessionId) {
        if let Some(job) = self.jobs.borrow_mut().get_mut(session) {
            job.is_kicked = true;
        }
    }

    fn insert(&self, session: SessionId, job: Job) {
        self.taken.set(self.taken.get() + 1);
        self.news.names.borrow_mut().insert(session.clone());
        self.jobs.borrow_mut().insert(session, job);
    }

    fn remove(&self, session: &SessionId) -> Option<Job> {
        let job = self.jobs.borrow_mut().remove(session)?;
        self.news.names.borrow_mut().remove(session);
        Some(job)
    }

    pub(crate) fn unnote(&self, session: &SessionId) {
        self.remove(session);
    }

    /// Takes in what the worker says until its channel ends. Returns how many jobs were lost: those that it had, not
    /// those that have a place in it.
    pub(crate) async fn listen(self: &Rc<Self>) -> usize {
        while let Ok((message, fds)) = self.channel.recv::<FromWorker>().await {
            match message {
                FromWorker::Identified => self.settle(Stage::Identified),
                FromWorker::Failed { reason } => self.settle(Stage::Failed(reason)),
                FromWorker::Done { session, content } => self.done(session, content),
                FromWorker::Parked {
                    session,
                    rest,
                    hold,
                } => self.rests(session, (rest, hold), fds),
                FromWorker::Running { pid, user, jobs } => self.hear_report(pid, user, jobs),
            }
        }
        self.retiring.set(true);
        if !matches!(self.stage(), Stage::Failed(_)) {
            self.stage.send_replace(Stage::Gone);
        }
        let jobs = self.jobs.take();
        for session in jobs.keys() {
            self.news.names.borrow_mut().remove(session);
        }
        let begun = jobs.into_iter().filter(|(_, job)| job.begun);
        let lost: Vec<SessionId> = begun.map(|(session, _)| session).collect();
        for session in &lost {
            let _ = self.news.ended.send(Ended {
                session: session.clone(),
                content: None,
            });
        }
        lost.len()
    }

    /// A worker becomes its user, or fails to, once; what it says later of itself means nothing.
    fn settle(&self, settled: Stage) {
        self.stage.send_if_modified(|stage| {
            let first = *stage == Stage::Unidentified;
            if first {
                *stage = settled;
            }
            first
        });
    }

    /// What a worker says that an earlier manager had; the last part has no jobs.
    fn hear_report(&self, pid: u32, user: Option<Username>, jobs: Vec<(SessionId, Vec<u8>)>) {
        // Of our own workers we know better.
        if self.stage() != Stage::Unidentified || !self.retiring.get() {
            return;
        }
        self.pid.set(pid);
        if self.user().is_none() {
            self.user.replace(user.clone());
        }
        let Some(user) = user.filter(|_| !jobs.is_empty()) else {
            return self.settle(Stage::Identified);
        };
        for (session, content) in jobs {
            if self.jobs() < MOST_RESUMED && !self.has_job(&session) {
                let waiter = None;
                self.insert(
                    session.clone(),
                    Job {
                        waiter,
                        begun: true,
                        is_kicked: false,
                    },
                );
                self.report.borrow_mut().push(Resumed {
                    session,
                    user: user.clone(),
                    worker_pid: pid,
                    content,
                });
            }
        }
    }

    /// What [`Self::listen`] has heard of an earlier manager's jobs.
    pub(crate) fn take_report(&self) -> Vec<Resumed> {
        self.report.take()
    }

    fn rests(self: &Rc<Self>, session: SessionId, (rest, hold): (Rest, Hold), fds: Vec<OwnedFd>) {
        let job = self.remove(&session);
        let due = match job {
            Some(job) if job.begun && job.is_kicked => Due::Kick,
            Some(job) if job.begun => Due::Hold,
            // It may have had it under an earlier manager.
            None if self.stage() == Stage::Unidentified && self.retiring.get() => Due::Count,
            // As with the end of a job: of what it never had a worker has nothing to say.
            _ => return,
        };
        self.idle_since.set(Instant::now());
        let _ = self.news.resting.send(Resting {
            handle: Rc::clone(self),
            session,
            rest,
            hold,
            fds,
            due,
        });
    }

    fn done(&self, session: SessionId, content: Vec<u8>) {
        // A worker that ends a job which it never had is out of order, but harms only itself.
        let is_begun = |jobs: &HashMap<_, Job>| jobs.get(&session).is_some_and(|job| job.begun);
        if !is_begun(&self.jobs.borrow()) {
            return;
        }
        let waiter = self.remove(&session).and_then(|job| job.waiter);
        self.idle_since.set(Instant::now());
        if let Some(waiter) = waiter {
            // Nobody waits any more: the client of the manager went away.
            let _ = waiter.send(content.clone());
        }
        let _ = self.news.ended.send(Ended {
            session,
            content: Some(content),
        });
    }
}
