//! Changing flags, keywords, and removing messages: asked of the index first, then done to the files; who
//! finds a request that was not done does it (FORMATS.md §1.2). All under the uidlist's dotlock, which
//! Dovecot takes for the same (§4.2), and the log's lock.

use std::collections::HashMap;

use index::{State, Transaction};
use index_view::change;
use mailbox::{Error, FlagChange, UidSet};
use sys::fs::{FsResult, join};

use crate::files::Files;
use crate::maildir::Maildir;
use crate::open::{Kept, Opened, is_denied};
use crate::record::Place;
use crate::scan;
use crate::stamp::OwnChange;

pub use index_view::Removal;

impl Maildir {
    /// Changes flags and keywords of the messages that are there.
    ///
    /// # Errors
    /// The failed call. Some messages may have been changed.
    pub fn store_flags(&self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        self.ask(|state| change::flags(state, uids, change))
    }

    /// Removes messages that have `\Deleted`, or whatever their flags.
    ///
    /// # Errors
    /// The failed call. Some messages may have been removed.
    pub fn remove(&self, uids: &UidSet, only: Removal) -> Result<(), Error> {
        self.ask(|state| {
            let mut request = Transaction::internal();
            for uid in change::removed(state, uids, only) {
                request.expunge(uid.get(), [0; 16]);
            }
            request
        })
    }

    /// Asks the index, which says then what the files say, and does it.
    fn ask(&self, request: impl Fn(&State) -> Transaction) -> Result<(), Error> {
        let mut files = self.files();
        let lock = self.lock()?;
        self.return_to_disk();
        let state = self.with_index(|opened| {
            let files = &mut files;
            let mut attempt = |opened: &Opened| {
                self.settle(files, (opened, Ok(&lock)))?;
                let begun = opened.index.begin_sync();
                let mut sync = begun.map_err(|error| self.told(error))?;
                let before = std::sync::Arc::clone(sync.state());
                let request = request(&before);
                if request.is_empty() {
                    return Ok(before);
                }
                sync.commit(&request).map_err(|error| self.told(error))?;
                self.perform(files, &mut sync, (opened, &lock, &before))?;
                opened.cached.tidy(&mut sync);
                sync.finish().map_err(|error| self.told(error))
            };
            match attempt(opened) {
                Err(error) if is_denied(&error) && opened.kept == Kept::OnDisk => {
                    attempt(&self.move_to_memory(&error)?)
                }
                other => other,
            }
        })?;
        drop(lock);
        self.tell(&mut files, &state);
        Ok(())
    }

    /// Messages below `next` are `\Recent` to no other session from now on, and their files are in `cur/`
    /// (FORMATS.md §4.1); tells since which UID they were.
    pub(crate) fn claim(&self, next: u32) -> Result<u32, Error> {
        let mut files = self.files();
        self.with_index(|opened| {
            let state = self.refresh(opened)?;
            scan::stale(self, &mut files, &state).map_err(|error| self.gone(error))?;
            self.read_list(&mut files, &state)?;
            let begun = opened.index.begin_sync();
            let mut sync = begun.map_err(|error| self.told(error))?;
            let state = std::sync::Arc::clone(sync.state());
            // Who lists the directories now has the lock, and is not disturbed.
            self.claim_new(&mut files)?;
            let first = state.header().first_recent_uid();
            let mut transaction = Transaction::external();
            if first < next {
                transaction.set_first_recent_uid(next);
            }
            files.header(&state, None).put(&state, &mut transaction);
            sync.commit(&transaction)
                .map_err(|error| self.told(error))?;
            Ok(first)
        })
    }

    /// Moves what is in `new/` and has a UID to `cur/`.
    fn claim_new(&self, files: &mut Files) -> Result<(), Error> {
        if !files.new.is_listed() {
            self.find_new(files).map_err(|error| self.gone(error))?;
        }
        let new = files.records.iter().filter_map(|record| {
            let is_new = record.file()?.place == Place::New;
            is_new.then(|| Some((record.uid, record.file_name()?.to_vec())))?
        });
        let new: Vec<(u32, Vec<u8>)> = new.collect();
        if new.is_empty() {
            return Ok(());
        }
        let own = OwnChange::begin(self, files, Place::ALL)?;
        for (uid, name) in new {
            let from = join(&self.dir().join("new"), &name);
            let to = match crate::name::base(&name).len() == name.len() {
                true => [&name, &b":2,"[..]].concat(),
                false => name,
            };
            match self.move_file(&from, &join(&self.dir().join("cur"), &to)) {
                Ok(()) => files.moved_to_cur(uid, &to),
                // Another process was quicker: the next scan finds the file.
                Err(error) if error.is_not_found() => files.cur.forget(),
                Err(error) if error.is_denied() => break,
                Err(error) => {
                    own.end(self, files);
                    return Err(error.into());
                }
            }
        }
        own.end(self, files);
        Ok(())
    }

    /// Lists `new/` for the names of known messages.
    fn find_new(&self, files: &mut Files) -> FsResult<()> {
        let mut names = HashMap::new();
        scan::each_message(self, Place::New, |name| {
            names.insert(crate::name::base(name).to_vec(), name.to_vec());
        })?;
        // The newest are the last.
        for record in files.records.iter_mut().rev() {
            if names.is_empty() {
                break;
            }
            if let Some(name) = names.remove(record.base()) {
                record.set_file(
                    Place::New,
                    name.get(record.base().len()..).unwrap_or_default(),
                );
            }
        }
        Ok(())
    }
}
