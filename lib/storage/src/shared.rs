//! What the sessions of one process share: each open mailbox once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use format_maildir::{Maildir, Place, Watcher};
use sys::fs::Fs;

/// Mailboxes that stay in memory after their last session: the next STATUS or delivery is quicker.
const KEPT: usize = 8;

/// One per worker process, or per test that plays several.
pub struct Shared {
    pub(crate) fs: Fs,
    /// Tells of changes by others, in all mailboxes.
    pub(crate) watcher: Arc<Watcher>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    known: HashMap<Place, Weak<Maildir>>,
    kept: VecDeque<Arc<Maildir>>,
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
            open: Mutex::default(),
        })
    }

    /// The mailbox at `place`; `make` is called for one that is not in memory.
    pub(crate) fn maildir(
        &self,
        place: Place,
        make: impl FnOnce(Place) -> Maildir,
    ) -> Arc<Maildir> {
        let mut open = self.open();
        let known = open.known.get(&place).and_then(Weak::upgrade);
        let maildir = known.unwrap_or_else(|| Arc::new(make(place.clone())));
        open.keep(&maildir);
        open.known.insert(place, Arc::downgrade(&maildir));
        maildir
    }

    /// The mailboxes at these places are no more what they were: sessions that wait there look.
    pub(crate) fn forget(&self, gone: impl Fn(&Place) -> bool) {
        let mut open = self.open();
        open.known.retain(|place, maildir| {
            let stays = !gone(place);
            if let Some(maildir) = maildir.upgrade().filter(|_| !stays) {
                maildir.wake();
            }
            stays
        });
        open.kept.retain(|maildir| !gone(maildir.place()));
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn keep(&mut self, maildir: &Arc<Maildir>) {
        self.kept.retain(|kept| !Arc::ptr_eq(kept, maildir));
        self.kept.push_back(Arc::clone(maildir));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
            self.known.retain(|_, maildir| maildir.strong_count() > 0);
        }
    }
}
