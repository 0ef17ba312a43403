//! Changing flags, keywords, and removing messages. All under the uidlist's dotlock, which Dovecot
//! takes for the same (FORMATS.md §4.2).

use std::path::PathBuf;

use mailbox::{Error, FlagChange, Flags, Keyword, UidSet};
use sys::fs::dotlock::{self, Dotlock, DotlockError};
use sys::fs::{FsError, join};

use crate::maildir::Maildir;
use crate::name::{self, Letters};
use crate::record::{File, Place, Record};
use crate::stamp::OwnChange;
use crate::state::State;

/// What is done to one message.
enum Act {
    Rename { to: Vec<u8> },
    Remove,
}

/// A flag change with its keywords as letters.
#[derive(Clone, Copy)]
enum Edit {
    Add(Flags, Letters),
    Remove(Flags, Letters),
    Replace(Flags, Letters),
}

impl Edit {
    fn apply(self, flags: Flags, letters: Letters) -> (Flags, Letters) {
        match self {
            Self::Add(f, l) => (flags.with(f), Letters(letters.0 | l.0)),
            Self::Remove(f, l) => (flags.without(f), Letters(letters.0 & !l.0)),
            Self::Replace(f, l) => (f, l),
        }
    }
}

impl Maildir {
    /// Changes flags and keywords of the messages that are there.
    ///
    /// # Errors
    /// [`Error::Limit`] when a 27th keyword is asked for; else the failed call. Some messages may
    /// have been changed.
    pub fn store_flags(&self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        let mut state = self.state();
        let lock = self.lock()?;
        self.update_locked(&mut state, &lock)?;
        let affected = state.uids_in(uids);
        if affected.is_empty() {
            return Ok(());
        }
        let edit = self.edit(&mut state, change, &lock)?;
        self.act(&mut state, &affected, &lock, |record, file| {
            let (flags, letters) = edit.apply(file.flags, file.letters);
            if (flags, letters) == (file.flags, file.letters) {
                return None;
            }
            let to = name::with_flags(record.file_name()?, flags, letters);
            Some(Act::Rename { to })
        })
    }

    /// Removes messages that have `\Deleted`, or whatever their flags.
    ///
    /// # Errors
    /// The failed call. Some messages may have been removed.
    pub fn remove(&self, uids: &UidSet, only: Removal) -> Result<(), Error> {
        let mut state = self.state();
        let lock = self.lock()?;
        self.update_locked(&mut state, &lock)?;
        let affected = state.uids_in(uids);
        self.act(&mut state, &affected, &lock, |_, file| {
            let removed = only == Removal::All || file.flags.contains(Flags::DELETED);
            removed.then_some(Act::Remove)
        })
    }

    /// Moves what is in `new/` to `cur/`: the messages were seen (FORMATS.md §4.1).
    pub(crate) fn claim_new(&self, state: &mut State) -> Result<(), Error> {
        state.recent_from = state.next_uid;
        let new: Vec<u32> = state
            .messages()
            .filter(|(_, file)| file.place == Place::New)
            .map(|(record, _)| record.uid)
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut own = OwnChange::after_update();
        for uid in new {
            let Some(record) = state.record(uid) else {
                continue;
            };
            let Some(from) = record.path(self.dir()) else {
                continue;
            };
            let to = match record.file_name() {
                Some(name) if record.info().is_empty() => [name, b":2,"].concat(),
                Some(name) => name.to_vec(),
                None => continue,
            };
            own.will_touch(Place::New);
            own.will_touch(Place::Cur);
            match self.move_file(&from, &join(&self.dir().join("cur"), &to)) {
                Ok(()) => state.moved_to_cur(uid, &to),
                // Another process was quicker: the next scan finds the file.
                Err(error) if error.is_not_found() => state.cur.forget(),
                Err(error) if error.is_denied() => break,
                Err(error) => return Err(error.into()),
            }
        }
        own.end(self, state);
        Ok(())
    }

    fn act(
        &self,
        state: &mut State,
        uids: &[u32],
        lock: &Dotlock,
        decide: impl Fn(&Record, File) -> Option<Act>,
    ) -> Result<(), Error> {
        let mut own = OwnChange::after_update();
        let mut done = 0_usize;
        let result = uids.iter().try_for_each(|&uid| {
            let acted = match self.act_once(state, uid, &mut own, &decide) {
                Err(error) if error.is_not_found() => {
                    self.rescan_locked(state, lock)?;
                    self.act_once(state, uid, &mut own, &decide)
                }
                other => other,
            };
            done += usize::from(acted?);
            Ok::<_, Error>(())
        });
        own.end(self, state);
        if done > 0 {
            // What was done stays done even if the rest failed: make it last.
            self.settings
                .durability
                .sync_dir(&self.fs, &self.dir().join("cur"))?;
            if result.is_ok() && state.is_mostly_dead() {
                self.rewrite(state, state.next_uid)?;
            }
        }
        result
    }

