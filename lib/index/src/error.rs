//! What can be wrong with an index.

use std::path::{Path, PathBuf};

use sys::fs::FsError;

/// Bytes that break the format; the caller knows of which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {what}")]
pub struct Corruption {
    /// Where, in bytes from the start of what was decoded.
    pub offset: u64,
    /// Which rule is broken.
    pub what: &'static str,
}

impl Corruption {
    /// At `offset`.
    #[must_use]
    pub fn new(offset: usize, what: &'static str) -> Self {
        Self {
            offset: offset as u64,
            what,
        }
    }

    /// The same, when what was decoded began at `base` of its file.
    #[must_use]
    pub fn within(self, base: u64) -> Self {
        Self {
            offset: self.offset.saturating_add(base),
            what: self.what,
        }
    }

    /// With the path of the file.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Error {
        Error::Corrupted {
            path: path.to_owned(),
            offset: self.offset,
            what: self.what,
        }
    }
}

/// Why an operation on an index failed. `Display` is a log line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes on disk break the format, and there is no way around them.
    #[error("{}: corrupted at byte {offset}: {what}", path.display())]
    Corrupted {
        /// Which file.
        path: PathBuf,
        /// Where in it, bytes.
        offset: u64,
        /// Which rule.
        what: &'static str,
    },
    /// There is no index: neither log nor checkpoint.
    #[error("{}: there is no index", path.display())]
    NotFound {
        /// The log.
        path: PathBuf,
    },
    /// The mailbox was deleted (INDEX_DELETED in the log, or the log has vanished).
    #[error("{}: the mailbox was deleted", path.display())]
    Deleted {
        /// The log.
        path: PathBuf,
    },
    /// Another process has held the lock for too long.
    #[error("{}: timed out while waiting for the lock", path.display())]
    Locked {
        /// The log.
        path: PathBuf,
    },
    /// The transaction would break a rule of the format; nothing was written.
    #[error("{}: refused transaction: {what}", path.display())]
    Refused {
        /// The log.
        path: PathBuf,
        /// Which rule.
        what: &'static str,
    },
    /// The transaction is in the log, but whether it survives a power failure is unknown. It must
    /// not be acknowledged, and what it refers to must not be removed.
    #[error("written, but not durable: {0}")]
    NotDurable(FsError),
    /// A file operation failed; the transaction is not in the log.
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl From<Error> for mailbox::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Corrupted { path, offset, what } => Self::Corrupted {
                path,
                offset,
                what: what.to_owned(),
            },
            Error::Refused { path, what } => Self::Corrupted {
                path,
                offset: 0,
                what: format!("refused transaction: {what}"),
            },
            Error::NotFound { path } | Error::Deleted { path } => Self::Syscall {
                call: "open",
                path,
                source: std::io::ErrorKind::NotFound.into(),
            },
            Error::Locked { path } => Self::Locked { path },
            Error::NotDurable(error) | Error::Fs(error) => error.into(),
        }
    }
}
