//! A job's place in a worker: kept, taken, waited for.

use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::Duration;

use ipc::SessionId;
use ipc::worker::ToWorker;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::handle::Handle;

/// A place for one job in a worker. Dropped unused, it is free again.
pub struct Reserved {
    handle: Rc<Handle>,
    session: Option<SessionId>,
    done: oneshot::Receiver<Vec<u8>>,
}

/// Longest time that a worker may take to read a job from its channel.
const PATIENCE: Duration = Duration::from_secs(10);

impl Reserved {
    pub(crate) fn new(
        handle: Rc<Handle>,
        session: SessionId,
        done: oneshot::Receiver<Vec<u8>>,
    ) -> Self {
        Self {
            handle,
            session: Some(session),
            done,
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

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
        let job = ToWorker::Job {
            session: session.clone(),
            content,
        };
        let sent = timeout(PATIENCE, self.handle.channel.send(&job, fds)).await;
        let sent = sent
            .map_err(|_| SubmitError::Stuck)
            .and_then(|sent| Ok(sent?));
        if sent.as_ref().is_err_and(SubmitError::is_loss) {
            self.handle.retiring.set(true);
        }
        sent?;
        self.handle.begin(&session);
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
    /// The worker does not become the user, or takes no job, in any reasonable time.
    #[error("the worker does not answer")]
    Stuck,
    /// Too many jobs wait for the worker to become the user.
    #[error("too many wait for the user's worker already")]
    Crowded,
    /// A job of this name runs already.
    #[error("a job of this name runs already")]
    Duplicate,
    /// The manager is about to end.
    #[error("the service is about to end")]
    Ending,
}

impl SubmitError {
    /// May another worker do better?
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Crashed | Self::Ipc(ipc::Error::Closed))
    }
}
