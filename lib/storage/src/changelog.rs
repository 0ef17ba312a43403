//! Telling dsync what happened to mailboxes: appends to `dovecot.mailbox.log`. FORMATS.md §6.2.
//!
//! A name is UTF-8 with `/` between its levels. Appended without a lock; moved to `.2` at 4 KiB.

use std::path::Path;

use index::mailbox_log::{Kind, Record};
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
    fn encode(&self, seconds: u32) -> [u8; Record::SIZE] {
        let (kind, id) = match self {
            Self::DeleteMailbox(guid) => (Kind::DeleteMailbox, *guid),
            Self::DeleteName(name) => (Kind::DeleteDir, hash(name)),
            Self::Rename(name) => (Kind::Rename, hash(name)),
            Self::Subscribe(name) => (Kind::Subscribe, hash(name)),
            Self::Unsubscribe(name) => (Kind::Unsubscribe, hash(name)),
        };
        let time = seconds;
        Record { kind, id, time }.encode()
    }
}

/// First half of the SHA-1 of a name.
fn hash(levels: &[String]) -> Guid {
    let digest = Sha1::digest(levels.join("/"));
    Guid(digest.first_chunk().copied().unwrap_or_default())
}

/// Appends events.
///
/// # Errors
/// The failed call. Nothing but dsync's quality depends on this file: log it and go on.
pub fn append(fs: &Fs, path: &Path, events: &[Event<'_>]) -> FsResult<()> {
    let seconds = crate::uidvalidity::now();
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
