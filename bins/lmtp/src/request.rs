//! Requests to another of our services: many at a time over one connection, which comes back by itself.

use std::collections::HashMap;
use std::fmt::Debug;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipc::AsyncChannel;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

/// What [`Client`] must know of a pair of message types.
pub trait Messages: 'static {
    /// From us.
    type Request: Serialize + Send + Sync;
    /// To us.
    type Reply: DeserializeOwned + Debug + Send;
    /// Longest time that an answer may take.
    const PATIENCE: Duration;

    /// The first message.
    fn hello(version: u16) -> Self::Request;
    /// The peer's version, if `reply` is the answer to the first message.
    fn version(reply: &Self::Reply) -> Option<u16>;
    /// Which request `reply` answers.
    fn id(reply: &Self::Reply) -> Option<u32>;
}

/// Why there is no answer; the log has the details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The request did not get to the service.
    #[error("service unavailable")]
    Unreachable,
    /// The service went away, or is too slow. Whether it did what was asked is not known.
    #[error("service did not answer")]
    Lost,
}

/// Asks one service.
pub struct Client<M: Messages> {
    name: &'static str,
    path: PathBuf,
    /// Locked while it is made: one for all who ask at the same time.
    connection: tokio::sync::Mutex<Option<Arc<Connection<M>>>>,
}

/// A request under way: its connection, its id, and where the answer comes.
type Pending<M> = (
    Arc<Connection<M>>,
    u32,
    oneshot::Receiver<<M as Messages>::Reply>,
);

struct Connection<M: Messages> {
    channel: AsyncChannel,
    waiting: Mutex<Waiting<M::Reply>>,
}

struct Waiting<R> {
    next_id: u32,
    /// `None`: the connection is over.
    answers: Option<HashMap<u32, oneshot::Sender<R>>>,
}

impl<M: Messages> Client<M> {
    /// For the service `name` that listens at `path`. Connects when it is first asked.
    pub fn new(name: &'static str, path: PathBuf) -> Self {
        Self {
            name,
            path,
            connection: tokio::sync::Mutex::new(None),
        }
    }

    /// Sends the request that `make` builds around its id, and waits for the answer.
    ///
    /// # Errors
    /// The service is not there, went away, or is too slow.
    pub async fn ask(
        &self,
        make: impl Fn(u32) -> M::Request,
        fds: &[BorrowedFd<'_>],
    ) -> Result<M::Reply, NoAnswer> {
        let (connection, id, answer) = match self.send(&make, fds).await {
            // A service that restarted is noticed when it is spoken to.
            Err(ipc::Error::Closed) => self.send(&make, fds).await,
            done => done,
        }
        .map_err(|error| self.report(&error, NoAnswer::Unreachable))?;
        match tokio::time::timeout(M::PATIENCE, answer).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(self.report(&"connection lost", NoAnswer::Lost)),
            Err(_) => {
                connection.forget(id);
                Err(self.report(&"no answer in time", NoAnswer::Lost))
            }
        }
    }

    async fn send(
        &self,
        make: &impl Fn(u32) -> M::Request,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Pending<M>, ipc::Error> {
        let connection = self.connection().await?;
        let (id, answer) = connection.expect_answer().ok_or(ipc::Error::Closed)?;
        if let Err(error) = connection.channel.send(&make(id), fds).await {
            connection.end();
            return Err(error);
        }
        Ok((connection, id, answer))
    }

    /// The live connection, or a new one.
    async fn connection(&self) -> Result<Arc<Connection<M>>, ipc::Error> {
        let mut current = self.connection.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| connection.is_alive()) {
            return Ok(Arc::clone(connection));
        }
        let connection = self.connect().await?;
        *current = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn connect(&self) -> Result<Arc<Connection<M>>, ipc::Error> {
        let channel = AsyncChannel::connect(&self.path)?;
        channel.send(&M::hello(ipc::VERSION), &[]).await?;
        let connection = Arc::new(Connection {
            channel,
            waiting: Mutex::new(Waiting {
                next_id: 0,
                answers: Some(HashMap::new()),
            }),
        });
        tokio::spawn(read(self.name, Arc::clone(&connection)));
        Ok(connection)
    }

    fn report(&self, error: &dyn std::fmt::Display, outcome: NoAnswer) -> NoAnswer {
        tracing::error!(
            "lmtp: Error: {} ({}): {error}",
            self.name,
            self.path.display()
        );
        outcome
    }
}

impl<M: Messages> Connection<M> {
    fn is_alive(&self) -> bool {
        locked(&self.waiting).answers.is_some()
    }

    fn expect_answer(&self) -> Option<(u32, oneshot::Receiver<M::Reply>)> {
        let mut waiting = locked(&self.waiting);
        let id = waiting.next_id;
        waiting.next_id = id.wrapping_add(1);
        let (sender, receiver) = oneshot::channel();
        waiting.answers.as_mut()?.insert(id, sender);
        Some((id, receiver))
    }

    fn answer(&self, reply: M::Reply) {
        let Some(id) = M::id(&reply) else { return };
        let sender = locked(&self.waiting)
            .answers
            .as_mut()
            .and_then(|answers| answers.remove(&id));
        if let Some(sender) = sender {
            // Whoever asked may have gone; its answer goes with it.
            let _ = sender.send(reply);
        }
    }

    fn forget(&self, id: u32) {
        if let Some(answers) = locked(&self.waiting).answers.as_mut() {
            answers.remove(&id);
        }
    }

    /// Everybody who still waits is told that there is no answer.
    fn end(&self) {
        locked(&self.waiting).answers = None;
    }
}

/// Hands out answers until the connection ends.
async fn read<M: Messages>(name: &'static str, connection: Arc<Connection<M>>) {
    if let Err(error) = read_all(&connection).await
        && !matches!(error, ipc::Error::Closed)
    {
        tracing::error!("lmtp: Error: {name}: {error}");
    }
    connection.end();
}

async fn read_all<M: Messages>(connection: &Connection<M>) -> Result<(), ipc::Error> {
    loop {
        let (reply, _) = connection.channel.recv::<M::Reply>().await?;
        match M::version(&reply) {
            Some(theirs) => ipc::Error::check_version(theirs)?,
            None => connection.answer(reply),
        }
    }
}

/// No code panics while it holds one of these locks; if it did, the data would still be whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
