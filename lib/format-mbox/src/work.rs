//! The file locked, and the index behind it: everything that changes either begins here.
//!
//! Order of locks: the file, then the index's log (FORMATS.md §1.6). Who locks the file for writing first
//! completes a rewrite and cuts off a message that somebody died over.

use std::sync::Arc;

use index::{Index, IndexSync, State, Transaction};
use mailbox::{Error, Uid, UidSet};
use sys::fs::Stat;

use crate::ext::{DIRTY, SyncHeader};
use crate::lock::{Locked, Purpose};
use crate::mbox::{Mbox, Opened};
use crate::scan::{Next, Scanner};
use crate::settings::{Settings, Syncs};
use crate::update::{Extent, Update, Updated, not_mbox, with_guid};

/// A mailbox with both locks.
pub struct Work<'w> {
    pub(crate) mbox: &'w Mbox,
    pub(crate) locked: Locked,
    pub(crate) sync: IndexSync<'w>,
}

impl Mbox {
    /// The state as it is on disk now.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what cannot be read or written.
    pub(crate) fn synced(&self) -> Result<Arc<State>, Error> {
        if let Some(state) = self.unchanged()? {
            return Ok(state);
        }
        self.work(&self.settings, |work| work.settle(Extent::Tail))
    }

    /// The same, and what others have asked the index for is done.
    ///
    /// # Errors
    /// As [`Mbox::synced`].
    pub(crate) fn synced_with_requests(&self) -> Result<Arc<State>, Error> {
        let state = self.synced()?;
        let Opened { index, cached } = self.opened()?;
        let is_asked = index.begin_sync().map(|mut sync| {
            cached.tidy(&mut sync);
            !sync.requests().is_empty()
        });
        match is_asked {
            Ok(true) => self.work(&self.settings, |work| work.settle(Extent::Tail)),
            // An index that cannot be written can still be read.
            Ok(false) | Err(_) => Ok(state),
        }
    }

    /// The state, if neither file nor index wants anything done.
    fn unchanged(&self) -> Result<Option<Arc<State>>, Error> {
        let stat = self
            .context
            .fs
            .stat(self.path())
            .map_err(|error| self.gone(error))?;
        if self.journal().exists()? {
            return Ok(None);
        }
        let state = match self.with_index(|index| Ok(index.refresh()?)) {
            Err(error) if is_deleted(&error) => return Ok(None),
            other => other?,
        };
        let header = SyncHeader::of(&state);
        let is_same = header.matches(&stat) && is_complete(&state, &header);
        // Requests of a Dovecot that died are seen to when somebody writes next.
        Ok(is_same.then_some(state))
    }

