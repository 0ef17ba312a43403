//! Writing the uidlist: UIDs for new files, repair, and a new UIDVALIDITY where nothing else is
//! honest. The caller holds the dotlock and has read the list under it.

use mailbox::{Error, Guid};
use sys::fs::dotlock::Dotlock;

use crate::maildir::Maildir;
use crate::name;
use crate::record::Record;
use crate::scan::Stale;
use crate::state::{Scanned, State, Unknown};
use crate::uidlist::load::Stamp;
use crate::uidlist::{self, write};

/// The first number that is no UID any more.
const NO_UID: u64 = 1 << 32;

impl Maildir {
    /// Gives UIDs to `unknown`, which come by base name, in the order of their arrival, and repairs the list if it must be.
    ///
    /// Where the list cannot be written, nothing has a UID that is not on disk.
    pub(crate) fn assign(
        &self,
        state: &mut State,
        mut unknown: Unknown,
        lock: &Dotlock,
    ) -> Result<(), Error> {
        let known = state.by_base();
        unknown.retain(|(_, file_name)| !known.contains_key(name::base(file_name)));
        // Among equals by base name, which is their order already.
        unknown.sort_by_cached_key(|(_, file_name)| name::arrival(file_name));
        self.make_room(state, unknown.len())?;
        let records = number(state.next_uid, unknown);
        if records.is_empty() && state.rewrite.is_none() {
            return Ok(());
        }
        self.add_records(state, records, lock)
    }

    /// Makes sure that the next `count` UIDs exist and were never used.
    pub(crate) fn make_room(&self, state: &mut State, count: usize) -> Result<(), Error> {
        let exhausted = state.next_uid + count as u64 > NO_UID;
        if state.uid_validity.is_some() && !state.uids_lost && !exhausted {
            return Ok(());
        }
        let new = self.uid_validities.next()?;
        if let Some(old) = state.uid_validity {
            let why = if exhausted {
                "UIDs are used up"
            } else {
                "UIDs would be used again"
            };
            let list = self.list_path();
            tracing::warn!("{}: {why}: uidvalidity {old} -> {new}", list.display());
        }
        state.uid_validity = Some(new);
        state.uids_lost = false;
        state.rewrite.get_or_insert("new uidvalidity");
        if exhausted {
            self.must_be_scanned(state)?;
            state.renumber();
        }
        state.changed();
        Ok(())
    }

    /// Adds records, whose UIDs are the next ones, to the list on disk, then to the state.
    pub(crate) fn add_records(
        &self,
        state: &mut State,
        records: Vec<Record>,
        _lock: &Dotlock,
    ) -> Result<(), Error> {
        let next = records
            .last()
            .map_or(state.next_uid, |last| u64::from(last.uid) + 1);
        match state.list_stamp {
            Some(stamp) if state.rewrite.is_none() && !state.is_mostly_dead() => {
                self.append(state, stamp, &records)?;
                state.records.extend(records);
            }
            _ => {
                state.records.extend(records);
                self.rewrite(state, next)?;
            }
        }
        state.next_uid = next;
        state.changed();
        Ok(())
    }

    fn append(&self, state: &mut State, stamp: Stamp, records: &[Record]) -> Result<(), Error> {
        let (path, durability) = (self.list_path(), self.settings.durability);
        match write::append(&self.fs, &path, stamp.size, &lines(records), durability) {
            Ok((stamp, file)) => {
                (state.list_stamp, state.list_file) = (Some(stamp), Some(file));
                Ok(())
            }
            Err(error) => {
                // Whatever is there now, we must read it before we add to it.
                state.list_stamp = None;
                Err(error.into())
            }
        }
    }

    /// Writes the whole list: header and living records.
    pub(crate) fn rewrite(&self, state: &mut State, next: u64) -> Result<(), Error> {
        self.must_be_scanned(state)?;
        let validity = self.uid_validity(state)?;
        let guid = *state.guid.get_or_insert_with(Guid::generate);
        state.records.retain(Record::has_file);
        let header =
            uidlist::Header::encode(validity, next.min(NO_UID - 1), guid, &state.header_extra);
        let content = std::iter::once(header).chain(state.records.chunks(AT_ONCE).map(lines));
        self.log_repair(state);
        let (path, mode) = (self.list_path(), self.settings.file_mode);
        match write::replace(&self.fs, &path, mode, content, self.settings.durability) {
            Ok((stamp, file)) => {
                (state.list_stamp, state.list_file) = (Some(stamp), Some(file));
                state.rewrite = None;
                Ok(())
            }
            Err(error) => {
                state.list_stamp = None;
                Err(error.into())
            }
        }
    }

    /// Before lines are dropped: which ones are dead is known only then.
    fn must_be_scanned(&self, state: &mut State) -> Result<(), Error> {
        if state.scanned != Scanned::Yes {
            self.scan(state, Stale::Both)?;
        }
        Ok(())
    }

    fn log_repair(&self, state: &State) {
        let list = self.list_path();
        match state.rewrite {
            None | Some("missing" | "new uidvalidity") => {}
            Some(why @ ("version 1" | "no guid")) => {
                tracing::info!("{}: {why}, written anew", list.display());
            }
            Some(why) => tracing::warn!("{}: {why}, repaired", list.display()),
        }
    }
}

/// So many lines are in memory when a list is written.
const AT_ONCE: usize = 1000;

fn lines(records: &[Record]) -> Vec<u8> {
    let mut lines = Vec::new();
    for record in records {
        uidlist::encode_entry(record.uid, record.extra(), record.base(), &mut lines);
    }
    lines
}

fn number(next: u64, unknown: Unknown) -> Vec<Record> {
    let uids = next..NO_UID;
    let numbered = uids.zip(unknown);
    numbered
        .filter_map(|(uid, (place, file_name))| {
            let uid = u32::try_from(uid).ok()?;
            Some(Record::of_file(uid, place, file_name))
        })
        .collect()
}

impl State {
    /// UIDs from 1, under a new UIDVALIDITY.
    fn renumber(&mut self) {
        self.records.retain(Record::has_file);
        for (uid, record) in (1..).zip(&mut self.records) {
            record.uid = uid;
        }
        self.next_uid = self
            .records
            .last()
            .map_or(1, |last| u64::from(last.uid) + 1);
        self.recent_from = self.next_uid;
        self.counted.clear();
    }
}
