//! Why a mailbox operation failed, told twice: in full to the log, safely to the client.

use std::io;
use std::path::PathBuf;

use sys::fs::FsError;
use sys::fs::dotlock::DotlockError;

use crate::MailboxName;

/// `Display` is the log line and may name paths. Clients get [`Error::client_text`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes on disk break the format.
    #[error("{}: corrupted at byte {offset}: {what}", path.display())]
    Corrupted {
        /// Which file.
        path: PathBuf,
        /// Where in it, bytes.
        offset: u64,
        /// Which rule.
        what: String,
    },
    /// No mailbox has this name; the client may CREATE it.
    #[error("mailbox doesn't exist: {mailbox}")]
    NotFound {
        /// The name.
        mailbox: MailboxName,
    },
    /// There is such a mailbox already.
    #[error("mailbox already exists: {mailbox}")]
    Exists {
        /// The name.
        mailbox: MailboxName,
    },
    /// No mailbox can have this name, or this cannot be done to it.
    #[error("{why}")]
    InvalidName {
        /// The rule, for the client.
        why: &'static str,
    },
    /// The operation is not possible here, whoever asks.
    #[error("{why}")]
    NotPossible {
        /// The rule, for the client.
        why: &'static str,
    },
    /// The message is gone.
    #[error("message was expunged")]
    Expunged,
    /// A limit of the format or the settings is reached: too many keywords, …
    #[error("{what}")]
    Limit {
        /// Which limit, for the client.
        what: &'static str,
    },
    /// Somebody else has held a lock for too long.
    #[error("{}: timed out while waiting for the lock", path.display())]
    Locked {
        /// Which lock.
        path: PathBuf,
    },
    /// The client's (or peer's) bytes could not be read while a message was saved.
    #[error("reading the message failed: {0}")]
    Input(io::Error),
    /// A system call failed.
    #[error("{call}({}) failed: {source}", path.display())]
    Syscall {
        /// Which one.
        call: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The configuration of the mail store makes no sense.
    #[error("{0}")]
    Config(String),
}

impl From<FsError> for Error {
    fn from(error: FsError) -> Self {
        Self::Syscall {
            call: error.call,
            path: error.path,
            source: error.source,
        }
    }
}

impl From<DotlockError> for Error {
    fn from(error: DotlockError) -> Self {
        match error {
            DotlockError::Timeout { path, .. } => Self::Locked { path },
            DotlockError::Fs(error) => error.into(),
        }
    }
}

impl Error {
    /// Response code (RFC 5530; empty: none) and text for the client. Never names a path or an errno.
    #[must_use]
    pub fn client_text(&self) -> (&'static str, String) {
        match self {
            Self::NotFound { mailbox } => {
                ("NONEXISTENT", format!("Mailbox doesn't exist: {mailbox}"))
            }
            Self::Exists { .. } => ("ALREADYEXISTS", "Mailbox already exists".to_owned()),
            Self::InvalidName { why } | Self::NotPossible { why } => ("CANNOT", (*why).to_owned()),
            Self::Expunged => (
                "EXPUNGEISSUED",
                "Some of the requested messages no longer exist.".to_owned(),
            ),
            Self::Limit { what } => ("LIMIT", (*what).to_owned()),
            Self::Locked { .. } => ("INUSE", "Timeout while waiting for lock".to_owned()),
            Self::Syscall { .. } if self.is_disk_full() => {
                ("OVERQUOTA", "Not enough disk space".to_owned())
            }
            Self::Input(_) | Self::Corrupted { .. } | Self::Syscall { .. } | Self::Config(_) => (
                "SERVERBUG",
                "Internal error occurred. Refer to server log for more information.".to_owned(),
            ),
        }
    }

    /// The permissions or a read-only file system forbid it.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Syscall { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ),
            _ => false,
        }
    }

    /// No space or quota left on the file system: the sender may try again later.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Syscall { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            _ => false,
        }
    }
}
