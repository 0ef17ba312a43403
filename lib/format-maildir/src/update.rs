//! Bringing the shared state up to date with the disk. FORMATS.md §4.4.
//!
//! Three `stat`s where nothing changed: the list and both directories. Else: the uidlist, or what was appended to it; the directories
//! that changed; and, if there are files without UIDs or the list needs repair, the dotlock and
//! everything once more, because others may have been quicker.

use std::collections::HashMap;

use mailbox::Error;
use sys::fs::dotlock::Dotlock;
use sys::fs::{FsError, FsResult};

use crate::keywords::Keywords;
use crate::maildir::Maildir;
use crate::record::{Place, Record};
use crate::scan::{self, Findings, Stale};
use crate::state::{Scanned, State};
use crate::uidlist::load::{self, Loaded, Stamp};
use crate::uidlist::{Header, Version};

/// No `dovecot-keywords` is larger.
const MAX_KEYWORDS_FILE: u64 = 1 << 20;

impl Maildir {
    /// Without the lock; takes it where something must be written.
    pub(crate) fn update(&self, state: &mut State) -> Result<(), Error> {
        let list_changed = self.read_list(state)?;
        let stale = self.stale(state)?;
        let nothing_new = !list_changed && stale == Stale::Nothing;
        // New names come with new letters, and those with new file names.
        if !nothing_new || state.has_unnamed_letters {
            self.read_keywords(state)?;
        }
        if nothing_new {
            return Ok(());
        }
        let found = self.scan(state, stale)?;
        if found.unknown.is_empty() && found.doubles.is_empty() && state.rewrite.is_none() {
            return Ok(());
        }
        match self.lock() {
            Ok(lock) => self.finish_update(state, Some(found), &lock),
            Err(error) if is_denied(&error) && state.uid_validity.is_some() => {
                // A mailbox that we may only read: what has no UID stays unseen.
                if !std::mem::replace(&mut state.told_denied, true) {
                    tracing::warn!("{error}; new messages cannot be shown");
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// With the lock, before a change.
    pub(crate) fn update_locked(&self, state: &mut State, lock: &Dotlock) -> Result<(), Error> {
        self.finish_update(state, None, lock)
    }

    /// With the lock, before messages are added: what is in the directories does not matter then.
    pub(crate) fn update_for_append(&self, state: &mut State, lock: &Dotlock) -> Result<(), Error> {
        self.read_list(state)?;
        if state.rewrite.is_some() {
            self.finish_update(state, None, lock)
        } else {
            Ok(())
        }
    }

    /// Whatever happened, look again: a file was not where we thought.
    pub(crate) fn rescan_locked(&self, state: &mut State, lock: &Dotlock) -> Result<(), Error> {
        state.cur.forget();
        self.finish_update(state, None, lock)
    }

    /// Files without UIDs get them, a broken list is repaired.
    fn finish_update(
        &self,
        state: &mut State,
        found: Option<Findings>,
        lock: &Dotlock,
    ) -> Result<(), Error> {
        let list_changed = self.read_list(state)?;
        let mut found = match found {
            Some(found) if !list_changed => found,
            old => {
                drop(old);
                let stale = self.stale(state)?;
                if !list_changed && stale == Stale::Nothing {
                    return Ok(());
                }
                self.read_keywords(state)?;
                self.scan(state, stale)?
            }
        };
        if !found.doubles.is_empty() && self.part_doubles(&found.doubles)? {
            found = self.scan(state, Stale::Both)?;
        }
        self.assign(state, found.unknown, lock)?;
        for place in Place::ALL {
            state.stamp_mut(place).strangers = false;
        }
        Ok(())
    }

    fn stale(&self, state: &mut State) -> Result<Stale, Error> {
        match state.rewrite {
            // No line is dropped on what may be old.
            Some(_) => Ok(Stale::Both),
            None => scan::stale(self, state).map_err(|error| self.gone(error)),
        }
    }

    pub(crate) fn scan(&self, state: &mut State, stale: Stale) -> Result<Findings, Error> {
        scan::scan(self, state, stale).map_err(|error| self.gone(error))
    }

    pub(crate) fn gone(&self, error: FsError) -> Error {
        if error.is_not_found() {
            self.not_found()
        } else {
            error.into()
        }
    }

    /// Reads the list if it changed; tells whether it did.
    fn read_list(&self, state: &mut State) -> Result<bool, Error> {
        let path = self.list_path();
        let now = self.fs.stat_opt(&path)?.as_ref().map(Stamp::of);
        if now.is_some() && now == state.list_stamp {
            return Ok(false);
        }
        if let Some(stamp) = state.list_stamp
            && state.rewrite.is_none()
            && let Some(more) = load::load_appended(&self.fs, &path, &stamp)?
            && accept_appended(state, more)
        {
            return Ok(true);
        }
        match load::load(&self.fs, &path)? {
            Some(loaded) => self.accept(state, loaded),
            None => {
                state.list_stamp = None;
                return Ok(state.rewrite.replace("missing") != Some("missing"));
            }
        }
        Ok(true)
    }

    /// Puts what was read in the place of what was known; files are found again by the next scan.
    fn accept(&self, state: &mut State, loaded: Loaded) {
        state.list_stamp = Some(loaded.stamp);
        state.list_file = Some(loaded.file);
        state.scanned = Scanned::Never;
        state.rewrite = None;
        state.uids_lost = false;
        let (version, header) = match loaded.header {
            Ok(header) => header,
            // What we know from before is better than nothing.
            Err(why) => return state.rewrite = Some(why),
        };
        state.note_damage(&loaded.damage);
        state.note_header(version, &header);
        let first_time = state.next_uid == 1 && state.records.is_empty();
        let same = header.uid_validity.is_none() || header.uid_validity == state.uid_validity;
        let records: Vec<Record> = loaded.entries.into_iter().map(Record::from).collect();
        let next = header.next_uid.min(1 << 32).max(loaded.after_last);
        if same && !first_time {
            // A list from a backup: UIDs that we gave out since must not come again.
            state.uids_lost |= reuses_uids(&state.records, &records);
            state.next_uid = state.next_uid.max(next);
        } else {
            state.next_uid = next;
            state.recent_from = next;
            state.counted.clear();
        }
        state.uid_validity = header.uid_validity.or(state.uid_validity);
        state.take_over(records);
        if state.uid_validity.is_none() || state.uids_lost {
            state.rewrite.get_or_insert("no uidvalidity");
        }
    }

    /// Reads the names of the letters if they changed.
    pub(crate) fn read_keywords(&self, state: &mut State) -> FsResult<()> {
        let path = self.keywords_path();
        let now = self.fs.stat_opt(&path)?.as_ref().map(Stamp::of);
        if now == state.keywords_stamp {
            return Ok(());
        }
        let bytes = self
            .fs
            .read_file_opt(&path, MAX_KEYWORDS_FILE)?
            .unwrap_or_default();
        let keywords = Keywords::decode(&bytes);
        state.keywords_stamp = now;
        if keywords != state.keywords {
            state.keywords = keywords;
            state.note_letters();
            state.changed();
        }
        Ok(())
    }
}

/// Adds appended lines; `false` where they do not fit, and the whole list must be read.
fn accept_appended(state: &mut State, more: Loaded) -> bool {
    let fits = more.damage.lines == 0
        && more
            .entries
            .first()
            .is_none_or(|first| u64::from(first.uid) >= state.next_uid);
    if fits {
        state.list_stamp = Some(more.stamp);
        state.list_file = Some(more.file);
        if !more.entries.is_empty() && state.scanned == Scanned::Yes {
            state.scanned = Scanned::BeforeLines;
        }
        state.next_uid = state.next_uid.max(more.after_last);
        state
            .records
            .extend(more.entries.into_iter().map(Record::from));
        state.changed();
    }
    fits
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

fn is_denied(error: &Error) -> bool {
    matches!(error, Error::Syscall { source, .. } if matches!(
        source.kind(),
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
    ))
}

impl State {
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
        self.changed();
    }
}
