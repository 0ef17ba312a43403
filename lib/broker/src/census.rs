//! What anvil is told of a manager's sessions, and tells it.
//!
//! What nobody waits for is gathered for a moment and told at once: under load anvil wakes up once for many sessions.
//!
//! *Invariant:* an anvil that is away, or does not answer, locks nobody out and holds nobody up. When it is back it is
//! told of all sessions at once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipc::anvil::{Reply, Request, Role, Session};
use ipc::facts::Protocol;
use ipc::{Client, SessionId, VERSION};
use service::journal::id;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

/// Where anvil listens.
const SOCKET: &str = "/run/culver/anvil/anvil";
/// Few sessions a record, so that every record fits.
const BATCH: usize = 64;
/// Longest time that anvil may take for anything.
const PATIENCE: Duration = Duration::from_secs(3);
/// So long changes are gathered: nobody who asks anvil sees the difference.
const GATHER: Duration = Duration::from_millis(10);

type Table = Arc<Mutex<HashMap<SessionId, Session>>>;

/// The sessions of one manager, counted by anvil too.
pub(crate) struct Census {
    name: &'static str,
    /// All that count.
    sessions: Table,
    anvil: Client<Request, Reply>,
    /// Whether anvil is told one by one. While it is away, changes are only noted: the next greeting has them all.
    link: Cell<Link>,
    changes: RefCell<Changes>,
    news: Notify,
}

/// What anvil is to be told.
#[derive(Debug, Default)]
struct Changes {
    began: Vec<Session>,
    ended: Vec<SessionId>,
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
                changes: RefCell::default(),
                news: Notify::new(),
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
        if limit == 0 {
            // There is nothing to ask.
            self.note(|changes| changes.began.push(session.clone()));
        } else if self.link.get() == Link::Up {
            // What ended counts no more.
            self.tell_changes().await;
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
    pub(crate) fn moved(&self, session: &SessionId, pid: u32) {
        let moved = lock(&self.sessions).get_mut(session).map(|session| {
            session.worker_pid = pid;
            session.clone()
        });
        if let Some(moved) = moved {
            self.note(|changes| changes.began.push(moved));
        }
    }

    /// A session ended.
    pub(crate) fn leave(&self, session: &SessionId) {
        if lock(&self.sessions).remove(session).is_some() {
            self.note(|changes| {
                changes.began.retain(|began| began.session != *session);
                changes.ended.push(session.clone());
            });
        }
    }

    /// Tells anvil what changed, once something has. Not to be cancelled.
    pub(crate) async fn flush(&self) {
        self.news.notified().await;
        sleep(GATHER).await;
        self.tell_changes().await;
    }

    /// While anvil is away the table is all that it has to know.
    fn note(&self, change: impl FnOnce(&mut Changes)) {
        if self.link.get() == Link::Up {
            change(&mut self.changes.borrow_mut());
            self.news.notify_one();
        }
    }

    async fn tell_changes(&self) {
        let Changes { began, ended } = self.changes.take();
        for began in began.chunks(BATCH) {
            let (began, ended) = (began.to_vec(), Vec::new());
            self.tell(&Request::Changed { began, ended }).await;
        }
        for ended in ended.chunks(BATCH) {
            let (began, ended) = (Vec::new(), ended.to_vec());
            self.tell(&Request::Changed { began, ended }).await;
        }
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
        self.changes.take();
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