    fn act_once(
        &self,
        state: &mut State,
        uid: u32,
        own: &mut OwnChange,
        decide: &impl Fn(&Record, File) -> Option<Act>,
    ) -> Result<bool, FsError> {
        let Some(record) = state.record(uid) else {
            return Ok(false);
        };
        let Some(file) = record.file() else {
            return Ok(false);
        };
        let Some(act) = decide(record, file) else {
            return Ok(false);
        };
        own.will_touch(file.place);
        let from: PathBuf = record.path(self.dir()).unwrap_or_default();
        match act {
            Act::Rename { to } => {
                own.will_touch(Place::Cur);
                self.move_file(&from, &join(&self.dir().join("cur"), &to))?;
                state.moved_to_cur(uid, &to);
            }
            Act::Remove => {
                self.remove_file(&from)?;
                state.removed(uid);
            }
        }
        Ok(true)
    }

    fn edit(&self, state: &mut State, change: &FlagChange, lock: &Dotlock) -> Result<Edit, Error> {
        let storable = |flags: Flags| Flags::from_index_bits(flags.index_bits());
        Ok(match change {
            FlagChange::Add(flags, keywords) => {
                Edit::Add(storable(*flags), self.letters(state, keywords, lock)?)
            }
            FlagChange::Replace(flags, keywords) => {
                Edit::Replace(storable(*flags), self.letters(state, keywords, lock)?)
            }
            FlagChange::Remove(flags, keywords) => {
                if !keywords.is_empty() {
                    self.read_keywords(state)?;
                }
                let known = keywords
                    .iter()
                    .filter_map(|keyword| state.keywords.index(keyword));
                let letters = known.fold(0, |letters, index| letters | 1 << index);
                Edit::Remove(storable(*flags), Letters(letters))
            }
        })
    }

    fn letters(
        &self,
        state: &mut State,
        keywords: &[Keyword],
        lock: &Dotlock,
    ) -> Result<Letters, Error> {
        let (letters, left_out) = self.letters_that_fit(state, keywords, lock)?;
        if left_out {
            return Err(Error::Limit {
                what: "Too many keywords in this mailbox",
            });
        }
        Ok(letters)
    }

    /// Letters of keywords; new ones are written down first. Tells whether there was no room for some.
    pub(crate) fn letters_that_fit(
        &self,
        state: &mut State,
        keywords: &[Keyword],
        _lock: &Dotlock,
    ) -> Result<(Letters, bool), Error> {
        if keywords.is_empty() {
            return Ok((Letters::default(), false));
        }
        self.read_keywords(state)?;
        let mut changed = state.keywords.clone();
        let mut letters = Letters::default();
        let mut left_out = false;
        for keyword in keywords {
            match changed.index_or_add(keyword) {
                Some(index) => letters.0 |= 1 << index,
                None => left_out = true,
            }
        }
        if changed != state.keywords {
            self.write_keywords(&changed)?;
            state.keywords = changed;
            state.note_letters();
            // Read again at the next occasion: it costs less than to be wrong.
            state.keywords_stamp = None;
            state.changed();
        }
        Ok((letters, left_out))
    }

    fn write_keywords(&self, keywords: &crate::keywords::Keywords) -> Result<(), Error> {
        /// Held for milliseconds, and only by owners of the uidlist's lock.
        const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);
        let path = self.keywords_path();
        dotlock::replace(&self.fs, &path, TIMEOUT, || {
            Ok::<_, DotlockError>(Some(keywords.encode()))
        })?;
        Ok(self
            .settings
            .durability
            .sync_dir(&self.fs, &self.place.control)?)
    }
}

/// Which messages [`Maildir::remove`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Those with `\Deleted`.
    Deleted,
    /// All.
    All,
}

impl State {
    /// UIDs of the set that have messages, ascending.
    pub(crate) fn uids_in(&self, uids: &UidSet) -> Vec<u32> {
        let mut found = Vec::new();
        for &(first, last) in uids.ranges() {
            let start = self
                .records
                .partition_point(|record| record.uid < first.get());
            let in_range = self.records.get(start..).unwrap_or_default().iter();
            let in_range = in_range.take_while(|record| record.uid <= last.get());
            found.extend(in_range.filter(|r| r.has_file()).map(|record| record.uid));
        }
        found
    }
}
