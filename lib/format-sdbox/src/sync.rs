//! Bringing files in line with the log, and the log with them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dbox::Place;
use index::log::record::FlagUpdate;
use index::state::{ExtSpec, State, field};
use index::{Index, IndexSync, Request, Transaction};
use index_view::{Backend, Removal, change};
use mailbox::{Error, Uid, UidSet};

use crate::sdbox::{Opened, Sdbox};

/// The flag of a message in ALT storage. FORMATS.md §1.1.
pub(crate) const IN_ALT: u8 = 0x40;

/// When dsync may take a mailbox for a renamed one. FORMATS.md §1.10.
const RENAMED: ExtSpec<'static> = ExtSpec {
    name: "last-rename-stamp",
    header_size: 4,
    record_size: 0,
    record_align: 4,
};

impl Sdbox {
    /// The state as it is on disk; what was asked for and not done yet is done first.
    pub(crate) fn synced(&self) -> Result<Arc<State>, Error> {
        let index = self.index()?;
        let state = index.refresh().map_err(|error| self.told(error))?;
        if !index.has_requests() {
            return Ok(state);
        }
        let done = index
            .begin_sync()
            .map_err(|error| self.told(error))
            .and_then(|sync| self.finish(sync));
        match done {
            Ok(()) => index.refresh().map_err(|error| self.told(error)),
            Err(Error::NotFound { mailbox }) => Err(Error::NotFound { mailbox }),
            // Who may only read, or cannot write just now, sees what there is.
            Err(error) => {
                tracing::warn!("{error}");
                Ok(state)
            }
        }
    }

    /// Does something with the log locked, and then whatever is asked for in it.
    pub(crate) fn locked<T>(
        &self,
        act: impl FnOnce(&mut IndexSync<'_>) -> Result<T, index::Error>,
    ) -> Result<T, Error> {
        let Opened { index, cached } = self.index_and_cache()?;
        let mut sync = index.begin_sync().map_err(|error| self.told(error))?;
        let result = act(&mut sync).map_err(|error| self.told(error))?;
        cached.tidy(&mut sync);
        self.finish(sync)?;
        Ok(result)
    }

    /// Does what is asked for in the log, and lets go of it.
    pub(crate) fn finish(&self, mut sync: IndexSync<'_>) -> Result<(), Error> {
        self.move_requested(&sync)?;
        let state = Arc::clone(sync.state());
        let expunges = sync.requests().expunges(&state);
        let mut fact = Transaction::external();
        let (mut gone, mut failed) = (Vec::new(), None);
        for (uid, guid) in expunges {
            let removed = Uid::new(uid).map_or(Ok(()), |uid| self.remove_files(&state, uid));
            match removed {
                Ok(()) => {
                    fact.expunge(uid, guid);
                    gone.extend(Uid::new(uid));
                }
                Err(error) => failed = Some(error),
            }
        }
        if !fact.is_empty() {
            sync.commit(&fact).map_err(|error| self.told(error))?;
            if let Some(cached) = self.cached() {
                cached.expunged(&state, gone);
            }
        }
        match failed {
            // The request stays where it is.
            Some(error) => Err(error),
            None => sync.finish().map(drop).map_err(|error| self.told(error)),
        }
    }

    /// Dovecot's altmove: a flag that somebody else is to act on.
    fn move_requested(&self, sync: &IndexSync<'_>) -> Result<(), Error> {
        let state = sync.state();
        for request in sync.requests().iter() {
            let Request::Flags(FlagUpdate {
                uids, add, remove, ..
            }) = request
            else {
                continue;
            };
            if (add | remove) & IN_ALT == 0 {
                continue;
            }
            let range = Uid::new(uids.first).zip(Uid::new(uids.last));
            let range = UidSet::from_ranges(range);
            for uid in change::removed(state, &range, Removal::All) {
                let flags = state.record_of(uid).map_or(0, |record| record.flags());
                let to = match flags & IN_ALT {
                    0 => Place::Primary,
                    _ => Place::Alt,
                };
                self.move_file(uid, to)?;
            }
        }
        Ok(())
    }

    /// Messages below `next` are `\Recent` to nobody else; tells since which UID they were.
    pub(crate) fn claim(&self, next: u32) -> Result<u32, Error> {
        self.locked(|sync| {
            let first = sync.state().header().first_recent_uid();
            if first < next {
                let mut transaction = Transaction::external();
                transaction.set_first_recent_uid(next);
                sync.commit(&transaction)?;
            }
            Ok(first)
        })
    }

    /// Removes what killed writers left, once a week and process. FORMATS.md §6.8. A failure hinders
    /// nothing.
    pub(crate) fn clean_once(&self, state: &State) {
        const WEEK: u32 = 7 * 24 * 60 * 60;
        let now = dbox::temp::now();
        let last = state.header().get(field::LAST_TEMP_SCAN);
        if self.is_clean.swap(true, Ordering::Relaxed) || now.saturating_sub(last) < WEEK {
            return;
        }
        for (_, dir) in self.places.dirs() {
            match dbox::temp::clean(&self.context.fs, dir) {
                Err(error) if !error.is_not_found() => return tracing::debug!("{error}"),
                _ => {}
            }
        }
        let done = self.locked(|sync| {
            let mut transaction = Transaction::external();
            transaction.set_header(field::LAST_TEMP_SCAN, now);
            sync.commit(&transaction).map(drop)
        });
        if let Err(error) = done {
            tracing::debug!("{error}");
        }
    }

    pub(crate) fn stamp_rename(&self) -> Result<(), Error> {
        self.locked(|sync| {
            let mut transaction = Transaction::external();
            let now = dbox::temp::now().to_le_bytes();
            transaction.extension(&RENAMED).set_header(0, &now);
            if let Some(listed) = &self.listed {
                listed.put_name(sync.state(), &mut transaction);
            }
            sync.commit(&transaction).map(drop)
        })
    }

    /// Without an index a mailbox is gone.
    pub(crate) fn told(&self, error: index::Error) -> Error {
        match error {
            index::Error::NotFound { .. } | index::Error::Deleted { .. } => {
                *self.index_slot() = None;
                self.not_found()
            }
            other => other.into(),
        }
    }

    /// The index, read at least once.
    pub(crate) fn index(&self) -> Result<Arc<Index>, Error> {
        Ok(self.index_and_cache()?.index)
    }

    pub(crate) fn index_and_cache(&self) -> Result<Opened, Error> {
        let mut slot = self.index_slot();
        if let Some(opened) = &*slot {
            return Ok(opened.clone());
        }
        let opened = self.opened(self.open_index()?);
        *slot = Some(opened.clone());
        Ok(opened)
    }
}
