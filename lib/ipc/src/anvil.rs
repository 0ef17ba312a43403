//! What managers and doveadm ask anvil. Socket: `anvil` (/run/culver/anvil/anvil).
//!
//! A manager's connection owns the sessions that it counted. A manager that comes back after a
//! restart says in `Hello` and `Resume` which sessions survived; those replace what anvil remembers of it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::facts::Protocol;
use crate::{SessionId, Username};

/// To anvil.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// First message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
        /// Who calls.
        role: Role,
    },
    /// Some sessions that survived the manager's restart; may come several times, then `Resumed`.
    Resume {
        /// The sessions.
        sessions: Vec<Session>,
    },
    /// All surviving sessions have been named: forget the others of this manager.
    Resumed,
    /// A session begins. Counted unless the limit is reached.
    Connect {
        /// Chosen by the manager.
        id: u32,
        /// The session.
        session: Session,
        /// Most sessions of this user from this address and protocol; 0: no limit
        /// (`mail_max_userip_connections`).
        limit: u32,
    },
    /// What has changed in the last moment; no reply.
    Changed {
        /// Sessions that began without a limit, or are in another process now.
        began: Vec<Session>,
        /// Sessions that ended, some of those among them.
        ended: Vec<SessionId>,
    },
    /// Who is logged in?
    Who {
        /// Chosen by the caller.
        id: u32,
    },
    /// End the sessions that match.
    Kick {
        /// Chosen by the caller.
        id: u32,
        /// User name, with `*` and `?`.
        user: String,
        /// Only from these networks; empty: from everywhere.
        networks: Vec<(IpAddr, u8)>,
    },
}

/// From anvil.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// Answer to the first message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// The session is counted.
    Connected {
        /// The request.
        id: u32,
    },
    /// The limit is reached; the session is not counted.
    LimitReached {
        /// The request.
        id: u32,
    },
    /// End this session, please: to the manager that owns it, unasked.
    EndSession {
        /// The session.
        session: SessionId,
    },
    /// Some sessions; `Who` is answered by several of these, the last one empty.
    Sessions {
        /// The request.
        id: u32,
        /// The sessions.
        sessions: Vec<Session>,
    },
    /// These sessions were told to end; `Kick` is answered by several of these, the last one empty.
    Kicked {
        /// The request.
        id: u32,
        /// Which.
        sessions: Vec<Session>,
    },
}

/// Who calls anvil.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A manager: owns sessions.
    Manager {
        /// Of which protocol.
        protocol: Protocol,
    },
    /// doveadm: looks and kicks.
    Admin,
}

/// One session that is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name.
    pub session: SessionId,
    /// Whose it is.
    pub user: Username,
    /// What it speaks.
    pub protocol: Protocol,
    /// From where.
    pub remote: IpAddr,
    /// The worker's process id.
    pub worker_pid: u32,
}

impl crate::Reply for Reply {
    fn id(&self) -> Option<u32> {
        match self {
            Self::Hello { .. } | Self::EndSession { .. } => None,
            Self::Connected { id, .. }
            | Self::LimitReached { id, .. }
            | Self::Sessions { id, .. }
            | Self::Kicked { id, .. } => Some(*id),
        }
    }

    fn version(&self) -> Option<u16> {
        match self {
            Self::Hello { version, .. } => Some(*version),
            _ => None,
        }
    }
}
