//! What a manager knows of its workers: who serves whom, and who may come.

use std::collections::HashMap;
use std::rc::Rc;

use ipc::worker::Identity;
use ipc::{SessionId, Username};
use tokio::sync::Notify;

use crate::handle::{Handle, Names, Stage};
use crate::limits::Limits;
use crate::place::SubmitError;

/// Jobs that may wait for a worker to become its user, per user: who cannot be served must not fill the manager.
const MOST_WAITING: usize = 64;

/// One for all tasks of a manager.
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) all: Vec<Rc<Handle>>,
    /// The worker that takes the user's next job.
    pub(super) users: HashMap<Username, Rc<Handle>>,
    /// The jobs of all workers.
    pub(super) jobs: Names,
    pub(super) pool: Vec<Rc<Handle>>,
    /// Told whenever a worker has ended.
    pub(super) fewer: Rc<Notify>,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Serving,
    /// No new workers, no new jobs.
    Draining,
}

impl State {
    /// May the job begin, and does the user have a worker for it?
    pub(super) fn admit(
        &mut self,
        identity: &Identity,
        session: &SessionId,
    ) -> Result<Option<Rc<Handle>>, SubmitError> {
        if self.phase == Phase::Draining {
            return Err(SubmitError::Ending);
        }
        // What names two jobs ends, kicks and counts the wrong one.
        if self.has_job(session) {
            return Err(SubmitError::Duplicate);
        }
        let current = self.current(identity);
        let crowded = |handle: &Rc<Handle>| {
            handle.stage() == Stage::Unidentified && handle.jobs() >= MOST_WAITING
        };
        match current {
            Some(handle) if crowded(&handle) => Err(SubmitError::Crowded),
            current => Ok(current),
        }
    }

    pub(super) fn has_job(&self, session: &SessionId) -> bool {
        self.jobs.borrow().contains(session)
    }

    pub(super) fn with_job(&self, session: &SessionId) -> Option<Rc<Handle>> {
        let has_it = |handle: &&Rc<Handle>| handle.has_job(session);
        self.all.iter().find(has_it).cloned()
    }

    /// The worker that takes this user's next job, if there is one with room.
    pub(super) fn current(&mut self, identity: &Identity) -> Option<Rc<Handle>> {
        let user = &identity.user;
        let handle = self.users.get(user)?;
        let used_up =
            self.limits.service_count != 0 && handle.taken.get() >= self.limits.service_count;
        // Userdb may say something else by now.
        if used_up || handle.is_another(identity) {
            handle.retiring.set(true);
        }
        let settled_badly = matches!(handle.stage(), Stage::Failed(_) | Stage::Gone);
        if handle.retiring.get() || settled_badly || handle.jobs() >= self.limits.client_limit {
            self.users.remove(user);
            return None;
        }
        Some(Rc::clone(handle))
    }

    pub(super) fn forget(&mut self, handle: &Rc<Handle>) {
        let other = |candidate: &Rc<Handle>| !Rc::ptr_eq(candidate, handle);
        self.all.retain(other);
        self.pool.retain(other);
        self.users.retain(|_, candidate| other(candidate));
        self.fewer.notify_one();
    }
}
