//! What anvil is told of a manager's sessions, and tells it.
//!
//! *Invariant:* an anvil that is away, or does not answer, locks nobody out and holds nobody up. When it is back it is
//! told of all sessions at once.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipc::anvil::{Reply, Request, Role, Session};
use ipc::facts::Protocol;
use ipc::{Client, SessionId, VERSION};
use service::journal::id;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

/// Where anvil listens.
const SOCKET: &str = "/run/culver/anvil/anvil";
/// Few sessions a record, so that every record fits.
const BATCH: usize = 64;
/// Longest time that anvil may take for anything.
const PATIENCE: Duration = Duration::from_secs(3);

type Table = Arc<Mutex<HashMap<SessionId, Session>>>;

/// The sessions of one manager, counted by anvil too.
pub(crate) struct Census {
    name: &'static str,
    /// All that count.
    sessions: Table,
    anvil: Client<Request, Reply>,
    /// Whether anvil is told one by one. While it is away, changes are only noted: the next greeting has them all.
    link: Cell<Link>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up,
    Down,
}

impl Census {
    /// Connects when it is told to. The second value yields what anvil says unasked.
    pub(crate) fn new(name: &'static str, protocol: Protocol) -> (Self, UnboundedReceiver<Reply>) {
        Self::at(SOCKET.into(), name, protocol)
    }

    fn at(
        path: PathBuf,
        name: &'static str,
        protocol: Protocol,
    ) -> (Self, UnboundedReceiver<Reply>) {
        let sessions = Table::default();
        let table = Arc::clone(&sessions);
        let hello = move || hello(protocol, &lock(&table));
        let (anvil, unasked) = Client::new(path, hello);
        let link = Cell::new(Link::Up);
        (
            Self {
                name,
                sessions,
                anvil,
                link,
            },
            unasked,
        )
    }

    /// A session that an earlier manager has counted.
    pub(crate) fn resume(&self, session: Session) {
        lock(&self.sessions).insert(session.session.clone(), session);
    }

    /// Makes sure that anvil knows all of it.
    pub(crate) async fn connect(&self) {
        // Before the greeting is made: what changes from now on is told after it.
        self.link.set(Link::Up);
        match timeout(PATIENCE, self.anvil.connect()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.lose(&error),
            Err(_) => self.lose(&"no answer in time"),
        }
    }

    /// Counts a session. False: `limit` is reached.
    pub(crate) async fn enter(&self, session: Session, limit: u32) -> bool {
        if self.link.get() == Link::Up {
            let ask = |id| Request::Connect {
                id,
                session: session.clone(),
                limit,
            };
            match timeout(PATIENCE, self.anvil.call(ask, &[])).await {
                Ok(Ok(Reply::LimitReached { .. })) => return false,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => self.lose(&error),
                Err(_) => self.lose(&"no answer in time"),
            }
        }
        lock(&self.sessions).insert(session.session.clone(), session);
        true
    }

    /// A session that counts is in another process now.
    pub(crate) async fn moved(&self, session: &SessionId, pid: u32) {
        let moved = lock(&self.sessions).get_mut(session).map(|session| {
            session.worker_pid = pid;
            session.clone()
        });
        let Some(moved) = moved.filter(|_| self.link.get() == Link::Up) else {
            return;
        };
        // Its answer would tell nothing new.
        let word = Request::Connect {
            id: 0,
            session: moved,
            limit: 0,
        };
        self.tell(&word).await;
        // It may have ended meanwhile, and anvil heard that first.
        if !lock(&self.sessions).contains_key(session) {
            let session = session.clone();
            self.tell(&Request::Disconnect { session }).await;
        }
    }

    /// A session ended.
    pub(crate) async fn leave(&self, session: &SessionId) {
        let known = lock(&self.sessions).remove(session).is_some();
        if !known || self.link.get() == Link::Down {
            return;
        }
        let session = session.clone();
        self.tell(&Request::Disconnect { session }).await;
    }

    async fn tell(&self, word: &Request) {
        match timeout(PATIENCE, self.anvil.tell(word)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.lose(&error),
            Err(_) => self.lose(&"it does not read"),
        }
    }

    /// Nothing more on this connection: it may have missed something.
    fn lose(&self, error: &dyn std::fmt::Display) {
        self.anvil.disconnect();
        if self.link.replace(Link::Down) == Link::Up {
            tracing::warn!(
                message_id = id::LIMIT_REACHED,
                "{}: Warning: anvil: {error}; connections are not counted until it is back",
                self.name
            );
        }
    }
}

fn lock(table: &Table) -> MutexGuard<'_, HashMap<SessionId, Session>> {
    // Inserting and removing cannot panic half way.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hello(protocol: Protocol, sessions: &HashMap<SessionId, Session>) -> Vec<Request> {
    let mut messages = vec![Request::Hello {
        version: VERSION,
        role: Role::Manager { protocol },
    }];
    let all: Vec<Session> = sessions.values().cloned().collect();
    for batch in all.chunks(BATCH) {
        messages.push(Request::Resume {
            sessions: batch.to_vec(),
        });
    }
    messages.push(Request::Resumed);
    messages
}

#[cfg(test)]
mod tests;
