//! Numbers of the storage that cannot be mixed up with UIDs of a mailbox.

use std::fmt;

/// Names a stored message for good: the UID of its record in the map. 0 is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapUid(pub u32);

impl fmt::Display for MapUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a mail file: N of `m.N`, from 1. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

impl FileId {
    /// `m.N`.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("m.{}", self.0)
    }

    /// From `m.N`, as the map spells it: decimal, without leading zeros, at least 1.
    #[must_use]
    pub fn from_file_name(name: &[u8]) -> Option<Self> {
        let digits = name.strip_prefix(b"m.")?;
        if digits.first() == Some(&b'0') || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok().map(Self)
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_what_dovecot_writes() {
        assert_eq!(FileId(12).file_name(), "m.12");
        assert_eq!(FileId::from_file_name(b"m.12"), Some(FileId(12)));
        for other in [
            &b"m."[..],
            b"m.0",
            b"m.01",
            b"m.1.broken",
            b"m.1.lock",
            b"m.-1",
            b"m.+1",
            b"u.1",
            b"m.4294967296",
            b".temp.1",
        ] {
            assert_eq!(FileId::from_file_name(other), None, "{other:?}");
        }
    }
}
