//! What a login process asks auth. Socket: `auth-login` (/run/culver/login/auth).
//!
//! The login process relays SASL messages; auth runs the mechanism. On success auth answers with a
//! one-time token that the login process can turn into a hand-off of the socket named by `cookie`
//! and of no other.

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::{Secret, Token, Username};

/// Exchanges of one login process at once; beyond it clients are told to try again. A login process has fewer clients
/// than this, each with one exchange: those that leave a challenge unanswered keep nobody out.
pub const MAX_EXCHANGES: usize = 32_768;

/// From login to auth.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// First message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// A client began to authenticate.
    Start {
        /// Chosen by login; names this exchange until its end.
        id: u32,
        /// SASL mechanism, as the client wrote it.
        mech: String,
        /// The client's connection.
        facts: Facts,
        /// `SO_COOKIE` of the socket that will be handed over.
        cookie: u64,
        /// Initial response, decoded from base64; `None` where the client sent none.
        initial: Option<Secret>,
    },
    /// The client answered a challenge.
    Continue {
        /// The exchange.
        id: u32,
        /// Decoded from base64.
        response: Secret,
    },
    /// The client gave up or went away; there is no reply.
    Cancel {
        /// The exchange.
        id: u32,
    },
}

/// From auth to login.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// Answer to the first message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
        /// Mechanisms that are configured (`auth_mechanisms`), upper case, in their order.
        mechs: Vec<String>,
    },
    /// Pass this to the client and come back with its answer.
    Challenge {
        /// The exchange.
        id: u32,
        /// Not yet base64.
        data: Vec<u8>,
    },
    /// The client is who it says.
    Success {
        /// The exchange, now over.
        id: u32,
        /// For the log line only; a manager learns the user from auth.
        user: Username,
        /// For the hand-off.
        token: Token,
    },
    /// The client is not let in. Sent after the failure delay where there is one.
    Failure {
        /// The exchange, now over.
        id: u32,
        /// Who the client claimed to be, for the log; may hold anything.
        user: Option<String>,
        /// What to tell the client.
        reason: Failure,
    },
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// Wrong user or password; the client is not told which.
    Credentials,
    /// The account must not log in now (`nologin`).
    Disabled,
    /// The password is right but has expired.
    Expired,
    /// Auth or a database behind it is out of order: try again later.
    Unavailable,
    /// The client broke the mechanism's rules.
    Malformed,
    /// There is no such mechanism, or it is not enabled.
    UnknownMech,
    /// Too many exchanges at once on this connection.
    Busy,
}

impl crate::Reply for Reply {
    fn id(&self) -> Option<u32> {
        match self {
            Self::Hello { .. } => None,
            Self::Challenge { id, .. } | Self::Success { id, .. } | Self::Failure { id, .. } => {
                Some(*id)
            }
        }
    }

    fn version(&self) -> Option<u16> {
        match self {
            Self::Hello { version, .. } => Some(*version),
            _ => None,
        }
    }
}
