//! The manager's end of one worker.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use ipc::worker::{FromWorker, Identity, ToWorker};
use ipc::{AsyncChannel, SessionId, Username};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// A job that is over: done, or lost with its worker.
#[derive(Debug)]
pub struct Ended {
    /// The job.
    pub session: SessionId,
    /// What the worker says of it; `None`: the worker crashed.
    pub content: Option<Vec<u8>>,
}

/// How far a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Unidentified,
    Identified,
    Failed(String),
    Gone,
}

pub(crate) struct Handle {
    pub(crate) channel: AsyncChannel,
    pub(crate) pid: Cell<u32>,
    user: RefCell<Option<Username>>,
    jobs: RefCell<HashMap<SessionId, Option<oneshot::Sender<Vec<u8>>>>>,
    stage: watch::Sender<Stage>,
    /// Takes no new job: its settings are old, or it is on its way out.
    pub(crate) retiring: Cell<bool>,
    /// Jobs that it ever had.
    pub(crate) taken: Cell<usize>,
    pub(crate) idle_since: Cell<Instant>,
    ended: mpsc::UnboundedSender<Ended>,
}

impl Handle {
    pub(crate) fn new(
        channel: AsyncChannel,
        pid: u32,
        ended: mpsc::UnboundedSender<Ended>,
    ) -> Rc<Self> {
        Rc::new(Self {
            channel,
            pid: Cell::new(pid),
            user: RefCell::new(None),
            jobs: RefCell::new(HashMap::new()),
            stage: watch::Sender::new(Stage::Unidentified),
            retiring: Cell::new(false),
            taken: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            ended,
        })
    }

    pub(crate) fn user(&self) -> Option<Username> {
        self.user.borrow().clone()
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

    pub(crate) async fn identify(&self, identity: &Identity) -> Result<(), ipc::Error> {
        *self.user.borrow_mut() = Some(identity.user.clone());
        self.channel
            .send(
                &ToWorker::Identify {
                    identity: identity.clone(),
                },
                &[],
            )
            .await
    }

    /// Notes a job before it is sent, so that its end cannot overtake it.
    pub(crate) fn note(&self, session: SessionId, waiter: Option<oneshot::Sender<Vec<u8>>>) {
        self.taken.set(self.taken.get() + 1);
        self.jobs.borrow_mut().insert(session, waiter);
    }

    pub(crate) fn unnote(&self, session: &SessionId) {
        self.jobs.borrow_mut().remove(session);
    }

    /// Takes in what the worker says until its channel ends. Returns how many jobs were lost.
    pub(crate) async fn listen(&self) -> usize {
        while let Ok((message, _)) = self.channel.recv::<FromWorker>().await {
            match message {
                FromWorker::Identified => self.advance(Stage::Identified),
                FromWorker::Failed { reason } => self.advance(Stage::Failed(reason)),
                FromWorker::Done { session, content } => self.done(session, content),
                // An answer to Report that came late; the job list is our own by now.
                FromWorker::Running { .. } => {}
            }
        }
        self.retiring.set(true);
        if !matches!(self.stage(), Stage::Failed(_)) {
            self.advance(Stage::Gone);
        }
        let lost: Vec<SessionId> = self
            .jobs
            .borrow_mut()
            .drain()
            .map(|(session, _)| session)
            .collect();
        for session in &lost {
            let _ = self.ended.send(Ended {
                session: session.clone(),
                content: None,
            });
        }
        lost.len()
    }

    fn advance(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    fn done(&self, session: SessionId, content: Vec<u8>) {
        // A worker that ends a job which it never had is out of order, but harms only itself.
        let Some(waiter) = self.jobs.borrow_mut().remove(&session) else {
            return;
        };
        self.idle_since.set(Instant::now());
        if let Some(waiter) = waiter {
            // Nobody waits any more: the client of the manager went away.
            let _ = waiter.send(content.clone());
        }
        let _ = self.ended.send(Ended {
            session,
            content: Some(content),
        });
    }

    /// Asks a worker of an earlier manager who it is. Returns its jobs with their contents.
    pub(crate) async fn resume(&self) -> Result<Vec<(SessionId, Vec<u8>)>, ipc::Error> {
        self.channel.send(&ToWorker::Report, &[]).await?;
        let mut all = Vec::new();
        loop {
            let (message, _) = self.channel.recv::<FromWorker>().await?;
            // Jobs that ended while there was no manager come first; they are not in the report.
            let FromWorker::Running { pid, user, jobs } = message else {
                continue;
            };
            self.pid.set(pid);
            *self.user.borrow_mut() = user;
            if jobs.is_empty() {
                self.advance(Stage::Identified);
                return Ok(all);
            }
            for (session, content) in jobs {
                self.note(session.clone(), None);
                all.push((session, content));
            }
        }
    }
}
