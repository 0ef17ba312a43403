//! Between a manager and its workers, over the socket pair that a worker is born with (fd 0).
//!
//! What a job is differs between services: its content is a postcard record of its own, opaque
//! to the broker.

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::hibernate::Hold;
use crate::{SessionId, Username};

/// From the manager to a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ToWorker {
    /// Whom the worker serves from now on; comes once, before the first job.
    Identify {
        /// What to become.
        identity: Identity,
    },
    /// One session or one delivery, with its descriptors.
    Job {
        /// Names the job until it is done.
        session: SessionId,
        /// What the service's own code understands.
        content: Vec<u8>,
    },
    /// End this job now (`doveadm kick`).
    Kick {
        /// The job.
        session: SessionId,
    },
    /// Take no further job; end when the last one is done, and end those that wait for a client.
    Drain,
    /// Who are you and what are you doing? From a manager that was restarted.
    Report,
}

/// From a worker to the manager.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FromWorker {
    /// Confined as the user; ready for jobs.
    Identified,
    /// Could not become the user or open its mail; the worker ends.
    Failed {
        /// What the administrator should read.
        reason: String,
    },
    /// A job is done.
    Done {
        /// The job.
        session: SessionId,
        /// What the service's own code understands; empty where there is nothing to say.
        content: Vec<u8>,
    },
    /// A job rests: its client, with its descriptor and perhaps that of its mailbox, is for imap-hibernate to hold. It
    /// is no job any more.
    Parked {
        /// The job.
        session: SessionId,
        /// What it needs to go on.
        rest: Rest,
        /// What is done for its client meanwhile.
        hold: Hold,
    },
    /// Answer to [`ToWorker::Report`]; several, the last one with no jobs.
    Running {
        /// The worker's process id.
        pid: u32,
        /// Whom the worker serves; `None`: nobody yet.
        user: Option<Username>,
        /// Some of its jobs: session and the content it came with.
        jobs: Vec<(SessionId, Vec<u8>)>,
    },
}

/// What a worker becomes. Everything is decided by the manager, from userdb and settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The mail user.
    pub user: Username,
    /// Never 0.
    pub uid: u32,
    /// Never 0.
    pub gid: u32,
    /// All supplementary groups (`groups`, `mail_access_groups`, `mail_privileged_group`).
    pub groups: Vec<u32>,
    /// Root directory to enter first.
    pub chroot: Option<String>,
    /// Home directory, inside the chroot if there is one; absolute.
    pub home: Option<String>,
    /// `mail` of userdb; overrides the setting `mail_location`.
    pub mail: Option<String>,
    /// Other userdb fields: settings of this user (`quota_rule`, `imap_capability`, …), which count before the snapshot's.
    pub fields: Vec<(String, String)>,
}

/// What a job is where clients are handed over: one session, with the client's descriptor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientSession {
    /// The client's connection.
    pub facts: Facts,
    /// Where it stands.
    pub begin: Begin,
}

/// Where a session begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Begin {
    /// The client has just logged in.
    LoggedIn {
        /// The tag of the client's command, which the worker answers.
        tag: String,
        /// What the client had sent beyond that command.
        unread: Vec<u8>,
    },
    /// It goes on where it was parked.
    Back {
        /// From [`Rest`].
        state: Vec<u8>,
        /// Bytes that the client was sent meanwhile.
        sent: u64,
        /// Why it is back.
        why: Back,
    },
}

/// Why a parked session is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Back {
    /// There is something to do.
    Woken,
    /// Nobody could hold it.
    NotHeld,
}

/// A session that rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// The client's connection.
    pub facts: Facts,
    /// What the service's own code understands; at most [`Rest::MAX`] bytes.
    pub state: Vec<u8>,
}

impl Rest {
    /// Most bytes of `state`: with all that is sealed with it, it fits into a record.
    pub const MAX: usize = 32 * 1024;
}

impl ClientSession {
    /// As the content of a job.
    ///
    /// # Errors
    /// It does not fit into a record.
    pub fn encode(&self) -> Result<Vec<u8>, crate::Error> {
        crate::channel::encode(self).map(|record| record.to_vec())
    }

    /// From the content of a job.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(content: &[u8]) -> Result<Self, crate::Error> {
        postcard::from_bytes(content).map_err(|e| crate::Error::Malformed {
            expected: "ClientSession",
            reason: e.to_string(),
        })
    }
}
