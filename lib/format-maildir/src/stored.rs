//! A Maildir as storage knows it, and as its views use it.

use std::any::Any;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use index::{CacheView, Cached, State};
use index_view::{Backend, Removal, View};
use mailbox::{
    Access, Copied, Error, FlagChange, Guid, Mail, Mailbox, MailboxName, Mark, Place, Save, Seq,
    Stamp, Status, StoredMailbox, UidSet, Update, copy_by_saving,
};

use crate::audience::{Audience, Waiter};
use crate::copy::copy;
use crate::mail::MaildirMail;
use crate::maildir::Maildir;
use crate::save::Saving;
use crate::stamp;
use crate::watch::Watcher;

/// A session that hears of changes; no more when it is dropped.
pub struct Listener {
    waiter: Arc<Waiter>,
    watcher: Arc<Watcher>,
    audience: Arc<Audience>,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waiter.as_fd()
    }
}

impl index_view::Waiter for Listener {
    fn clear(&self) {
        self.waiter.clear();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.watcher.leave(&self.audience, &self.waiter);
    }
}

impl Backend for Maildir {
    type Waiter = Listener;

    fn sync(&self, access: Access) -> Result<Arc<State>, Error> {
        let state = self.synced()?;
        if access == Access::ReadWrite {
            self.clean_once(&mut self.files());
        }
        Ok(state)
    }

    fn first_sync(&self, access: Access) -> Result<Arc<State>, Error> {
        {
            let mut files = self.files();
            files.new.doubt();
            files.cur.doubt();
        }
        self.sync(access)
    }

    fn claim_recent(&self, next: u32) -> Result<u32, Error> {
        self.claim(next)
    }

    fn mail<'v>(
        self: &'v Arc<Self>,
        state: &Arc<State>,
        seq: Seq,
    ) -> Result<Box<dyn Mail + 'v>, Error> {
        Ok(Box::new(MaildirMail::new(self, (state, seq), None)?))
    }

    fn mail_cached<'v>(
        self: &'v Arc<Self>,
        state: &Arc<State>,
        seq: Seq,
        cache: &'v mut CacheView,
    ) -> Result<Box<dyn Mail + 'v>, Error> {
        Ok(Box::new(MaildirMail::new(self, (state, seq), Some(cache))?))
    }

    fn cached(&self) -> Option<Arc<Cached>> {
        let slot = self.slot();
        slot.as_ref().map(|opened| Arc::clone(&opened.cached))
    }

    fn waiter(&self) -> Option<Listener> {
        let waiter = Waiter::new();
        let waiter = waiter.inspect_err(|error| tracing::warn!("eventfd failed: {error}"));
        Some(Listener {
            waiter: waiter.ok()?,
            watcher: Arc::clone(&self.watcher),
            audience: Arc::clone(&self.audience),
        })
    }

    /// Of the end of its watches it has been told.
    fn keeps_awake(&self, listener: &Listener) -> bool {
        listener.waiter.stop_looking();
        self.join(&listener.waiter) || listener.waiter.is_woken()
    }

    fn has_told(&self, listener: &Listener, state: &Arc<State>) {
        let files = self.files();
        let told = files.told.as_ref();
        let is_last = told.is_some_and(|told| Arc::ptr_eq(told, state));
        listener
            .waiter
            .has_seen(is_last.then_some(files.generation));
    }

    fn store_flags(&self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        self.store_flags(uids, change)
    }

    fn remove(&self, uids: &UidSet, which: Removal) -> Result<(), Error> {
        self.remove(uids, which)
    }
}

impl StoredMailbox for Maildir {
    fn place(&self) -> &Place {
        self.place()
    }

    fn name(&self) -> &MailboxName {
        self.name()
    }

    fn exists(&self) -> Result<bool, Error> {
        self.is_there()
    }

    fn create(&self) -> Result<(), Error> {
        self.make()
    }

    fn guid(&self) -> Result<Guid, Error> {
        self.guid()
    }

    fn status(&self) -> Result<Status, Error> {
        self.status()
    }

    fn stamp(&self) -> Result<Option<Stamp>, Error> {
        let index = self.place.index.as_deref();
        let Some(mut told) = index::list::stamp(&self.fs, index)? else {
            return Ok(None);
        };
        let mut numbers = [0; 2];
        for (number, dir) in numbers.iter_mut().zip(["new", "cur"]) {
            let stat = self.fs.stat(&self.dir().join(dir));
            let stat = stat.map_err(|error| self.gone(error))?;
            if stamp::is_fresh(&stat) {
                return Ok(None);
            }
            *number = index::list::seconds(&stat);
        }
        let name = "maildir";
        told.marks.push(Mark { name, numbers });
        Ok(Some(told))
    }

    fn open(
        self: Arc<Self>,
        name: &MailboxName,
        access: Access,
    ) -> Result<Box<dyn Mailbox>, Error> {
        Ok(Box::new(View::open(self, name.clone(), access)?))
    }

    fn begin_save(self: Arc<Self>) -> Result<Box<dyn Save>, Error> {
        Ok(Box::new(Saving::begin(self)))
    }

    fn copy_from(self: Arc<Self>, from: &mut dyn Mailbox, uids: &UidSet) -> Result<Copied, Error> {
        match from.as_any().downcast_ref::<View<Self>>() {
            Some(view) => copy(view.backend(), uids, &self),
            None => copy_by_saving(from, uids, self.begin_save()?),
        }
    }

    fn update(&self, update: &Update) -> Result<(), Error> {
        self.change_identity(update)
    }

    fn prepare_delete(&self) -> Result<(), Error> {
        self.mark_deleted()
    }

    fn note_rename(&self) -> Result<(), Error> {
        self.stamp_rename()
    }

    fn wake(&self) {
        self.wake();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
