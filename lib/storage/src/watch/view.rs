//! A view of any format, with somebody who tells of changes.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};

use mailbox::{
    Access, Change, Error, Expunges, FlagChange, FlagState, Keyword, Mail, Mailbox, MailboxName,
    ModSeq, Place, Seq, Status, Uid, UidSet,
};

use super::{File, Waiter, Watcher};

/// See the head of this file.
pub struct Watched {
    view: Box<dyn Mailbox>,
    watcher: Arc<Watcher>,
    /// What changes when the mailbox does.
    files: Vec<File>,
    /// There from the first wait on.
    waiter: OnceLock<Option<Arc<Waiter>>>,
}

impl Watched {
    /// Nothing is watched before somebody waits.
    #[must_use]
    pub fn new(view: Box<dyn Mailbox>, watcher: &Arc<Watcher>, place: &Place) -> Self {
        let log = place
            .index
            .as_ref()
            .map(|dir| dir.join("dovecot.index.log"));
        // A directory in the case of dbox: its name in its own directory changes when it goes.
        let paths = log.as_deref().into_iter().chain([place.mail.as_path()]);
        Self {
            view,
            watcher: Arc::clone(watcher),
            files: paths.filter_map(File::new).collect(),
            waiter: OnceLock::new(),
        }
    }
}

impl Mailbox for Watched {
    fn name(&self) -> &MailboxName {
        self.view.name()
    }

    fn access(&self) -> Access {
        self.view.access()
    }

    fn status(&self) -> Status {
        self.view.status()
    }

    fn first_unseen(&self) -> Option<Seq> {
        self.view.first_unseen()
    }

    fn keywords(&self) -> &[Keyword] {
        self.view.keywords()
    }

    fn accepts_new_keywords(&self) -> bool {
        self.view.accepts_new_keywords()
    }

    fn len(&self) -> u32 {
        self.view.len()
    }

    fn is_empty(&self) -> bool {
        self.view.is_empty()
    }

    fn uid(&self, seq: Seq) -> Option<Uid> {
        self.view.uid(seq)
    }

    fn seq(&self, uid: Uid) -> Option<Seq> {
        self.view.seq(uid)
    }

    fn seq_at_least(&self, uid: Uid) -> Option<Seq> {
        self.view.seq_at_least(uid)
    }

    fn flags(&self, seq: Seq) -> Option<FlagState> {
        self.view.flags(seq)
    }

    fn modseq(&self, seq: Seq) -> Option<ModSeq> {
        self.view.modseq(seq)
    }

    fn sync(&mut self, expunges: Expunges) -> Result<Vec<Change>, Error> {
        if let Some(Some(waiter)) = self.waiter.get() {
            waiter.clear();
        }
        self.view.sync(expunges)
    }

    fn mail(&mut self, seq: Seq) -> Result<Box<dyn Mail + '_>, Error> {
        self.view.mail(seq)
    }

    fn store_flags(&mut self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        self.view.store_flags(uids, change)
    }

    fn expunge(&mut self, within: Option<&UidSet>) -> Result<(), Error> {
        self.view.expunge(within)
    }

    fn remove(&mut self, uids: &UidSet) -> Result<(), Error> {
        self.view.remove(uids)
    }

    fn change_fd(&self) -> Option<BorrowedFd<'_>> {
        let waiter = self.waiter.get_or_init(|| {
            let made = Waiter::new();
            made.inspect_err(|error| tracing::warn!("eventfd failed: {error}"))
                .ok()
        });
        let waiter = waiter.as_ref()?;
        // Of the end of its watches it has been told.
        (self.watcher.join(&self.files, waiter) || waiter.is_woken()).then(|| waiter.as_fd())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self.view.as_any()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(Some(waiter)) = self.waiter.get() {
            self.watcher.leave(waiter);
        }
    }
}
