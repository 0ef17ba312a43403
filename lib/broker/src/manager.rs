//! The manager: which worker serves which user, and how many there are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use ipc::worker::{Identity, ToWorker};
use ipc::{AsyncChannel, SessionId, Username};
use service::journal::{Clean, id};
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::child;
use crate::handle::{Ended, Handle, Names, News, Resting, Stage};
use crate::limits::Limits;
use crate::place::{Reserved, SubmitError};

mod state;

use state::{Phase, State};

/// Longest time that a worker may take to become its user: making directories on a slow disk.
const BECOMING: Duration = Duration::from_secs(45);
/// Longest time that workers of an earlier manager may take to say what they do.
const ADOPTION: Duration = Duration::from_secs(5);
/// How long sessions may take to end when the service does. What remains ends by itself.
const DRAIN: Duration = Duration::from_secs(15);

/// A job that a worker of an earlier manager has.
#[derive(Debug)]
pub struct Resumed {
    /// The job.
    pub session: SessionId,
    /// Whose it is.
    pub user: Username,
    /// The worker's process id.
    pub worker_pid: u32,
    /// What it came with.
    pub content: Vec<u8>,
}

/// Shared by all tasks of the manager process. Needs a runtime that takes `spawn_local` ([`service::Service::serve`]).
#[derive(Clone)]
pub struct Manager {
    name: &'static str,
    state: Rc<RefCell<State>>,
    news: News,
    /// Jobs that rest, until somebody wants to hear of them.
    resting: Rc<RefCell<Option<mpsc::UnboundedReceiver<Resting>>>>,
}

impl Manager {
    /// A manager without workers. The second value yields every job that ended.
    #[must_use]
    pub fn new(name: &'static str, limits: Limits) -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (ended, receiver) = mpsc::unbounded_channel();
        let (resting, rests) = mpsc::unbounded_channel();
        let jobs = Names::default();
        let state = State {
            limits,
            all: Vec::new(),
            users: HashMap::new(),
            jobs: Rc::clone(&jobs),
            pool: Vec::new(),
            fewer: Rc::default(),
            phase: Phase::Serving,
        };
        (
            Self {
                name,
                state: Rc::new(RefCell::new(state)),
                news: News {
                    names: jobs,
                    ended,
                    resting,
                },
                resting: Rc::new(RefCell::new(Some(rests))),
            },
            receiver,
        )
    }

    /// Fills the pool, and ends workers that have been idle for too long, from now on.
    pub fn run(&self) {
        self.fill_pool();
        let manager = self.clone();
        tokio::task::spawn_local(async move {
            loop {
                let idle_kill = manager.state.borrow().limits.idle_kill;
                let period = (idle_kill / 4).clamp(Duration::from_secs(1), Duration::from_secs(60));
                tokio::time::sleep(period).await;
                manager.end_idle();
            }
        });
    }

    /// Takes over workers of an earlier manager; returns their jobs. One that does not answer in time keeps its jobs,
    /// and nobody waits for it any longer.
    pub async fn resume(&self, channels: Vec<OwnedFd>) -> Vec<Resumed> {
        let mut asked = JoinSet::new();
        for channel in channels {
            let manager = self.clone();
            asked.spawn_local(async move { manager.adopt(channel).await });
        }
        let mut jobs = Vec::new();
        while let Some(found) = asked.join_next().await {
            jobs.extend(found.unwrap_or_default());
        }
        jobs
    }

    async fn adopt(&self, channel: OwnedFd) -> Vec<Resumed> {
        let Ok(channel) = AsyncChannel::new(channel) else {
            return Vec::new();
        };
        let handle = Handle::new(channel, 0, self.news.clone());
        // Its settings may be older than ours: it keeps its sessions and gets no new ones.
        handle.retiring.set(true);
        self.state.borrow_mut().all.push(Rc::clone(&handle));
        self.watch(Rc::clone(&handle), None);
        let told = async {
            // One that is gone is seen to be gone.
            let _ = handle.channel.send(&ToWorker::Report, &[]).await;
            handle.settled().await;
        };
        if timeout(ADOPTION, told).await.is_err() {
            tracing::warn!(
                message_id = id::WORKER_FAILED,
                "{}: Warning: a worker of the manager before this one does not say what it does",
                self.name
            );
        }
        handle.take_report()
    }

