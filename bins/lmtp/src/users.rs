//! Who is a user of this host? Asked of auth.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use ipc::Username;
use ipc::auth_master::{Refusal, Reply, Request};
use ipc::facts::Protocol;

use crate::request::{Client, Messages, NoAnswer};

/// Where auth answers questions about users.
pub const SOCKET: &str = "/run/culver/auth/userdb";

/// Asks auth.
pub struct Users(Client<AuthMessages>);

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
        Self(Client::new("auth", path))
    }

    /// Looks one user up by the name in an address.
    pub async fn look_up(&self, user: &str) -> Lookup {
        let lookup = |id| Request::Lookup {
            id,
            protocol: Protocol::Lmtp,
            user: user.to_owned(),
        };
        let none: &[BorrowedFd<'_>] = &[];
        let answer = match self.0.ask(lookup, none).await {
            // auth was restarted meanwhile; a question may be asked twice.
            Err(NoAnswer::Lost) => self.0.ask(lookup, none).await,
            done => done,
        };
        match answer {
            Ok(Reply::User { user, .. }) => Lookup::Known(user.name),
            Ok(Reply::Refused {
                why: Refusal::UnknownUser,
                ..
            }) => Lookup::Unknown,
            Ok(_) | Err(_) => Lookup::Unavailable,
        }
    }
}

struct AuthMessages;

impl Messages for AuthMessages {
    type Request = Request;
    type Reply = Reply;
    const PATIENCE: Duration = Duration::from_secs(60);

    fn hello(version: u16) -> Request {
        Request::Hello { version }
    }

    fn version(reply: &Reply) -> Option<u16> {
        match reply {
            Reply::Hello { version } => Some(*version),
            _ => None,
        }
    }

    fn id(reply: &Reply) -> Option<u32> {
        match reply {
            Reply::Hello { .. } => None,
            Reply::User { id, .. }
            | Reply::Authenticated { id, .. }
            | Reply::Users { id, .. }
            | Reply::Refused { id, .. } => Some(*id),
        }
    }
}
