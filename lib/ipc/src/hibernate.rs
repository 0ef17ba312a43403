//! A manager parks clients that idle with imap-hibernate. Socket: `imap-hibernate`
//! (/run/culver/imap-hibernate/imap-hibernate).
//!
//! The client's descriptor travels beside [`Request::Hold`], and beside it what becomes readable when its mailbox
//! changes; the client's alone comes back beside [`Reply::Woken`]. Whose it is stands in a record that the manager has
//! sealed: imap-hibernate gives it back as it is.
//!
//! ```text
//! manager            imap-hibernate
//! Hello      ──▶
//!            ◀──  Hello, Holds…, HoldsAll    what an earlier manager, or imap-hibernate, left
//! Release…   ──▶                             what of it is held no more
//! Serve      ──▶                             before that nobody writes to a client
//! Hold       ──▶  Held, NotHeld
//!            ◀──  Woken
//! Release    ──▶                             a worker has it
//! End        ──▶  Ended                      also unasked: the client hung up
//! ```

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{SessionId, Username};

/// Longest sealed record, bytes.
pub const MAX_SEALED: usize = 48 * 1024;

/// Names a parked session among those of its manager, as long as it is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot(pub u32);

/// From a manager.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// First message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// The manager has heard what is held and has said what of it is over.
    Serve,
    /// Holds a client, with its descriptor and perhaps that of its mailbox.
    Hold {
        /// Free, as far as the manager knows.
        slot: Slot,
        /// Whom and how.
        parked: Parked,
    },
    /// Lets go of a client without a word: somebody else has it.
    Release {
        /// Which.
        slot: Slot,
    },
    /// Says good-bye to a client.
    End {
        /// Which.
        slot: Slot,
        /// Why.
        why: Farewell,
    },
}

/// A client that idles, as far as imap-hibernate knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Its name in every log line.
    pub session: SessionId,
    /// For the log.
    pub user: Username,
    /// For the log.
    pub remote: IpAddr,
    /// What is to be done for it meanwhile.
    pub hold: Hold,
    /// What the manager needs to take it back, at most [`MAX_SEALED`] bytes.
    pub sealed: Vec<u8>,
}

/// What is done for a client that is parked. Points in time: [`sys::clock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// `* OK Still here`.
    pub keepalive: Option<Keepalive>,
    /// Then it is given back, to be sent away.
    pub ends_at: u64,
    /// The end of its last log line: what it did so far.
    pub stats: String,
}

/// How often a client hears that we are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keepalive {
    /// Milliseconds, never 0.
    pub interval: u64,
    /// The next time.
    pub next_at: u64,
}

/// Why a parked client is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Farewell {
    /// An administrator said so.
    Kicked,
    /// The service ends.
    Shutdown,
    /// No worker takes it back.
    Failed,
}

/// From imap-hibernate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// Answer to the first message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
        /// For `doveadm who`.
        pid: u32,
    },
    /// One client that is held.
    Holds {
        /// Where.
        slot: Slot,
        /// What came with it.
        sealed: Vec<u8>,
    },
    /// There are no more.
    HoldsAll,
    /// The client is held.
    Held {
        /// Which.
        slot: Slot,
    },
    /// It is not; its descriptor here is closed.
    NotHeld {
        /// Which.
        slot: Slot,
    },
    /// The client sent something, its mailbox changed, or it idles for too long: with its descriptor.
    Woken {
        /// Which.
        slot: Slot,
        /// What came with it.
        sealed: Vec<u8>,
        /// Bytes that it was sent here.
        sent: u64,
    },
    /// The client is gone.
    Ended {
        /// Which.
        slot: Slot,
    },
}
