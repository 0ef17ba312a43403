//! Writing the uidlist: UIDs for new files, repair, and a new UIDVALIDITY where nothing else is
//! honest. The caller holds the dotlock and has read the list under it.

use mailbox::{Error, Guid, Uid};
use sys::fs::dotlock::Dotlock;

use crate::files::{Files, Unknown};
use crate::maildir::Maildir;
use crate::name;
use crate::record::Record;
use crate::uidlist::load::Stamp;
use crate::uidlist::write::Making;
use crate::uidlist::{self, write};

/// The first number that is no UID any more: the index must be able to tell a next one.
const NO_UID: u64 = u32::MAX as u64;

/// Which lines are dropped when a list is written anew.
#[derive(Clone, Copy)]
pub(crate) enum Keep<'s> {
    /// All were looked for: those without files are dead.
    WithFiles,
    /// Those that the index does not know are.
    InIndex(&'s index::State),
}

impl Maildir {
    /// Gives UIDs to `unknown`, which come by base name, in the order of their arrival, and repairs the list if it must be.
    ///
    /// Where the list cannot be written, nothing has a UID that is not on disk.
    pub(crate) fn assign(
        &self,
        files: &mut Files,
        mut unknown: Unknown,
        lock: &Dotlock,
    ) -> Result<(), Error> {
        let known = files.by_base();
        unknown.retain(|(_, file_name)| !known.contains_key(name::base(file_name)));
        // Among equals by base name, which is their order already.
        unknown.sort_by_cached_key(|(_, file_name)| name::arrival(file_name));
        self.make_room(files, unknown.len())?;
        let records = number(files.next_uid, unknown);
        if records.is_empty() && files.rewrite.is_none() {
            return Ok(());
        }
        self.add_records(files, records, lock)
    }

    /// Messages that were expunged and whose files came back are new ones.
    pub(crate) fn give_new_uids(
        &self,
        files: &mut Files,
        positions: &[usize],
        lock: &Dotlock,
    ) -> Result<(), Error> {
        let mut returned = Unknown::new();
        for record in positions.iter().filter_map(|&at| files.records.get(at)) {
            let (Some(file), Some(file_name)) = (record.file(), record.file_name()) else {
                continue;
            };
            let name = String::from_utf8_lossy(file_name);
            tracing::warn!("{name}: expunged as UID {} and back: a new UID", record.uid);
            returned.push((file.place, file_name.into()));
        }
        self.make_room(files, returned.len())?;
        let records = number(files.next_uid, returned);
        for &position in positions {
            if let Some(record) = files.records.get_mut(position) {
                record.clear_file();
            }
        }
        self.add_records(files, records, lock)
    }

    /// Makes sure that the next `count` UIDs exist and were never used.
    pub(crate) fn make_room(&self, files: &mut Files, count: usize) -> Result<(), Error> {
        let exhausted = files.next_uid + count as u64 > NO_UID;
        if files.uid_validity.is_some() && !files.uids_lost && !exhausted {
            return Ok(());
        }
        let new = self.uid_validities.next()?;
        if let Some(old) = files.uid_validity {
            let why = if exhausted {
                "UIDs are used up"
            } else {
                "UIDs would be used again"
            };
            let list = self.list_path();
            tracing::warn!("{}: {why}: uidvalidity {old} -> {new}", list.display());
        }
        files.uid_validity = Some(new);
        files.uids_lost = false;
        files.rewrite.get_or_insert("new uidvalidity");
        if exhausted {
            files.renumber();
        }
        Ok(())
    }

    /// Adds records, whose UIDs are the next ones, to the list on disk, then to the files.
    pub(crate) fn add_records(
        &self,
        files: &mut Files,
        records: Vec<Record>,
        _lock: &Dotlock,
    ) -> Result<(), Error> {
        let next = records
            .last()
            .map_or(files.next_uid, |last| u64::from(last.uid) + 1);
        match files.list_stamp {
            Some(stamp) if files.rewrite.is_none() => {
                self.append_lines(files, stamp.size, &records)?;
                files.records.extend(records);
            }
            _ => {
                files.records.extend(records);
                self.rewrite(files, next, Keep::WithFiles)?;
            }
        }
        files.next_uid = next;
        Ok(())
    }

    /// Adds lines to a list of `size` bytes, which was read, or need not have been.
    pub(crate) fn append_lines(
        &self,
        files: &mut Files,
        size: u64,
        records: &[Record],
    ) -> Result<Stamp, Error> {
        let (path, durability) = (self.list_path(), self.settings.durability);
        match write::append(&self.fs, &path, size, &lines(records), durability) {
            Ok((stamp, file)) => {
                if files.list_stamp.is_some() {
                    (files.list_stamp, files.list_file) = (Some(stamp), Some(file));
                }
                Ok(stamp)
            }
            Err(error) => {
                // Whatever is there now, we must read it before we add to it.
                files.list_stamp = None;
                Err(error.into())
            }
        }
    }

    /// Writes the whole list: header and living records.
    pub(crate) fn rewrite(
        &self,
        files: &mut Files,
        next: u64,
        keep: Keep<'_>,
    ) -> Result<(), Error> {
        let validity = files.uid_validity;
        let validity = validity.ok_or_else(|| self.corrupted("no uidvalidity"))?;
        let guid = *files.guid.get_or_insert_with(Guid::generate);
        files.records.retain(|record| match keep {
            Keep::WithFiles => record.has_file(),
            Keep::InIndex(state) => {
                Uid::new(record.uid).is_some_and(|uid| state.seq(uid).is_some())
            }
        });
        let header = uidlist::Header::encode(validity, next.min(NO_UID), guid, &files.header_extra);
        let content = std::iter::once(header).chain(files.records.chunks(AT_ONCE).map(lines));
        self.log_repair(files);
        let making = Making {
            mode: self.settings.file_mode,
            durability: self.settings.durability,
            later_than: None,
        };
        match write::replace(&self.fs, &self.list_path(), making, content) {
            Ok((stamp, file)) => {
                (files.list_stamp, files.list_file) = (Some(stamp), Some(file));
                files.rewrite = None;
                Ok(())
            }
            Err(error) => {
                files.list_stamp = None;
                Err(error.into())
            }
        }
    }

    fn log_repair(&self, files: &Files) {
        let list = self.list_path();
        match files.rewrite {
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

impl Files {
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
        self.counted.clear();
    }
}
