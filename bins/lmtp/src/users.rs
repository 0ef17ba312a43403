//! Who is a user of this host? Asked of auth.

use std::path::PathBuf;
use std::time::Duration;

use ipc::auth_master::{ClientInfo, Refusal, Reply, Request};
use ipc::facts::Protocol;
use ipc::{Client, Error, Username};
use tokio::time::timeout;

/// Where auth answers questions about users.
pub const SOCKET: &str = "/run/culver/auth/userdb";
/// Longest time that a database may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks auth.
pub struct Users(Client<Request, Reply>);

/// What auth knows of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The user, under the name that counts.
    Known(Username),
    /// Nobody has this name.
    Unknown,
    /// It cannot be told now.
    Unavailable,
}

impl Users {
    /// For the auth service that listens at `path`.
    pub fn new(path: PathBuf) -> Self {
        let hello = || {
            vec![Request::Hello {
                version: ipc::VERSION,
            }]
        };
        Self(Client::new(path, hello).0)
    }

    /// Looks one user up by the name in an address.
    pub async fn look_up(&self, user: &str) -> Lookup {
        let answer = match timeout(PATIENCE, self.ask(user)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return unavailable(&error),
            Err(_) => return unavailable(&"no answer in time"),
        };
        match answer {
            Reply::User { user, .. } => Lookup::Known(user.name),
            Reply::Refused {
                why: Refusal::UnknownUser,
                ..
            } => Lookup::Unknown,
            _ => Lookup::Unavailable,
        }
    }

    async fn ask(&self, user: &str) -> Result<Reply, Error> {
        let lookup = |id| Request::Lookup {
            id,
            client: ClientInfo::of(Protocol::Lmtp),
            user: user.to_owned(),
        };
        match self.0.call(lookup, &[]).await {
            // auth was restarted; a question may be asked twice.
            Err(Error::Closed) => self.0.call(lookup, &[]).await,
            answer => answer,
        }
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> Lookup {
    tracing::error!(
        message_id = service::journal::id::AUTH_UNAVAILABLE,
        "lmtp: Error: userdb lookup: {error}"
    );
    Lookup::Unavailable
}
