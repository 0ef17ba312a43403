//! What is known of one mailbox: the uidlist, and the file that each entry has now. Shared by all
//! sessions of the process; memory only, rebuilt from disk at any time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use mailbox::{Flags, Guid, UidValidity};
use sys::fs::{FsFile, Time, join};

use crate::keywords::Keywords;
use crate::name::{self, Letters, Sizes};
use crate::uidlist::load::{Damage, Stamp};

/// Where a message's file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `new/`: no client has looked yet.
    New,
    /// `cur/`.
    Cur,
}

impl Place {
    pub(crate) fn dir(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Cur => "cur",
        }
    }
}

/// The file of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub place: Place,
    /// What follows the base name.
    pub info: Box<[u8]>,
    pub flags: Flags,
    pub letters: Letters,
}

impl File {
    pub(crate) fn named(place: Place, file_name: &[u8]) -> Self {
        let (flags, letters) = name::flags(file_name);
        let info = file_name
            .get(name::base(file_name).len()..)
            .unwrap_or_default();
        Self {
            place,
            info: info.into(),
            flags,
            letters,
        }
    }
}

/// One line of the uidlist.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub uid: u32,
    pub base: Box<[u8]>,
    /// Keys of the line.
    pub extra: Box<[u8]>,
    /// `None`: expunged, the line is dead.
    pub file: Option<File>,
}

impl Record {
    pub(crate) fn file_name(&self) -> Option<Vec<u8>> {
        Some([&*self.base, &*self.file.as_ref()?.info].concat())
    }

    pub(crate) fn path(&self, dir: &Path) -> Option<PathBuf> {
        let place = self.file.as_ref()?.place;
        Some(join(&dir.join(place.dir()), &self.file_name()?))
    }

    /// What the message is called wherever it is copied to.
    pub(crate) fn guid(&self) -> &[u8] {
        crate::uidlist::value(&self.extra, b'G').unwrap_or(&self.base)
    }

    /// Size with CRLF, where name or line tells it.
    pub(crate) fn size(&self) -> Option<u64> {
        let in_line = || {
            let digits = crate::uidlist::value(&self.extra, b'W')?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        };
        Sizes::of(&self.base).with_crlf.or_else(in_line)
    }
}

/// The state of a directory at its last scan.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DirStamp {
    pub mtime: Option<Time>,
    /// Something may have changed within the same tick of the clock: look again at this time.
    pub recheck: Option<Instant>,
}

/// Everything known.
#[derive(Debug)]
pub(crate) struct State {
    /// `None`: nothing was read yet.
    pub uid_validity: Option<UidValidity>,
    /// Up to 2^32.
    pub next_uid: u64,
    pub guid: Option<Guid>,
    pub header_extra: Vec<u8>,
    /// Ascending UIDs.
    pub records: Vec<Record>,
    pub list_stamp: Option<Stamp>,
    /// The list that was read. While it is open no other file gets its inode number, so that
    /// `list_stamp` cannot mistake another list for this one.
    pub list_file: Option<FsFile>,
    /// Was there a scan since the list was read? Until then records without files may have some.
    pub scanned: bool,
    /// Why the list must be written anew before anything is added to it.
    pub rewrite: Option<&'static str>,
    /// New UIDs could repeat old ones.
    pub uids_lost: bool,
    pub keywords: Keywords,
    pub keywords_stamp: Option<Stamp>,
    pub new: DirStamp,
    pub cur: DirStamp,
    /// Messages from here on were shown to no session as `\Recent`.
    pub recent_from: u64,
    /// Sizes with CRLF that had to be counted.
    pub counted: HashMap<u32, u64>,
    /// Was `tmp/` looked through?
    pub cleaned: bool,
    /// Was it said that we may only read?
    pub told_denied: bool,
    /// Goes up with every change that a view can see.
    pub generation: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            uid_validity: None,
            next_uid: 1,
            guid: None,
            header_extra: Vec::new(),
            records: Vec::new(),
            list_stamp: None,
            list_file: None,
            scanned: false,
            rewrite: None,
            uids_lost: false,
            keywords: Keywords::default(),
            keywords_stamp: None,
            new: DirStamp::default(),
            cur: DirStamp::default(),
            recent_from: 1,
            counted: HashMap::new(),
            cleaned: false,
            told_denied: false,
            generation: 0,
        }
    }
}

/// What a scan found that no record knows.
pub(crate) type Unknown = Vec<(Place, Vec<u8>)>;

impl State {
    pub(crate) fn position(&self, uid: u32) -> Option<usize> {
        self.records
            .binary_search_by_key(&uid, |record| record.uid)
            .ok()
    }

    pub(crate) fn record(&self, uid: u32) -> Option<&Record> {
        self.records.get(self.position(uid)?)
    }

    pub(crate) fn record_mut(&mut self, uid: u32) -> Option<&mut Record> {
        let position = self.position(uid)?;
        self.records.get_mut(position)
    }

    /// Messages: records that have files.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&Record, &File)> {
        self.records
            .iter()
            .filter_map(|record| Some((record, record.file.as_ref()?)))
    }

    /// Has no session been shown this message as `\Recent`?
    pub(crate) fn is_recent(&self, record: &Record, file: &File) -> bool {
        file.place == Place::New || u64::from(record.uid) >= self.recent_from
    }

    /// Base name → position. Of two lines for one file the later one counts.
    pub(crate) fn by_base(&self) -> HashMap<&[u8], usize> {
        let bases = self.records.iter().enumerate();
        bases
            .map(|(position, record)| (&*record.base, position))
            .collect()
    }

    pub(crate) fn changed(&mut self) {
        self.generation += 1;
    }

    /// Sets a message's file; tells whether that is news.
    pub(crate) fn set_file(&mut self, uid: u32, file: Option<File>) {
        if let Some(record) = self.record_mut(uid)
            && record.file != file
        {
            record.file = file;
            self.changed();
        }
    }

    pub(crate) fn note_damage(&mut self, damage: &Damage) {
        if damage.needs_rewrite() {
            self.rewrite = Some(damage.first.map_or("cut short", |(_, why)| why));
        }
        self.uids_lost |= damage.uids_lost;
    }

    /// Is it known that so many lines are dead that it pays to write the list anew? FORMATS.md §4.2.
    pub(crate) fn is_mostly_dead(&self) -> bool {
        let dead = self
            .records
            .iter()
            .filter(|record| record.file.is_none())
            .count();
        self.scanned && dead >= 8 && dead * 4 >= self.records.len()
    }
}
