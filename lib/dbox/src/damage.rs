//! Bytes that break the format.

use std::path::Path;

use mailbox::Error;

/// What a decoder found, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes from the start of what was decoded.
    pub offset: u64,
    /// Which rule.
    pub what: &'static str,
    /// Would more bytes have helped? A write that was cut short, not a wrong one.
    pub is_torn: bool,
}

impl Damage {
    /// Bytes that are wrong, whatever follows.
    #[must_use]
    pub const fn wrong(offset: u64, what: &'static str) -> Self {
        Self {
            offset,
            what,
            is_torn: false,
        }
    }

    /// The file ends too early.
    #[must_use]
    pub const fn torn(offset: u64, what: &'static str) -> Self {
        Self {
            offset,
            what,
            is_torn: true,
        }
    }

    /// The same, seen from `base` bytes further ahead.
    #[must_use]
    pub const fn at(self, base: u64) -> Self {
        Self {
            offset: self.offset.saturating_add(base),
            ..self
        }
    }

    /// For the log and the client.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Error {
        Error::Corrupted {
            path: path.to_owned(),
            offset: self.offset,
            what: self.what.to_owned(),
        }
    }
}