    /// Does something under both locks.
    ///
    /// # Errors
    /// What `act` returned; locks that were not had.
    pub(crate) fn work<T>(
        &self,
        settings: &Settings,
        act: impl FnOnce(&mut Work<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _turn = self.turn();
        let locked = self.lock(settings)?;
        let index = self.index()?;
        let sync = match index.begin_sync() {
            Ok(sync) => sync,
            Err(index::Error::Deleted { .. } | index::Error::NotFound { .. }) => {
                self.forget_index();
                return self.work_anew(locked, act);
            }
            Err(error) => return Err(error.into()),
        };
        let work = Work {
            mbox: self,
            locked,
            sync,
        };
        run(work, act)
    }

    fn work_anew<T>(
        &self,
        locked: Locked,
        act: impl FnOnce(&mut Work<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.must_exist()?;
        let index: Arc<Index> = self.index()?;
        let sync = index.begin_sync()?;
        let work = Work {
            mbox: self,
            locked,
            sync,
        };
        run(work, act)
    }

    /// Locks the file for writing, or for reading where it cannot be written.
    fn lock(&self, settings: &Settings) -> Result<Locked, Error> {
        let fs = &self.context.fs;
        let written = Locked::acquire(fs, self.path(), settings, Purpose::Write);
        let locked = match written {
            Err(error) if error.is_denied() => {
                Locked::acquire(fs, self.path(), settings, Purpose::Read)
            }
            other => other,
        };
        let locked = locked.map_err(|error| match error {
            error if crate::mbox::is_not_found(&error) => self.not_found(),
            error => error,
        })?;
        if locked.purpose() == Purpose::Write {
            self.journal().recover(locked.file())?;
        }
        Ok(locked)
    }
}

/// `finish` moves the tail of the log, so it is called only when all went well.
fn run<T>(
    mut work: Work<'_>,
    act: impl FnOnce(&mut Work<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    work.tell_of_rewrite()?;
    let done = act(&mut work)?;
    work.sync.finish()?;
    Ok(done)
}

impl Work<'_> {
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(self.sync.state())
    }

    pub(crate) fn can_write(&self) -> bool {
        self.locked.purpose() == Purpose::Write
    }

    pub(crate) fn must_write(&self) -> Result<(), Error> {
        if self.can_write() {
            return Ok(());
        }
        Err(Error::NotPossible {
            why: "Mailbox is read-only",
        })
    }

    /// Whoever died over a rewrite did not tell the index, or not its disk.
    fn tell_of_rewrite(&mut self) -> Result<(), Error> {
        let journal = self.mbox.journal();
        if self.can_write() && journal.exists()? {
            self.distrust()?;
            journal.remove()?;
        }
        Ok(())
    }

    /// Brings index and file in line, and does what others have asked the index for.
    pub(crate) fn settle(&mut self, extent: Extent) -> Result<Arc<State>, Error> {
        self.update(extent)?;
        let expunges = self.sync.requests().expunges(&self.state());
        if !expunges.is_empty() && self.can_write() {
            let uids = expunges
                .iter()
                .filter_map(|(uid, _)| Uid::new(*uid))
                .collect();
            self.flush(&uids)?;
        }
        Ok(self.state())
    }

    /// Brings the index in line with the file.
    pub(crate) fn update(&mut self, extent: Extent) -> Result<(), Error> {
        let state = self.state();
        let header = SyncHeader::of(&state);
        let stat = self.without_unfinished(&header)?;
        let requested = self.sync.requests().changed(&state);
        let wants_all = extent == Extent::All && self.mbox.settings.syncs != Syncs::VeryDirty;
        let is_same = header.matches(&stat) && is_complete(&state, &header);
        if is_same && !(wants_all && header.is_dirty) {
            let uids: UidSet = requested.iter().filter_map(|uid| Uid::new(*uid)).collect();
            let mut transaction = Transaction::external();
            transaction.update_flags(&uids, DIRTY, 0);
            self.sync.commit(&transaction)?;
            return Ok(());
        }
        let tail_will_do = !wants_all
            && self.mbox.settings.syncs != Syncs::Clean
            && header.size > 0
            && stat.size > header.size;
        let extent = if tail_will_do {
            Extent::Tail
        } else {
            Extent::All
        };
        let (updated, extent) = self.compare(&state, &requested, (extent, stat.size))?;
        self.write_down(updated, &header, extent)
    }

    /// The file as it is now, without a message that somebody died over right behind what we know.
    fn without_unfinished(&self, header: &SyncHeader) -> Result<Stat, Error> {
        let file = self.locked.file();
        let stat = file.stat()?;
        if stat.size > header.size && self.can_write() {
            let mut scanner = Scanner::new(file, stat.size, self.mbox.settings.md5);
            let behind = header.size.saturating_sub(1);
            let found = scanner.at_separator(behind).map_err(not_mbox)?;
            if found == Some(Next::Unfinished(header.size)) {
                return self.cut(header.size);
            }
        }
        Ok(stat)
    }

    fn cut(&self, size: u64) -> Result<Stat, Error> {
        let file = self.locked.file();
        tracing::warn!(
            "{}: a message that was not finished is cut off",
            file.path().display()
        );
        file.truncate(size)?;
        Ok(file.stat()?)
    }

    fn compare(
        &self,
        state: &State,
        requested: &[u32],
        (extent, size): (Extent, u64),
    ) -> Result<(Updated, Extent), Error> {
        let mut extents = [Extent::Tail, Extent::All].into_iter();
        for extent in extents
            .by_ref()
            .filter(|step| extent == Extent::Tail || *step == extent)
        {
            let mut scanner = Scanner::new(self.locked.file(), size, self.mbox.settings.md5);
            let update = Update::new(state, requested.iter().copied());
            if let Some(updated) = update.run(&mut scanner, extent)? {
                return Ok((updated, extent));
            }
        }
        // All of a file can always be read.
        Err(Error::NotPossible {
            why: "Mailbox isn't a valid mbox file",
        })
    }

    fn write_down(
        &mut self,
        updated: Updated,
        header: &SyncHeader,
        extent: Extent,
    ) -> Result<(), Error> {
        let Updated {
            mut transaction,
            uid_validity,
            unfinished,
        } = updated;
        let mut stat = self.locked.file().stat()?;
        if let Some(at) = unfinished {
            if self.can_write() {
                stat = self.cut(at)?;
            } else {
                stat.size = at;
            }
        }
        if self.sync.state().header().uid_validity() == 0 {
            let known = uid_validity.map(Ok);
            let made = || self.mbox.context.uid_validities.next().map(|new| new.get());
            transaction.set_uid_validity(known.unwrap_or_else(made)?);
        }
        let is_dirty = extent == Extent::Tail;
        let header = with_guid(SyncHeader {
            is_dirty,
            ..header.with(&stat)
        });
        if header != SyncHeader::of(self.sync.state()) {
            header.put(&mut transaction);
        }
        self.sync.commit(&transaction)?;
        Ok(())
    }
}

fn is_complete(state: &State, header: &SyncHeader) -> bool {
    header.guid != [0; 16] && state.header().uid_validity() != 0
}

fn is_deleted(error: &Error) -> bool {
    crate::mbox::is_not_found(error)
}
