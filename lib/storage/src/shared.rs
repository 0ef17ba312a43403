//! What the sessions of one process share: each open mailbox once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use format_maildir::Watcher;
use format_mdbox::Dirs;
use mailbox::{Error, Place, StoredMailbox};
use sys::fs::Fs;

use crate::list::index::{Kept, ListIndex};

/// Mailboxes that stay in memory after their last session: the next STATUS or delivery is quicker.
const KEPT: usize = 8;

/// One per worker process, or per test that plays several.
pub struct Shared {
    pub(crate) fs: Fs,
    /// Tells of changes by others, in all mailboxes.
    pub(crate) watcher: Arc<Watcher>,
    /// The same for formats that do not tell.
    pub(crate) changes: Arc<crate::watch::Watcher>,
    open: Mutex<Open>,
    /// Maps of mdbox mailboxes, one for each place.
    mdboxes: Mutex<Vec<Arc<format_mdbox::Storage>>>,
    /// Indexes of lists, one for each place.
    lists: Mutex<Vec<Arc<ListIndex>>>,
}

#[derive(Default)]
struct Open {
    known: HashMap<Place, Weak<dyn StoredMailbox>>,
    kept: VecDeque<Arc<dyn StoredMailbox>>,
}

impl Shared {
    /// Nothing open yet. Learns what only a process that is not yet confined can: the time zone, and
    /// what tells its locks from those of the dead. Make one (and drop it) before.
    #[must_use]
    pub fn new(fs: Fs) -> Arc<Self> {
        let _ = mailbox::MailDate::local(0);
        sys::fs::dotlock::know_oneself();
        Arc::new(Self {
            fs,
            watcher: Watcher::new(),
            changes: Arc::default(),
            open: Mutex::default(),
            mdboxes: Mutex::default(),
            lists: Mutex::default(),
        })
    }

    /// The mailbox at `place`; `make` is called for one that is not in memory.
    pub(crate) fn mailbox(
        &self,
        place: Place,
        make: impl FnOnce(Place) -> Result<Arc<dyn StoredMailbox>, Error>,
    ) -> Result<Arc<dyn StoredMailbox>, Error> {
        let mut open = self.open();
        let mailbox = match open.known.get(&place).and_then(Weak::upgrade) {
            Some(known) => known,
            None => make(place.clone())?,
        };
        open.keep(&mailbox);
        open.known.insert(place, Arc::downgrade(&mailbox));
        Ok(mailbox)
    }

    /// The mailboxes at these places are no more what they were: sessions that wait there look.
    pub(crate) fn forget(&self, gone: impl Fn(&Place) -> bool) {
        let mut open = self.open();
        open.known.retain(|place, mailbox| {
            let stays = !gone(place);
            if let Some(mailbox) = mailbox.upgrade().filter(|_| !stays) {
                mailbox.wake();
            }
            stays
        });
        open.kept.retain(|mailbox| !gone(mailbox.place()));
    }

    /// The messages of all mailboxes at `dirs`; `make` is called once.
    pub(crate) fn mdbox(
        &self,
        dirs: &Dirs,
        make: impl FnOnce(Dirs) -> format_mdbox::Storage,
    ) -> Arc<format_mdbox::Storage> {
        let mut mdboxes = self.mdboxes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = mdboxes.iter().find(|known| known.dirs() == dirs) {
            return Arc::clone(known);
        }
        let made = Arc::new(make(dirs.clone()));
        mdboxes.push(Arc::clone(&made));
        made
    }

    /// The index of the list that is kept so.
    pub(crate) fn list_index(&self, kept: Kept) -> Arc<ListIndex> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lists.iter().find(|known| *known.kept() == kept) {
            return Arc::clone(known);
        }
        let made = Arc::new(ListIndex::new(self.fs.locking_by(kept.locks), kept));
        lists.push(Arc::clone(&made));
        made
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn keep(&mut self, mailbox: &Arc<dyn StoredMailbox>) {
        self.kept.retain(|kept| kept.place() != mailbox.place());
        self.kept.push_back(Arc::clone(mailbox));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
            self.known.retain(|_, mailbox| mailbox.strong_count() > 0);
        }
    }
}
