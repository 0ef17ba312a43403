//! One message in memory. A mailbox has as many as messages, so they are small: 32 bytes, and the
//! text of line and file name in one piece.

use std::path::{Path, PathBuf};

use mailbox::Flags;
use sys::fs::join;

use crate::name::{self, Letters, Sizes};
use crate::uidlist::{self, Entry};

/// Where a message's file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// `new/`: no client has looked yet.
    New,
    /// `cur/`.
    Cur,
}

impl Place {
    pub(crate) const ALL: [Self; 2] = [Self::New, Self::Cur];

    pub(crate) fn dir(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Cur => "cur",
        }
    }
}

/// The file of a message: where it is, and what its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub place: Place,
    pub flags: Flags,
    pub letters: Letters,
}

/// One line of the uidlist, and the file that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub uid: u32,
    /// Where the base name begins in `text`; before it are the keys of the line.
    base_at: u16,
    /// Where it ends; behind it is the rest of the file's name.
    base_end: u16,
    text: Box<[u8]>,
    /// `None`: expunged, the line is dead.
    file: Option<File>,
}

impl Record {
    /// Of a file that no line knows yet.
    pub(crate) fn of_file(uid: u32, place: Place, file_name: Box<[u8]>) -> Self {
        let mut record = Self {
            uid,
            base_at: 0,
            base_end: short(name::base(&file_name).len()),
            text: file_name,
            file: None,
        };
        record.read_file_name(place);
        record
    }

    /// Base name: the message's identity in this mailbox.
    pub(crate) fn base(&self) -> &[u8] {
        let range = usize::from(self.base_at)..usize::from(self.base_end);
        self.text.get(range).unwrap_or_default()
    }

    /// Keys of the line.
    pub(crate) fn extra(&self) -> &[u8] {
        self.text
            .get(..usize::from(self.base_at))
            .unwrap_or_default()
    }

    /// What follows the base name in the file's name.
    pub(crate) fn info(&self) -> &[u8] {
        self.text
            .get(usize::from(self.base_end)..)
            .unwrap_or_default()
    }

    pub(crate) fn file(&self) -> Option<File> {
        self.file
    }

    pub(crate) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn file_name(&self) -> Option<&[u8]> {
        self.file?;
        self.text.get(usize::from(self.base_at)..)
    }

    pub(crate) fn path(&self, dir: &Path) -> Option<PathBuf> {
        let place = self.file?.place;
        Some(join(&dir.join(place.dir()), self.file_name()?))
    }

    /// Is this its file?
    pub(crate) fn is_at(&self, place: Place, info: &[u8]) -> bool {
        self.file.is_some_and(|file| file.place == place) && self.info() == info
    }

    /// Gives it a file: its base name and `info`.
    pub(crate) fn set_file(&mut self, place: Place, info: &[u8]) {
        if self.info() != info {
            let line = self.text.get(..usize::from(self.base_end));
            self.text = [line.unwrap_or_default(), info].concat().into();
        }
        self.read_file_name(place);
    }

    /// Gives it the file of another record with the same base name.
    pub(crate) fn take_file(&mut self, other: &Self) {
        if let Some(file) = other.file {
            self.set_file(file.place, other.info());
        }
    }

    /// The file is gone.
    pub(crate) fn clear_file(&mut self) {
        self.file = None;
    }

    /// Changes the keys of the line.
    pub(crate) fn set_extra(&mut self, extra: &[u8]) {
        let name = self.text.get(usize::from(self.base_at)..);
        let length = self.base().len();
        self.text = [extra, name.unwrap_or_default()].concat().into();
        self.base_at = short(extra.len());
        self.base_end = short(extra.len() + length);
    }

    /// What the message is called wherever it is copied to.
    pub(crate) fn guid(&self) -> &[u8] {
        uidlist::value(self.extra(), b'G').unwrap_or(self.base())
    }

    /// Size with CRLF, where name or line tells it.
    pub(crate) fn size(&self) -> Option<u64> {
        let in_line = || {
            let digits = uidlist::value(self.extra(), b'W')?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        };
        Sizes::of(self.base()).with_crlf.or_else(in_line)
    }

    fn read_file_name(&mut self, place: Place) {
        let (flags, letters) =
            name::flags(self.text.get(self.base_at.into()..).unwrap_or_default());
        self.file = Some(File {
            place,
            flags,
            letters,
        });
    }
}

impl From<Entry> for Record {
    fn from(entry: Entry) -> Self {
        let (uid, base_at) = (entry.uid, entry.extra().len());
        let text = entry.into_text();
        Self {
            uid,
            base_at: short(base_at),
            base_end: short(text.len()),
            text,
            file: None,
        }
    }
}

/// Lines and names are shorter than [`uidlist::MAX_LINE`].
fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uidlist::Version;

    #[test]
    fn line_and_name_stay_apart() {
        let entry = Entry::decode(Version::V3, b"7 W12 Gx :1.M2.h").unwrap();
        let mut record = Record::from(entry);
        assert_eq!((record.uid, record.file()), (7, None));
        assert_eq!((record.guid(), record.size()), (&b"x"[..], Some(12)));
        record.set_file(Place::Cur, b":2,Sa");
        assert_eq!(record.file_name(), Some(&b"1.M2.h:2,Sa"[..]));
        assert!(record.is_at(Place::Cur, b":2,Sa") && !record.is_at(Place::New, b":2,Sa"));
        record.set_extra(b"");
        assert_eq!((record.extra(), record.base()), (&b""[..], &b"1.M2.h"[..]));
        assert_eq!(
            (record.info(), record.guid()),
            (&b":2,Sa"[..], record.base())
        );
        record.set_file(Place::New, b"");
        assert_eq!(record.path(Path::new("m")), Some("m/new/1.M2.h".into()));
        assert_eq!(record.file().unwrap().flags, Flags::empty());
        record.clear_file();
        assert_eq!(
            (record.path(Path::new("m")), record.has_file()),
            (None, false)
        );
    }

    #[test]
    fn a_file_becomes_a_record() {
        let record = Record::of_file(3, Place::Cur, b"1.h:2,FS"[..].into());
        assert_eq!((record.base(), record.info()), (&b"1.h"[..], &b":2,FS"[..]));
        assert!(record.extra().is_empty());
        assert_eq!(
            record.file().unwrap().flags,
            Flags::SEEN.with(Flags::FLAGGED)
        );
    }

    /// There are as many as messages.
    #[test]
    fn records_are_small() {
        assert_eq!(size_of::<Record>(), 32);
    }
}