    /// Finds the worker that will serve the user, and keeps a place in it for this job.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn reserve(
        &self,
        identity: &Identity,
        session: &SessionId,
    ) -> Result<Reserved, SubmitError> {
        match self.reserve_once(identity, session).await {
            // A worker may be killed while it waits for its user. Two in a row are no accident.
            Err(error) if error.is_loss() => self.reserve_once(identity, session).await,
            done => done,
        }
    }

    async fn reserve_once(
        &self,
        identity: &Identity,
        session: &SessionId,
    ) -> Result<Reserved, SubmitError> {
        let (waiter, done) = oneshot::channel();
        let handle = self.worker_for(identity, session, waiter)?;
        let reserved = Reserved::new(handle, session.clone(), done);
        let ready = self.become_ready(reserved.handle(), identity).await;
        if ready.as_ref().is_err_and(SubmitError::is_loss) {
            reserved.handle().retiring.set(true);
        }
        ready.map(|()| reserved)
    }

    async fn become_ready(&self, handle: &Handle, identity: &Identity) -> Result<(), SubmitError> {
        self.identify(handle, identity).await?;
        match timeout(BECOMING, handle.settled()).await {
            Ok(Stage::Identified) => Ok(()),
            Ok(Stage::Failed(reason)) => Err(SubmitError::Worker(reason)),
            Ok(Stage::Unidentified | Stage::Gone) => Err(SubmitError::Crashed),
            Err(_) => Err(SubmitError::Stuck),
        }
    }

    /// The user's worker, with the job noted in it.
    fn worker_for(
        &self,
        identity: &Identity,
        session: &SessionId,
        waiter: oneshot::Sender<Vec<u8>>,
    ) -> Result<Rc<Handle>, SubmitError> {
        let current = self.state.borrow_mut().admit(identity, session)?;
        let handle = match current {
            Some(handle) => handle,
            None => {
                let handle = self.unidentified()?;
                let (user, worker) = (identity.user.clone(), Rc::clone(&handle));
                self.state.borrow_mut().users.insert(user, worker);
                handle
            }
        };
        handle.note(session.clone(), waiter);
        Ok(handle)
    }

    /// Tells a worker who its user is, if nobody has.
    async fn identify(&self, handle: &Handle, identity: &Identity) -> Result<(), SubmitError> {
        if handle.user().is_some() {
            return Ok(());
        }
        // A worker that waits for its user reads: this does not wait.
        handle.identify(identity).await?;
        // Only a worker with a user is worth keeping over our own restart.
        if let Err(error) = service::store::keep("worker", handle.channel.as_fd()) {
            tracing::warn!("{}: storing a worker's channel failed: {error}", self.name);
        }
        Ok(())
    }

    /// An unidentified worker, from the pool or new.
    fn unidentified(&self) -> Result<Rc<Handle>, SubmitError> {
        let pooled = self.state.borrow_mut().pool.pop();
        let handle = match pooled {
            Some(handle) => handle,
            None => self.spawn()?,
        };
        let manager = self.clone();
        // After the login that waits for this worker, not before it.
        tokio::task::spawn_local(async move { manager.fill_pool() });
        Ok(handle)
    }

    fn fill_pool(&self) {
        loop {
            let missing = {
                let state = self.state.borrow();
                state.phase == Phase::Serving
                    && state.pool.len() < state.limits.process_min_avail
                    && state.all.len() < state.limits.process_limit
            };
            if !missing {
                return;
            }
            match self.spawn() {
                Ok(handle) => self.state.borrow_mut().pool.push(handle),
                Err(error) => {
                    tracing::error!(
                        message_id = id::WORKER_FAILED,
                        "{}: Error: {error}",
                        self.name
                    );
                    return;
                }
            }
        }
    }

    fn spawn(&self) -> Result<Rc<Handle>, SubmitError> {
        self.make_room()?;
        let (child, channel) = child::spawn().map_err(SubmitError::Spawn)?;
        let pid = child.id().unwrap_or_default();
        let handle = Handle::new(AsyncChannel::new(channel)?, pid, self.news.clone());
        self.state.borrow_mut().all.push(Rc::clone(&handle));
        self.watch(Rc::clone(&handle), Some(child));
        Ok(handle)
    }

    /// At the limit, the worker that has been without jobs for longest has to go.
    fn make_room(&self) -> Result<(), SubmitError> {
        let state = self.state.borrow();
        if state.all.len() < state.limits.process_limit {
            return Ok(());
        }
        let idle = state
            .all
            .iter()
            .filter(|handle| {
                handle.jobs() == 0 && !handle.retiring.get() && handle.user().is_some()
            })
            .min_by_key(|handle| handle.idle_since.get());
        match idle {
            Some(handle) => {
                dismiss(handle);
                Ok(())
            }
            None => Err(SubmitError::Limit(state.limits.process_limit)),
        }
    }

    /// Listens to a worker until it ends, then tells what that means.
    fn watch(&self, handle: Rc<Handle>, child: Option<Child>) {
        let manager = self.clone();
        tokio::task::spawn_local(async move {
            let lost = handle.listen().await;
            let status = match child {
                Some(mut child) => child.wait().await.ok(),
                None => None,
            };
            manager.state.borrow_mut().forget(&handle);
            manager.report_end(&handle, lost, status);
        });
    }

    fn report_end(&self, handle: &Handle, lost: usize, status: Option<ExitStatus>) {
        let pid = handle.pid.get();
        let user = handle
            .user()
            .map_or_else(|| "unidentified".to_owned(), |user| user.to_string());
        let how = match status {
            Some(status) if status.success() && lost == 0 => return,
            None if lost == 0 => return,
            // The worker has told why, and its manager is about to.
            Some(_) if matches!(handle.stage(), Stage::Failed(_)) => return,
            Some(status) => status.to_string(),
            None => "unknown status".to_owned(),
        };
        tracing::error!(
            message_id = id::WORKER_CRASHED,
            culver_user = user.as_str(),
            "{name}: Error: worker {pid} of {user} crashed ({how}), {lost} sessions lost",
            name = self.name,
            user = Clean(&user),
        );
    }

    /// Yields every job that rests, to whoever asks first. While nobody does, jobs that rest end.
    pub(crate) fn resting(&self) -> Option<mpsc::UnboundedReceiver<Resting>> {
        self.resting.borrow_mut().take()
    }

    /// Has any worker this job?
    pub(crate) fn has_job(&self, session: &SessionId) -> bool {
        self.state.borrow().has_job(session)
    }

    /// Ends one job (`doveadm kick`). Returns whether there is such a job.
    pub fn kick(&self, session: &SessionId) -> bool {
        let handle = self.state.borrow().with_job(session);
        let Some(handle) = handle else { return false };
        handle.kicked(session);
        let session = session.clone();
        tell(&handle, ToWorker::Kick { session });
        true
    }

    fn end_idle(&self) {
        let state = self.state.borrow();
        let idle_kill = state.limits.idle_kill;
        let now = Instant::now();
        for handle in &state.all {
            // In the pool, or busy with becoming somebody, or about to tell a new manager what it does.
            let unsettled = handle.stage() == Stage::Unidentified;
            let patience = if handle.retiring.get() {
                Duration::ZERO
            } else {
                idle_kill
            };
            if !unsettled && handle.jobs() == 0 && now >= handle.idle_since.get() + patience {
                dismiss(handle);
            }
        }
    }

    /// Uses other limits from now on. Workers that run keep their settings and get no new jobs.
    pub fn reload(&self, limits: Limits) {
        {
            let mut state = self.state.borrow_mut();
            state.limits = limits;
            state.users.clear();
            for handle in state.pool.drain(..).collect::<Vec<_>>() {
                dismiss(&handle);
            }
            for handle in &state.all {
                handle.retiring.set(true);
            }
        }
        self.fill_pool();
    }

    /// Jobs that run, and workers that exist.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let state = self.state.borrow();
        (
            state.all.iter().map(|handle| handle.jobs()).sum(),
            state.all.len(),
        )
    }

    /// Tells every worker to end, and waits until they have, or for long enough.
    pub async fn drain(&self) {
        let all = {
            let mut state = self.state.borrow_mut();
            state.phase = Phase::Draining;
            state.all.clone()
        };
        all.iter().for_each(dismiss);
        if timeout(DRAIN, self.all_ended()).await.is_err() {
            let (jobs, workers) = self.load();
            tracing::warn!(
                message_id = id::WORKER_FAILED,
                "{}: Warning: {workers} workers with {jobs} jobs did not end in time and are left to themselves",
                self.name
            );
        }
    }

    async fn all_ended(&self) {
        let fewer = Rc::clone(&self.state.borrow().fewer);
        while !self.state.borrow().all.is_empty() {
            fewer.notified().await;
        }
    }
}

/// A worker ends, at once where it has no jobs; it gets none any more.
fn dismiss(handle: &Rc<Handle>) {
    handle.retiring.set(true);
    if !handle.dismissed.replace(true) {
        tell(handle, ToWorker::Drain);
    }
}

/// Sends a word that nobody waits for: a worker that does not read must not hold up whoever has something to say.
fn tell(handle: &Rc<Handle>, word: ToWorker) {
    let handle = Rc::clone(handle);
    tokio::task::spawn_local(async move {
        // One that is gone already needs no word.
        let _ = handle.channel.send(&word, &[]).await;
    });
}
