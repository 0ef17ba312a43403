//! Reading `dovecot-uidlist` and `dovecot-keywords` when they have changed.

use std::collections::HashMap;

use index::State;
use mailbox::{Error, Guid};
use sys::fs::FsResult;

use crate::files::Files;
use crate::keywords::Keywords;
use crate::maildir::Maildir;
use crate::record::Record;
use crate::uidlist::load::{self, Loaded, Stamp};
use crate::uidlist::{Header, Version};

/// No `dovecot-keywords` is larger.
const MAX_KEYWORDS_FILE: u64 = 1 << 20;

impl Maildir {
    /// Reads the list if it changed since it was last read.
    pub(crate) fn read_list(&self, files: &mut Files, state: &State) -> Result<(), Error> {
        let path = self.list_path();
        let now = self.fs.stat_opt(&path)?.as_ref().map(Stamp::of);
        if now.is_some() && now == files.list_stamp {
            return Ok(());
        }
        if let Some(stamp) = files.list_stamp
            && files.rewrite.is_none()
            && let Some(more) = load::load_appended(&self.fs, &path, &stamp)?
            && accept_appended(files, more)
        {
            return Ok(());
        }
        match load::load(&self.fs, &path)? {
            Some(loaded) => accept(files, loaded),
            None => {
                files.list_stamp = None;
                files.rewrite = Some("missing");
            }
        }
        trust_index(files, state);
        Ok(())
    }

    /// Reads the names of the letters if they changed.
    pub(crate) fn read_keywords(&self, files: &mut Files) -> FsResult<()> {
        let path = self.keywords_path();
        let now = self.fs.stat_opt(&path)?.as_ref().map(Stamp::of);
        if now == files.keywords_stamp {
            return Ok(());
        }
        let bytes = self
            .fs
            .read_file_opt(&path, MAX_KEYWORDS_FILE)?
            .unwrap_or_default();
        files.keywords = Keywords::decode(&bytes);
        files.keywords_stamp = now;
        Ok(())
    }

    /// The mailbox's GUID; reads no more than the list's header.
    pub(crate) fn read_guid(&self) -> Result<Guid, Error> {
        let header = load::header(&self.fs, &self.list_path())?;
        let guid = header.and_then(|header| header.guid);
        guid.ok_or_else(|| self.corrupted("no mailbox guid"))
    }
}

/// Adds appended lines; `false` where they do not fit, and the whole list must be read.
fn accept_appended(files: &mut Files, more: Loaded) -> bool {
    let fits = more.damage.lines == 0
        && more
            .entries
            .first()
            .is_none_or(|first| u64::from(first.uid) >= files.next_uid);
    if fits {
        files.list_stamp = Some(more.stamp);
        files.list_file = Some(more.file);
        files.next_uid = files.next_uid.max(more.after_last);
        let records = more.entries.into_iter().map(Record::from);
        files.records.extend(records);
    }
    fits
}

/// Puts what was read in the place of what was known; files are found again by the next scan.
fn accept(files: &mut Files, loaded: Loaded) {
    files.list_stamp = Some(loaded.stamp);
    files.list_file = Some(loaded.file);
    files.rewrite = None;
    files.uids_lost = false;
    let (version, header) = match loaded.header {
        Ok(header) => header,
        // What we know from before is better than nothing.
        Err(why) => return files.rewrite = Some(why),
    };
    files.note_damage(&loaded.damage);
    files.note_header(version, &header);
    let first_time = files.next_uid == 1 && files.records.is_empty();
    let same = header.uid_validity.is_none() || header.uid_validity == files.uid_validity;
    let records: Vec<Record> = loaded.entries.into_iter().map(Record::from).collect();
    let next = header.next_uid.min(1 << 32).max(loaded.after_last);
    if same && !first_time {
        // A list from a backup: UIDs that we gave out since must not come again.
        files.uids_lost |= reuses_uids(&files.records, &records);
        files.next_uid = files.next_uid.max(next);
    } else {
        files.next_uid = next;
        files.counted.clear();
    }
    files.uid_validity = header.uid_validity.or(files.uid_validity);
    files.take_over(records);
    if files.uids_lost {
        files.rewrite.get_or_insert("UIDs of other messages");
    }
}

/// Where the list does not tell what comes next, the index may: no UID comes twice.
fn trust_index(files: &mut Files, state: &State) {
    let header = state.header();
    let validity = mailbox::UidValidity::new(header.uid_validity());
    if files.uid_validity.is_none() {
        files.uid_validity = validity;
        if files.uid_validity.is_some() {
            // What was given out is all below.
            files.uids_lost = false;
        }
        files.rewrite.get_or_insert("no uidvalidity");
    }
    if files.uid_validity == validity {
        files.next_uid = files.next_uid.max(header.next_uid().into());
    }
}

/// Does a UID that we knew now belong to another file?
fn reuses_uids(old: &[Record], new: &[Record]) -> bool {
    let mut old = old.iter().peekable();
    new.iter().any(|record| {
        while old.next_if(|old| old.uid < record.uid).is_some() {}
        old.peek()
            .is_some_and(|old| old.uid == record.uid && old.base() != record.base())
    })
}

impl Files {
    fn note_header(&mut self, version: Version, header: &Header) {
        if version == Version::V1 {
            self.rewrite.get_or_insert("version 1");
        }
        if header.guid.is_none() {
            self.rewrite.get_or_insert("no guid");
        }
        self.guid = header.guid.or(self.guid);
        self.header_extra.clone_from(&header.extra);
    }

    /// New records, each with the file that was known for its base name.
    fn take_over(&mut self, mut records: Vec<Record>) {
        let mut old = std::mem::take(&mut self.records).into_iter().peekable();
        // Lists are mostly rewritten without their dead lines: the same message has the same UID.
        let mut elsewhere = HashMap::new();
        let mut strays = Vec::new();
        for (position, record) in records.iter_mut().enumerate() {
            while let Some(gone) = old.next_if(|old| old.uid < record.uid) {
                elsewhere.insert(gone.base().to_vec(), gone);
            }
            match old.next_if(|old| old.uid == record.uid) {
                Some(same) if same.base() == record.base() => record.take_file(&same),
                Some(other) => {
                    elsewhere.insert(other.base().to_vec(), other);
                    strays.push(position);
                }
                None => strays.push(position),
            }
        }
        elsewhere.extend(old.map(|old| (old.base().to_vec(), old)));
        for position in strays {
            if let Some(record) = records.get_mut(position)
                && let Some(old) = elsewhere.remove(record.base())
            {
                record.take_file(&old);
            }
        }
        self.records = records;
    }
}
