//! What managers, lmtp and doveadm ask auth.
//!
//! Sockets: `auth-master` (/run/culver/auth/master) for managers, which may redeem tokens and look
//! users up; `auth-userdb` (/run/culver/auth/userdb) for lmtp, deliver and doveadm, which may only look
//! up, and doveadm authenticate. A `Redeem` on the latter ends the connection.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Protocol};
use crate::{Secret, SessionId, Token, Username};

/// To auth.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// First message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// Whose token is this? It is worth nothing afterwards, whatever the answer.
    Redeem {
        /// Chosen by the manager.
        id: u32,
        /// From the hand-off.
        token: Token,
        /// `SO_COOKIE` of the descriptor that the manager holds.
        cookie: u64,
        /// From the hand-off; compared with what auth was told.
        facts: Facts,
        /// Process id of the login process at the other end of the hand-off (`SO_PEERCRED`).
        login_pid: i32,
    },
    /// Who is this user (userdb)?
    Lookup {
        /// Chosen by the caller.
        id: u32,
        /// For whom it is asked.
        client: ClientInfo,
        /// Not yet normalised; may hold anything.
        user: String,
    },
    /// Would this password do (passdb)? Grants nothing.
    Authenticate {
        /// Chosen by the caller.
        id: u32,
        /// As whose.
        client: ClientInfo,
        /// Not yet normalised; may hold anything.
        user: String,
        /// The password.
        password: Secret,
    },
    /// All users, as far as the userdbs can list them.
    List {
        /// Chosen by the caller.
        id: u32,
    },
}

/// What is known of a client when nobody logs in: what passdbs and userdbs may ask about (`%s`, `%r`, `%l`, …).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientInfo {
    /// What it speaks.
    pub protocol: Protocol,
    /// Our address.
    pub local: Option<IpAddr>,
    /// Our port; 0: unknown.
    pub local_port: u16,
    /// The client's address.
    pub remote: Option<IpAddr>,
    /// The client's port; 0: unknown.
    pub remote_port: u16,
    /// Its name in log lines.
    pub session: Option<SessionId>,
}

impl ClientInfo {
    /// Nothing is known but what it speaks.
    #[must_use]
    pub fn of(protocol: Protocol) -> Self {
        Self {
            protocol,
            local: None,
            local_port: 0,
            remote: None,
            remote_port: 0,
            session: None,
        }
    }
}

/// From auth.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// Answer to the first message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// The token was good, or the user is known.
    User {
        /// The request.
        id: u32,
        /// Everything userdb says.
        user: MailUser,
    },
    /// The password is right.
    Authenticated {
        /// The request.
        id: u32,
        /// Name after normalisation.
        user: Username,
        /// What passdb says beside the password.
        fields: Vec<(String, String)>,
    },
    /// Some users; `List` is answered by several of these, the last one empty.
    Users {
        /// The request.
        id: u32,
        /// Names.
        users: Vec<Username>,
    },
    /// No such user, no such token, wrong password.
    Refused {
        /// The request.
        id: u32,
        /// Why, for the caller's log.
        why: Refusal,
    },
}

/// Why auth said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No userdb knows the user.
    UnknownUser,
    /// The password is wrong, or no passdb knows the user.
    Credentials,
    /// The token was never issued, or was used before.
    UnknownToken,
    /// The token is older than 30 s.
    ExpiredToken,
    /// The token was issued for another socket, connection, service or login process.
    ForeignToken,
    /// A database is out of order: try again later.
    Unavailable,
}

/// What userdb says of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailUser {
    /// Name after normalisation; the one in paths and log lines.
    pub name: Username,
    /// `uid`; the setting `mail_uid` counts where it is missing.
    pub uid: Option<u32>,
    /// `gid`; the setting `mail_gid` counts where it is missing.
    pub gid: Option<u32>,
    /// `home`.
    pub home: Option<String>,
    /// `chroot`.
    pub chroot: Option<String>,
    /// `mail`: overrides `mail_location`.
    pub mail: Option<String>,
    /// Supplementary groups of the system user, where the userdb knows one.
    pub groups: Vec<u32>,
    /// Everything else, in its order: settings overridden for this user (`quota_rule`, …).
    pub fields: Vec<(String, String)>,
}

impl crate::Reply for Reply {
    fn id(&self) -> Option<u32> {
        match self {
            Self::Hello { .. } => None,
            Self::User { id, .. }
            | Self::Authenticated { id, .. }
            | Self::Users { id, .. }
            | Self::Refused { id, .. } => Some(*id),
        }
    }

    fn version(&self) -> Option<u16> {
        match self {
            Self::Hello { version, .. } => Some(*version),
            _ => None,
        }
    }
}
