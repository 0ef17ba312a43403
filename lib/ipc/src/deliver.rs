//! lmtp hands a message over to the deliver manager. Socket: `deliver`
//! (/run/culver/deliver/deliver).
//!
//! The message travels as a descriptor beside the request, open for reading only. One request per
//! recipient; replies come in any order.

use serde::{Deserialize, Serialize};

use crate::SessionId;

/// From lmtp.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// First message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// One message for one recipient, with its descriptor.
    Deliver {
        /// Chosen by lmtp.
        id: u32,
        /// The delivery.
        delivery: Delivery,
    },
}

/// One message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Whom auth knows under this name gets it (without detail); may hold anything.
    pub user: String,
    /// What stood behind `recipient_delimiter`; a mailbox name if the settings say so.
    pub detail: Option<String>,
    /// Envelope sender, without `<>`; empty: bounce.
    pub sender: String,
    /// Envelope recipient as it came, without `<>`.
    pub recipient: String,
    /// The LMTP session, for log lines.
    pub session: SessionId,
    /// Header lines to put before the message, each ended by CRLF.
    pub prepend: String,
}

/// From the deliver manager.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// Answer to the first message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// On disk.
    Delivered {
        /// The request.
        id: u32,
    },
    /// Not delivered.
    Failed {
        /// The request.
        id: u32,
        /// What to answer.
        why: Failure,
    },
}

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// No such user: 550 5.1.1.
    UnknownUser,
    /// The disk is full: 452 4.3.1.
    DiskFull,
    /// The user is over quota: 552 5.2.2, with `quota_full_tempfail` 452 4.2.2.
    OverQuota,
    /// Refused for good, with this text: 550 5.7.0.
    Rejected(String),
    /// Out of order: 451 4.2.0.
    Unavailable,
}

impl crate::Reply for Reply {
    fn id(&self) -> Option<u32> {
        match self {
            Self::Hello { .. } => None,
            Self::Delivered { id, .. } | Self::Failed { id, .. } => Some(*id),
        }
    }

    fn version(&self) -> Option<u16> {
        match self {
            Self::Hello { version, .. } => Some(*version),
            _ => None,
        }
    }
}
