//! Bringing the index in line with the files. FORMATS.md §4.4.
//!
//! Four `stat`s where nothing changed: the log, the list and both directories, as the index knows them. Else:
//! the uidlist's dotlock and the log's lock; the list, or what was appended to it; the directories that changed;
//! UIDs for what has none; and what was found goes into the log. Both locks, since Dovecot renames files with
//! the log's alone, and a listing passes over a file that is renamed meanwhile.

use std::sync::Arc;

use index::{IndexSync, State, Transaction};
use mailbox::Error;
use sys::fs::dotlock::Dotlock;

use crate::compare::{Compared, Stock, compare};
use crate::ext::SyncHeader;
use crate::files::Files;
use crate::maildir::Maildir;
use crate::open::{Kept, Opened, is_refused};
use crate::record::Record;
use crate::scan::{self, Extent, Stale};

/// The uidlist's lock, or why it could not be had.
type Locked<'l> = Result<&'l Dotlock, &'l Error>;

/// What a look at four files tells.
struct Look {
    state: Arc<State>,
    /// Is the list the one that the index knows?
    list: Known,
    stale: Stale,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

impl Look {
    fn is_settled(&self) -> bool {
        self.list == Known::Yes && self.stale == Stale::Nothing
    }
}

impl Maildir {
    /// The state as it is on disk now; what others have asked for and not done is done first.
    pub(crate) fn synced(&self) -> Result<Arc<State>, Error> {
        let mut files = self.files();
        let state = self.with_index(|opened| self.sync_with(&mut files, opened))?;
        self.tell(&mut files, &state);
        Ok(state)
    }

    fn sync_with(&self, files: &mut Files, opened: &Opened) -> Result<Arc<State>, Error> {
        let look = self.look(files, opened)?;
        if look.is_settled() && (files.gave_up || !opened.index.has_requests()) {
            return Ok(look.state);
        }
        match self.lock() {
            Ok(lock) => {
                self.return_to_disk();
                let opened = self.opened()?;
                match self.settle(files, (&opened, Ok(&lock))) {
                    Err(error) if is_refused(&error) && opened.kept == Kept::OnDisk => {
                        let opened = self.move_to_memory(&error)?;
                        // What is to be done is done on disk: to read is all that can be had now.
                        self.settle(files, (&opened, Err(&error)))
                    }
                    other => other,
                }
            }
            Err(error) if is_refused(&error) => self.only_read(files, opened, error),
            Err(error) => Err(error),
        }
    }

    /// What has no UID stays unseen; the index is ours alone.
    fn only_read(
        &self,
        files: &mut Files,
        opened: &Opened,
        why: Error,
    ) -> Result<Arc<State>, Error> {
        let opened = match opened.kept {
            Kept::OnDisk => self.move_to_memory(&why)?,
            Kept::InMemory | Kept::WhileFull => opened.clone(),
        };
        let state = self.settle(files, (&opened, Err(&why)))?;
        match state.header().uid_validity() {
            0 => Err(why),
            _ => Ok(state),
        }
    }

