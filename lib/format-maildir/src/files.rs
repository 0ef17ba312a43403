//! What is known of the files of one mailbox: the uidlist, and the name that each entry's file has now.
//! Shared by all sessions of the process; memory only, read when it is needed, and never what a session
//! is told: that is the index.

use std::collections::HashMap;
use std::sync::Arc;

use index::State;
use mailbox::{Guid, UidSet, UidValidity};
use sys::fs::FsFile;

use crate::ext::{DirTimes, ListTimes, SyncHeader};
use crate::keywords::Keywords;
use crate::record::{Place, Record};
use crate::stamp::DirStamp;
use crate::uidlist::load::{Damage, Stamp};

/// Everything known.
#[derive(Debug)]
pub(crate) struct Files {
    /// `None`: the list was not read yet.
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
    /// Why the list must be written anew before anything is added to it.
    pub rewrite: Option<&'static str>,
    /// New UIDs could repeat old ones.
    pub uids_lost: bool,
    pub keywords: Keywords,
    pub keywords_stamp: Option<Stamp>,
    pub new: DirStamp,
    pub cur: DirStamp,
    /// Sizes with CRLF that had to be counted.
    pub counted: HashMap<u32, u64>,
    /// Was `tmp/` looked through?
    pub cleaned: bool,
    /// Was it said that we may only read?
    pub told_denied: bool,
    /// Requests of others could not be done.
    pub gave_up: bool,
    /// What sessions of this process were last woken for.
    pub told: Option<Arc<State>>,
    /// Goes up with every change that a view can see.
    pub generation: u64,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            uid_validity: None,
            next_uid: 1,
            guid: None,
            header_extra: Vec::new(),
            records: Vec::new(),
            list_stamp: None,
            list_file: None,
            rewrite: None,
            uids_lost: false,
            keywords: Keywords::default(),
            keywords_stamp: None,
            new: DirStamp::default(),
            cur: DirStamp::default(),
            counted: HashMap::new(),
            cleaned: false,
            told_denied: false,
            gave_up: false,
            told: None,
            generation: 0,
        }
    }
}

/// What a scan found that no record knows.
pub(crate) type Unknown = Vec<(Place, Box<[u8]>)>;

impl Files {
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

    /// Both directories are to be listed.
    pub(crate) fn forget_dirs(&mut self) {
        self.new.forget();
        self.cur.forget();
    }

    /// A message's file is in `cur/` now, under this name.
    pub(crate) fn moved_to_cur(&mut self, uid: u32, file_name: &[u8]) {
        let info = file_name.get(crate::name::base(file_name).len()..);
        let info = info.unwrap_or_default();
        if let Some(record) = self.record_mut(uid) {
            record.set_file(Place::Cur, info);
        }
    }

    /// A message has no file any more.
    pub(crate) fn removed(&mut self, uid: u32) {
        if let Some(record) = self.record_mut(uid) {
            record.clear_file();
            self.counted.remove(&uid);
        }
    }

    pub(crate) fn note_damage(&mut self, damage: &Damage) {
        if damage.needs_rewrite() {
            self.rewrite = Some(damage.first.map_or("cut short", |(_, why)| why));
        }
        self.uids_lost |= damage.uids_lost;
    }

    /// Does it pay to write the list anew, which has lines of messages that are gone? FORMATS.md §4.2.
    pub(crate) fn is_mostly_dead(&self, state: &State) -> bool {
        let living = usize::try_from(state.len()).unwrap_or(usize::MAX);
        let dead = self.records.len().saturating_sub(living);
        dead >= 8 && dead * 4 >= self.records.len()
    }

    /// For the index: how the directories look now, as far as we know, and the list, where the caller has
    /// just read or written it.
    pub(crate) fn header(&self, state: &State, list: Option<Stamp>) -> SyncHeader {
        let known = SyncHeader::of(state);
        let dir = |place| -> DirTimes {
            let times = self.stamp(place).times();
            times.unwrap_or_else(|| known.dir(place))
        };
        SyncHeader {
            new: dir(Place::New),
            cur: dir(Place::Cur),
            list: list.map_or(known.list, |stamp| ListTimes::of(stamp.mtime, stamp.size)),
        }
    }
}

/// UIDs of the set that an index has, ascending.
pub(crate) fn uids_in(state: &State, uids: &UidSet) -> Vec<u32> {
    let mut found = Vec::new();
    for &(first, last) in uids.ranges() {
        let mut seq = state.seq_at_least(first);
        while let Some(at) = seq
            && let Some(uid) = state.uid(at).filter(|uid| *uid <= last)
        {
            found.push(uid.get());
            seq = mailbox::Seq::new(at.get() + 1);
        }
    }
    found
}
