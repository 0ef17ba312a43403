//! What is known of one mailbox: the uidlist, and the file that each entry has now. Shared by all
//! sessions of the process; memory only, rebuilt from disk at any time.

use std::collections::HashMap;

use mailbox::{Guid, UidValidity};
use sys::fs::FsFile;

use crate::keywords::Keywords;
use crate::record::{File, Place, Record};
use crate::stamp::DirStamp;
use crate::uidlist::load::{Damage, Stamp};

/// Has every record the file that belongs to it?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// The list was read, the directories were not.
    #[default]
    Never,
    /// Of those lines that were there at the last scan.
    BeforeLines,
    /// Records without files are dead.
    Yes,
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
    pub scanned: Scanned,
    /// Why the list must be written anew before anything is added to it.
    pub rewrite: Option<&'static str>,
    /// New UIDs could repeat old ones.
    pub uids_lost: bool,
    pub keywords: Keywords,
    pub keywords_stamp: Option<Stamp>,
    /// Some message has a letter that means nothing yet: its name may be on its way.
    pub has_unnamed_letters: bool,
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
            scanned: Scanned::Never,
            rewrite: None,
            uids_lost: false,
            keywords: Keywords::default(),
            keywords_stamp: None,
            has_unnamed_letters: false,
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
pub(crate) type Unknown = Vec<(Place, Box<[u8]>)>;

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
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&Record, File)> {
        self.records
            .iter()
            .filter_map(|record| Some((record, record.file()?)))
    }

    /// Has no session been shown this message as `\Recent`?
    pub(crate) fn is_recent(&self, record: &Record, file: File) -> bool {
        file.place == Place::New || u64::from(record.uid) >= self.recent_from
    }

    /// Base name → position. Of two lines for one file the later one counts.
    pub(crate) fn by_base(&self) -> HashMap<&[u8], usize> {
        let bases = self.records.iter().enumerate();
        bases
            .map(|(position, record)| (record.base(), position))
            .collect()
    }

    pub(crate) fn stamp(&self, place: Place) -> &DirStamp {
        match place {
            Place::New => &self.new,
            Place::Cur => &self.cur,
        }
    }

    pub(crate) fn stamp_mut(&mut self, place: Place) -> &mut DirStamp {
        match place {
            Place::New => &mut self.new,
            Place::Cur => &mut self.cur,
        }
    }

    /// After letters or their names changed.
    pub(crate) fn note_letters(&mut self) {
        let files = self.messages();
        let used = files.fold(0, |used, (_, file)| used | file.letters.0);
        let named = self.keywords.named();
        let named = named.fold(0, |named, (index, _)| named | 1 << index);
        self.has_unnamed_letters = used & !named != 0;
    }

    pub(crate) fn changed(&mut self) {
        self.generation += 1;
    }

    /// A message's file is in `cur/` now, under this name.
    pub(crate) fn moved_to_cur(&mut self, uid: u32, file_name: &[u8]) {
        let info = file_name.get(crate::name::base(file_name).len()..);
        let info = info.unwrap_or_default();
        if let Some(record) = self.record_mut(uid)
            && !record.is_at(Place::Cur, info)
        {
            record.set_file(Place::Cur, info);
            self.changed();
        }
    }

    /// A message has no file any more.
    pub(crate) fn removed(&mut self, uid: u32) {
        if let Some(record) = self.record_mut(uid) {
            record.clear_file();
            self.counted.remove(&uid);
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
            .filter(|record| !record.has_file())
            .count();
        self.scanned == Scanned::Yes && dead >= 8 && dead * 4 >= self.records.len()
    }
}
