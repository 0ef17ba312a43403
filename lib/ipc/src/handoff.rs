//! Login hands an authenticated client over to a manager. Socket: `imap-session`
//! (/run/culver/login/imap), one per protocol.
//!
//! The client's descriptor (or, with TLS, the inner end of login's relay) travels beside
//! [`Request::Handoff`]. Identity is not in here: the manager asks auth whose token it is.

use serde::{Deserialize, Serialize};

use crate::Token;
use crate::facts::Facts;

/// Most unread input that a hand-off may bring, bytes: a login process reads little ahead.
pub const MAX_UNREAD: usize = 32 * 1024;

/// From login to the manager.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// First message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// One client, with one descriptor.
    Handoff {
        /// Chosen by login.
        id: u32,
        /// From auth.
        token: Token,
        /// What login told auth, word for word.
        facts: Facts,
        /// The tag of the client's command, which the worker answers.
        tag: String,
        /// What the client had sent beyond that command; at most [`MAX_UNREAD`] bytes.
        unread: Vec<u8>,
    },
}

/// From the manager to login.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// Answer to the first message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// The worker has the client; login forgets it, or relays its TLS until it ends.
    Accepted {
        /// The hand-off.
        id: u32,
        /// The worker's process id, for the log line (`mpid`).
        worker_pid: u32,
    },
    /// Nobody took the client; login answers its command.
    Refused {
        /// The hand-off.
        id: u32,
        /// What to tell the client.
        why: Refusal,
    },
}

/// Why nobody took a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// `mail_max_userip_connections` is reached.
    TooManyConnections,
    /// The token was no good: somebody is lying, or slow.
    BadToken,
    /// The user may not use this service (uid out of range, no home, …); the manager logged it.
    Misconfigured,
    /// Something is out of order: try again later.
    Unavailable,
}

impl crate::Reply for Reply {
    fn id(&self) -> Option<u32> {
        match self {
            Self::Hello { .. } => None,
            Self::Accepted { id, .. } | Self::Refused { id, .. } => Some(*id),
        }
    }

    fn version(&self) -> Option<u16> {
        match self {
            Self::Hello { version, .. } => Some(*version),
            _ => None,
        }
    }
}
