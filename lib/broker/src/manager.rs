//! The manager: which worker serves which user, and how many there are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use config::ServiceSettings;
use ipc::worker::{Identity, ToWorker};
use ipc::{AsyncChannel, SessionId, Username};
use service::journal::id;
use tokio::process::Child;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use crate::child;
use crate::handle::{Ended, Handle, Stage};

/// How many workers there may be, and for how long. Dovecot's `service { }` settings.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Jobs that one worker serves at once (`client_limit`).
    pub client_limit: usize,
    /// Workers, the pool included (`process_limit`).
    pub process_limit: usize,
    /// Unidentified workers kept ready (`process_min_avail`).
    pub process_min_avail: usize,
    /// Jobs after which a worker takes no more (`service_count`); 0: no such limit.
    pub service_count: usize,
    /// How long a worker without jobs stays (`idle_kill`).
    pub idle_kill: Duration,
}

impl Limits {
    /// As the configuration has them; at least `ready` unidentified workers.
    ///
    /// Unless the administrator decides otherwise, a user's jobs share a worker, which stays: Dovecot's
    /// defaults, one client per process, are no decision.
    #[must_use]
    pub fn of(settings: &ServiceSettings, ready: usize) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (client_limit, service_count) = match settings.says_who_shares {
            true => (
                number(settings.client_limit).max(1),
                number(settings.service_count),
            ),
            false => (usize::MAX, 0),
        };
        Self {
            client_limit,
            process_limit: number(settings.process_limit).max(1),
            process_min_avail: number(settings.process_min_avail).max(ready),
            service_count,
            idle_kill: settings
                .idle_kill
                .map_or(NEVER, Duration::from_secs)
                .min(NEVER),
        }
    }
}

/// `idle_kill` that means never.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A place for one job in a worker. Dropped unused, it is free again.
pub struct Reserved {
    handle: Rc<Handle>,
    session: Option<SessionId>,
    done: oneshot::Receiver<Vec<u8>>,
}

impl Reserved {
    /// The worker's process id.
    #[must_use]
    pub fn worker_pid(&self) -> u32 {
        self.handle.pid.get()
    }

    /// Gives the job to the worker. The descriptors may be closed afterwards.
    ///
    /// # Errors
    /// [`SubmitError::Ipc`]: the worker is gone, the job is nowhere.
    pub async fn begin(
        mut self,
        content: Vec<u8>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Begun, SubmitError> {
        let Some(session) = self.session.clone() else {
            return Err(SubmitError::Crashed);
        };
        self.handle
            .channel
            .send(&ToWorker::Job { session, content }, fds)
            .await?;
        // From here on its end is told by the worker, or by the worker's own end.
        self.session = None;
        let (_, never) = oneshot::channel();
        Ok(Begun {
            done: std::mem::replace(&mut self.done, never),
        })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            self.handle.unnote(session);
        }
    }
}

/// A job that a worker has. Dropped, it goes on.
pub struct Begun {
    done: oneshot::Receiver<Vec<u8>>,
}

impl Begun {
    /// Waits for its end; what the worker says of it.
    ///
    /// # Errors
    /// [`SubmitError::Crashed`]: nobody knows whether the job was done.
    pub async fn done(self) -> Result<Vec<u8>, SubmitError> {
        self.done.await.map_err(|_| SubmitError::Crashed)
    }
}

/// Why a job found no worker.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// `process_limit` is reached and every worker is busy.
    #[error("process_limit ({0}) reached")]
    Limit(usize),
    /// The worker could not become the user, or open its mail.
    #[error("{0}")]
    Worker(String),
    /// The worker went away before it had the job, or with it.
    #[error("the worker crashed")]
    Crashed,
    /// No worker could be started.
    #[error("starting a worker failed: {0}")]
    Spawn(std::io::Error),
    /// A message did not go through.
    #[error(transparent)]
    Ipc(#[from] ipc::Error),
}

/// Shared by all tasks of the manager process. Needs a `LocalSet` ([`service::Service::serve`]).
#[derive(Clone)]
pub struct Manager {
    name: &'static str,
    state: Rc<RefCell<State>>,
    ended: mpsc::UnboundedSender<Ended>,
}

struct State {
    limits: Limits,
    all: Vec<Rc<Handle>>,
    /// The worker that takes the user's next job.
    users: HashMap<Username, Rc<Handle>>,
    pool: Vec<Rc<Handle>>,
    /// Told whenever a worker has ended.
    fewer: Rc<Notify>,
}

