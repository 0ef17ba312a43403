//! Between a manager and its workers, over the socket pair that a worker is born with (fd 0).
//!
//! What a job is differs between services: its content is a postcard record of its own, opaque
//! to the broker.

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
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
    /// Other userdb fields: settings overridden for this user (`quota_rule`, `imap_capability`, …). They come this far
    /// and no farther: workers use the settings of their snapshot, whoever their user is.
    pub fields: Vec<(String, String)>,
}

/// What a job is where clients are handed over: one session, with the client's descriptor. Settings that userdb
/// overrides for its user are not in here either: see [`Identity::fields`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientSession {
    /// The client's connection.
    pub facts: Facts,
    /// The tag of the client's command, which the worker answers.
    pub tag: String,
    /// What the client had sent beyond that command.
    pub unread: Vec<u8>,
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
