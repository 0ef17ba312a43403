//! `dovecot.mailbox.log`: what happened to mailboxes, for dsync. FORMATS.md §6.2.
//!
//! ```text
//! offset size field
//!      0    1 type              1 delete mailbox, 2 delete dir, 3 rename, 4 subscribe, 5 unsubscribe
//!      1    3 zero
//!      4   16 id                1: the mailbox's GUID; else the first 16 bytes of SHA-1 of its name
//!     20    4 time              UNIX seconds, big-endian
//! ```
//! The name is UTF-8 with `/` between its levels. Appended without a lock; moved to `.2` at 4 KiB.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use mailbox::Guid;
use sha1::{Digest, Sha1};
use sys::fs::{Fs, FsResult, How};

const ROTATE_AT: u64 = 4096;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A mailbox was deleted.
    DeleteMailbox(Guid),
    /// Its name is free.
    DeleteName(&'a [String]),
    /// A mailbox has this name now.
    Rename(&'a [String]),
    /// Subscribed.
    Subscribe(&'a [String]),
    /// Unsubscribed.
    Unsubscribe(&'a [String]),
}

impl Event<'_> {
    fn encode(&self, seconds: u32) -> [u8; 24] {
        let (kind, id) = match self {
            Self::DeleteMailbox(guid) => (1, guid.0),
            Self::DeleteName(name) => (2, hash(name)),
            Self::Rename(name) => (3, hash(name)),
            Self::Subscribe(name) => (4, hash(name)),
            Self::Unsubscribe(name) => (5, hash(name)),
        };
        let mut record = [0; 24];
        let fields = [kind, 0, 0, 0]
            .into_iter()
            .chain(id)
            .chain(seconds.to_be_bytes());
        record
            .iter_mut()
            .zip(fields)
            .for_each(|(to, from)| *to = from);
        record
    }
}

/// First half of the SHA-1 of a name.
fn hash(levels: &[String]) -> [u8; 16] {
    let digest = Sha1::digest(levels.join("/"));
    digest.first_chunk().copied().unwrap_or_default()
}

/// Appends events.
///
/// # Errors
/// The failed call. Nothing but dsync's quality depends on this file: log it and go on.
pub fn append(fs: &Fs, path: &Path, events: &[Event<'_>]) -> FsResult<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let seconds = u32::try_from(now).unwrap_or(u32::MAX);
    let file = fs.open(path, How::AppendCreate, 0o600)?;
    if file.stat()?.size >= ROTATE_AT {
        let mut second = path.as_os_str().to_owned();
        second.push(".2");
        fs.rename(path, second.as_ref())?;
        return append(fs, path, events);
    }
    let records: Vec<u8> = events
        .iter()
        .flat_map(|event| event.encode(seconds))
        .collect();
    file.append(&records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(levels: &[&str]) -> Vec<String> {
        levels.iter().map(|&level| level.to_owned()).collect()
    }

    /// From the fixture `maildir`.
    #[test]
    fn dovecots_records() {
        let leaf = name(&["Sub", "Deep", "Leaf"]);
        let record = Event::Subscribe(&leaf).encode(0x6b04_2e5b);
        let expected = b"\x04\0\0\0\xf8\xfc\x59\xe6\x7b\xb2\x76\xd9\x27\xe5\xc3\x66\xd9\x58\x26\x1c\x6b\x04\x2e\x5b";
        assert_eq!(&record, expected);
        let renamed = name(&["renamed"]);
        let record = Event::Rename(&renamed).encode(0x6b04_2e5b);
        assert_eq!(record[..8], *b"\x03\0\0\0\x87\x62\x07\x09");
    }

    #[test]
    fn rotates_at_4_kib() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dovecot.mailbox.log");
        let fs = Fs::real();
        let leaf = name(&["a"]);
        for _ in 0..172 {
            append(&fs, &path, &[Event::Subscribe(&leaf)]).unwrap();
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 24);
        let old = std::fs::metadata(dir.path().join("dovecot.mailbox.log.2")).unwrap();
        assert_eq!(old.len(), 171 * 24);
    }
}
