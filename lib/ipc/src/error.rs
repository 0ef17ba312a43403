//! Why a message did not go through.

use std::io;

/// A failed send or receive. After any of these the connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// A system call failed.
    #[error("{call} failed: {source}")]
    Syscall {
        /// Which one.
        call: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The record is not one of ours.
    #[error("not a {expected} record: {reason}")]
    Malformed {
        /// What type was expected.
        expected: &'static str,
        /// What the decoder found.
        reason: String,
    },
    /// The peer speaks another version.
    #[error("the peer speaks version {theirs}, this service {}", crate::VERSION)]
    Version {
        /// What the peer said.
        theirs: u16,
    },
    /// The message does not fit into one record.
    #[error("a {what} record of {size} bytes is too large")]
    TooLarge {
        /// What type it was.
        what: &'static str,
        /// Its encoded size, bytes.
        size: usize,
    },
}

impl Error {
    pub(crate) fn syscall(call: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Syscall { call, source },
        }
    }

    /// Fails unless `theirs` is our [`crate::VERSION`].
    ///
    /// # Errors
    /// [`Error::Version`].
    pub fn check_version(theirs: u16) -> Result<(), Self> {
        if theirs == crate::VERSION {
            Ok(())
        } else {
            Err(Self::Version { theirs })
        }
    }
}