impl Manager {
    /// A manager without workers. The second value yields every job that ended.
    #[must_use]
    pub fn new(name: &'static str, limits: Limits) -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (ended, receiver) = mpsc::unbounded_channel();
        let state = State {
            limits,
            all: Vec::new(),
            users: HashMap::new(),
            pool: Vec::new(),
            fewer: Rc::default(),
        };
        (
            Self {
                name,
                state: Rc::new(RefCell::new(state)),
                ended,
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

    /// Takes over a worker of an earlier manager. Returns its user and its jobs with their contents.
    ///
    /// # Errors
    /// The worker is gone, or is none of ours.
    pub async fn resume(
        &self,
        channel: OwnedFd,
    ) -> Result<(Option<Username>, u32, Vec<(SessionId, Vec<u8>)>), SubmitError> {
        let handle = Handle::new(AsyncChannel::new(channel)?, 0, self.ended.clone());
        let jobs = handle.resume().await?;
        let user = handle.user();
        // Its settings may be older than ours: it keeps its sessions and gets no new ones.
        handle.retiring.set(true);
        self.state.borrow_mut().all.push(Rc::clone(&handle));
        self.watch(Rc::clone(&handle), None);
        Ok((user, handle.pid.get(), jobs))
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
        let (waiter, done) = oneshot::channel();
        let handle = self.worker_for(identity, session, waiter).await?;
        let reserved = Reserved {
            handle,
            session: Some(session.clone()),
            done,
        };
        match reserved.handle.settled().await {
            Stage::Identified => Ok(reserved),
            Stage::Failed(reason) => Err(SubmitError::Worker(reason)),
            Stage::Unidentified | Stage::Gone => Err(SubmitError::Crashed),
        }
    }

    /// The user's worker, with the job noted in it.
    async fn worker_for(
        &self,
        identity: &Identity,
        session: &SessionId,
        waiter: oneshot::Sender<Vec<u8>>,
    ) -> Result<Rc<Handle>, SubmitError> {
        if let Some(handle) = self.state.borrow_mut().current(&identity.user) {
            handle.note(session.clone(), Some(waiter));
            return Ok(handle);
        }
        let handle = self.unidentified()?;
        handle.note(session.clone(), Some(waiter));
        self.state
            .borrow_mut()
            .users
            .insert(identity.user.clone(), Rc::clone(&handle));
        handle.identify(identity).await?;
        // Only a worker with a user is worth keeping over our own restart.
        if let Err(error) = service::store::keep("worker", handle.channel.as_fd()) {
            tracing::warn!("{}: storing a worker's channel failed: {error}", self.name);
        }
        Ok(handle)
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
                state.pool.len() < state.limits.process_min_avail
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
        let handle = Handle::new(AsyncChannel::new(channel)?, pid, self.ended.clone());
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
        );
    }

    /// Ends one job (`doveadm kick`). Returns whether there is such a job.
    pub async fn kick(&self, session: &SessionId) -> bool {
        let handle = self
            .state
            .borrow()
            .all
            .iter()
            .find(|h| h.has_job(session))
            .cloned();
        let Some(handle) = handle else { return false };
        handle
            .channel
            .send(
                &ToWorker::Kick {
                    session: session.clone(),
                },
                &[],
            )
            .await
            .is_ok()
    }

    fn end_idle(&self) {
        let state = self.state.borrow();
        let idle_kill = state.limits.idle_kill;
        let now = Instant::now();
        for handle in &state.all {
            let pooled = handle.user().is_none() && !handle.retiring.get();
            let patience = if handle.retiring.get() {
                Duration::ZERO
            } else {
                idle_kill
            };
            if !pooled && handle.jobs() == 0 && now >= handle.idle_since.get() + patience {
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

    /// Tells every worker to end, and waits until they have.
    pub async fn drain(&self) {
        self.state.borrow_mut().limits.process_min_avail = 0;
        let all = self.state.borrow().all.clone();
        for handle in all {
            handle.retiring.set(true);
            // One that is gone already needs no word.
            let _ = handle.channel.send(&ToWorker::Drain, &[]).await;
        }
        let fewer = Rc::clone(&self.state.borrow().fewer);
        while !self.state.borrow().all.is_empty() {
            fewer.notified().await;
        }
    }
}

impl State {
    /// The worker that takes this user's next job, if there is one with room.
    fn current(&mut self, user: &Username) -> Option<Rc<Handle>> {
        let handle = self.users.get(user)?;
        let used_up =
            self.limits.service_count != 0 && handle.taken.get() >= self.limits.service_count;
        if used_up {
            handle.retiring.set(true);
        }
        let settled_badly = matches!(handle.stage(), Stage::Failed(_) | Stage::Gone);
        if handle.retiring.get() || settled_badly || handle.jobs() >= self.limits.client_limit {
            self.users.remove(user);
            return None;
        }
        Some(Rc::clone(handle))
    }

    fn forget(&mut self, handle: &Rc<Handle>) {
        let other = |candidate: &Rc<Handle>| !Rc::ptr_eq(candidate, handle);
        self.all.retain(other);
        self.pool.retain(other);
        self.users.retain(|_, candidate| other(candidate));
        self.fewer.notify_one();
    }
}

/// A worker without jobs ends; it gets none any more.
fn dismiss(handle: &Rc<Handle>) {
    handle.retiring.set(true);
    let handle = Rc::clone(handle);
    tokio::task::spawn_local(async move {
        // One that is gone already needs no word.
        let _ = handle.channel.send(&ToWorker::Drain, &[]).await;
    });
}
