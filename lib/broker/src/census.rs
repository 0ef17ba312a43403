//! What anvil is told of a manager's sessions, and tells it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipc::anvil::{Reply, Request, Role, Session};
use ipc::facts::Protocol;
use ipc::{Client, SessionId, VERSION};
use service::journal::id;
use tokio::sync::mpsc::UnboundedReceiver;

/// Where anvil listens.
const SOCKET: &str = "/run/culver/anvil/anvil";
/// Few sessions a record, so that every record fits.
const BATCH: usize = 64;

type Table = Arc<Mutex<HashMap<SessionId, Session>>>;

/// The sessions of one manager, counted by anvil too.
pub(crate) struct Census {
    name: &'static str,
    sessions: Table,
    anvil: Client<Request, Reply>,
}

impl Census {
    /// Connects when it is first used. The second value yields what anvil says unasked.
    pub(crate) fn new(name: &'static str, protocol: Protocol) -> (Self, UnboundedReceiver<Reply>) {
        let sessions = Table::default();
        let table = Arc::clone(&sessions);
        let hello = move || hello(protocol, &lock(&table));
        let (anvil, unasked) = Client::new(PathBuf::from(SOCKET), hello);
        (
            Self {
                name,
                sessions,
                anvil,
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
        if let Err(error) = self.anvil.connect().await {
            self.unavailable(&error);
        }
    }

    /// Counts a session. False: `limit` is reached. Without anvil nobody is locked out.
    pub(crate) async fn enter(&self, session: Session, limit: u32) -> bool {
        let name = session.session.clone();
        let ask = |id| Request::Connect {
            id,
            session: session.clone(),
            limit,
        };
        let counted = match self.anvil.call(ask, &[]).await {
            Ok(Reply::LimitReached { .. }) => false,
            Ok(_) => true,
            Err(error) => {
                self.unavailable(&error);
                true
            }
        };
        if counted {
            lock(&self.sessions).insert(name, session);
        }
        counted
    }

    /// A session ended.
    pub(crate) async fn leave(&self, session: &SessionId) {
        let known = lock(&self.sessions).remove(session).is_some();
        if known
            && let Err(error) = self
                .anvil
                .tell(&Request::Disconnect {
                    session: session.clone(),
                })
                .await
        {
            self.unavailable(&error);
        }
    }

    fn unavailable(&self, error: &ipc::Error) {
        tracing::warn!(
            message_id = id::LIMIT_REACHED,
            "{}: Warning: anvil: {error}; connections are not counted until it is back",
            self.name
        );
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