    /// Without the lock, what can be done by reading.
    pub(crate) fn settle(
        &self,
        files: &mut Files,
        (opened, lock): (&Opened, Locked<'_>),
    ) -> Result<Arc<State>, Error> {
        let look = self.look(files, opened)?;
        let is_asked = opened.index.has_requests() && lock.is_ok();
        if look.is_settled() && !is_asked {
            return Ok(look.state);
        }
        let begun = opened.index.begin_sync();
        let mut sync = begun.map_err(|error| self.told(error))?;
        let look = self.look_at(files, Arc::clone(sync.state()))?;
        if !look.is_settled() {
            let stock = self.take_stock(files, &look, lock)?;
            self.write_down(files, (&mut sync, opened), (stock, lock))?;
        }
        let done = match lock {
            Ok(lock) => self.perform(files, &mut sync, (opened, lock, &look.state)),
            Err(_) => Ok(()),
        };
        opened.cached.tidy(&mut sync);
        files.gave_up = done.is_err();
        if let Err(error) = done {
            tracing::warn!("{error}; what was asked for is to be done later");
            return Ok(Arc::clone(sync.state()));
        }
        if lock.is_err() {
            // Requests stay for who can do them.
            return Ok(Arc::clone(sync.state()));
        }
        sync.finish().map_err(|error| self.told(error))
    }

    fn look(&self, files: &mut Files, opened: &Opened) -> Result<Look, Error> {
        let state = self.refresh(opened)?;
        self.look_at(files, state)
    }

    fn look_at(&self, files: &mut Files, state: Arc<State>) -> Result<Look, Error> {
        let list = self.fs.stat_opt(&self.list_path())?;
        let known = SyncHeader::of(&state).list;
        let is_known =
            state.header().uid_validity() != 0 && list.is_some_and(|stat| known.is_of(&stat));
        let stale = scan::stale(self, files, &state).map_err(|error| self.gone(error))?;
        Ok(Look {
            state,
            list: if is_known { Known::Yes } else { Known::No },
            stale,
        })
    }

    /// Reads and lists what has changed; gives UIDs to what has none. `None`: no directory was listed.
    fn take_stock(
        &self,
        files: &mut Files,
        look: &Look,
        lock: Locked<'_>,
    ) -> Result<Option<Stock>, Error> {
        let state = &look.state;
        self.read_list(files, state)?;
        self.read_keywords(files)?;
        let stale = match files.rewrite.is_some() || !files.is_of(state) {
            // No line is dropped on what may be old.
            true => Stale::Both,
            false => look.stale,
        };
        let stale = match stale {
            Stale::Nothing if files.has_news(state) => Stale::Both,
            Stale::Nothing => return Ok(None),
            other => other,
        };
        let mut listed = self.scan(files, (state, stale))?;
        if listed.extent == Extent::New && files.has_lines_without_file(state) {
            listed = self.scan(files, (state, Stale::Both))?;
        }
        let lock = match lock {
            Ok(lock) => lock,
            Err(why) => {
                if !listed.findings.unknown.is_empty() {
                    tell_denied(files, why);
                }
                return Ok(Some(Stock {
                    extent: listed.extent,
                    given_from: files.next_uid,
                }));
            }
        };
        if !listed.findings.doubles.is_empty() && self.part_doubles(&listed.findings.doubles)? {
            listed = self.scan(files, (state, Stale::Both))?;
        }
        let is_sound = files.rewrite.is_none();
        let given_from = files.next_uid;
        match self.assign(files, listed.findings.unknown, lock) {
            Err(error) if is_sound && is_refused(&error) => {
                if error.is_disk_full() {
                    // They may get UIDs the next time.
                    files.forget_dirs();
                }
                tell_denied(files, &error);
            }
            other => other?,
        }
        Ok(Some(Stock {
            extent: listed.extent,
            given_from,
        }))
    }

    pub(crate) fn scan(
        &self,
        files: &mut Files,
        what: (&State, Stale),
    ) -> Result<scan::Listed, Error> {
        scan::scan(self, files, what).map_err(|error| self.gone(error))
    }

    /// Writes what was found into the index.
    fn write_down(
        &self,
        files: &mut Files,
        (sync, opened): (&mut IndexSync<'_>, &Opened),
        (stock, lock): (Option<Stock>, Locked<'_>),
    ) -> Result<(), Error> {
        let state = Arc::clone(sync.state());
        let is_of = files.is_of(&state);
        let base = match is_of {
            true => Arc::clone(&state),
            // Other UIDs: nothing of what it says counts.
            false => Arc::new(State::empty(state.header().index_id())),
        };
        let requested = sync.requests().changed(&base);
        let mut compared = match stock {
            Some(stock) => compare(files, (&base, requested.clone()), stock),
            None => Compared::default(),
        };
        if let (false, Ok(lock), Some(stock)) = (compared.returned.is_empty(), lock, stock) {
            self.give_new_uids(files, &compared.returned, lock)?;
            compared = compare(files, (&base, requested), stock);
        }
        let Compared {
            mut transaction,
            expunged,
            ..
        } = compared;
        self.put_header(files, &base, &mut transaction);
        if is_of {
            sync.commit(&transaction)
                .map_err(|error| self.told(error))?;
            opened.cached.expunged(&state, expunged);
        } else {
            let list = self.list_path();
            tracing::warn!(
                "{}: another uidvalidity: the index begins anew",
                list.display()
            );
            let begun = sync.start_over(&transaction);
            begun.map_err(|error| self.told(error))?;
        }
        Ok(())
    }

    fn put_header(&self, files: &Files, base: &State, transaction: &mut Transaction) {
        if base.header().uid_validity() == 0
            && let Some(validity) = files.uid_validity
        {
            transaction.set_uid_validity(validity.get());
        }
        let next = u32::try_from(files.next_uid).unwrap_or(u32::MAX);
        if next > base.header().next_uid() {
            transaction.set_next_uid(next);
        }
        let header = files.header(base, files.list_stamp);
        header.put(base, transaction);
    }
}

/// Once; it is the same at each look.
fn tell_denied(files: &mut Files, why: &Error) {
    if !std::mem::replace(&mut files.told_denied, true) {
        tracing::warn!("{why}; new messages cannot be shown");
    }
}

impl Files {
    /// Does an index tell of the same UIDs, or of none yet?
    fn is_of(&self, state: &State) -> bool {
        let theirs = state.header().uid_validity();
        theirs == 0 || self.uid_validity.is_some_and(|ours| ours.get() == theirs)
    }

    /// Are there lines that an index does not know?
    fn has_news(&self, state: &State) -> bool {
        !self.news(state).is_empty()
    }

    /// And without a file so far?
    fn has_lines_without_file(&self, state: &State) -> bool {
        self.news(state).iter().any(|record| !record.has_file())
    }

    fn news(&self, state: &State) -> &[Record] {
        let next = state.header().next_uid();
        let from = self.records.partition_point(|record| record.uid < next);
        self.records.get(from..).unwrap_or_default()
    }
}
