//! A session's frozen picture of a mailbox whose messages are those of its index.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};

use index::{CacheView, Cached, Changes, State};
use mailbox::{
    Access, Change, Error, Expunges, FlagChange, FlagState, Flags, Keyword, KeywordSet, Mail,
    Mailbox, MailboxName, ModSeq, Seq, Status, Uid, UidSet, UidValidity,
};

/// Which of some messages to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Those with `\Deleted`: EXPUNGE.
    Deleted,
    /// Whatever their flags: the second half of MOVE.
    All,
}

/// How a session hears of changes by others.
pub trait Waiter: AsFd + Send + Sync {
    /// Before the session looks: whoever wakes it from now on has done so after what it will see, or is
    /// seen.
    fn clear(&self);
}

/// One mailbox on disk, as its views use it.
pub trait Backend: Send + Sync + Sized + 'static {
    /// Of a session that waits.
    type Waiter: Waiter;

    /// The state as it is on disk now; a session that may write first does what others have asked for.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what cannot be read or written.
    fn sync(&self, access: Access) -> Result<Arc<State>, Error>;

    /// The same for a session that opens the mailbox: what others changed a moment ago is in it, however
    /// coarse clocks are.
    ///
    /// # Errors
    /// As [`Backend::sync`].
    fn first_sync(&self, access: Access) -> Result<Arc<State>, Error> {
        self.sync(access)
    }

    /// Messages below `next` are `\Recent` to no other session from now on; tells from which UID on they
    /// were until now.
    ///
    /// # Errors
    /// What cannot be written.
    fn claim_recent(&self, next: u32) -> Result<u32, Error>;

    /// A message of a state.
    ///
    /// # Errors
    /// [`Error::Expunged`]: it is not there, or names no message.
    fn mail<'v>(
        self: &'v Arc<Self>,
        state: &Arc<State>,
        seq: Seq,
    ) -> Result<Box<dyn Mail + 'v>, Error>;

    /// The same, with what is cached about it.
    ///
    /// # Errors
    /// As [`Backend::mail`].
    fn mail_cached<'v>(
        self: &'v Arc<Self>,
        state: &Arc<State>,
        seq: Seq,
        cache: &'v mut CacheView,
    ) -> Result<Box<dyn Mail + 'v>, Error> {
        let _ = cache;
        self.mail(state, seq)
    }

    /// The cache of the index; `None`: this mailbox has none.
    fn cached(&self) -> Option<Arc<Cached>> {
        None
    }

    /// Hears of changes from now on; `None`: nobody can tell, the session looks from time to time.
    fn waiter(&self) -> Option<Self::Waiter>;

    /// Does one still hear? Asked before each wait.
    fn keeps_awake(&self, waiter: &Self::Waiter) -> bool {
        let _ = waiter;
        true
    }

    /// The session has been told of this state.
    fn has_told(&self, waiter: &Self::Waiter, state: &Arc<State>) {
        let _ = (waiter, state);
    }

    /// As [`Mailbox::store_flags`].
    ///
    /// # Errors
    /// As there.
    fn store_flags(&self, uids: &UidSet, change: &FlagChange) -> Result<(), Error>;

    /// As [`Mailbox::expunge`] and [`Mailbox::remove`].
    ///
    /// # Errors
    /// As there.
    fn remove(&self, uids: &UidSet, which: Removal) -> Result<(), Error>;
}

/// An open mailbox. Many views share one [`Backend`].
pub struct View<B: Backend> {
    backend: Arc<B>,
    /// As the session calls it.
    name: MailboxName,
    access: Access,
    /// What is shown.
    state: Arc<State>,
    /// What was on disk at the last sync; other than `state` while expunges are held back.
    disk: Arc<State>,
    keywords: Vec<Keyword>,
    /// Where each of the state's keywords stands in `keywords`; a name that is no keyword nowhere.
    bits: Vec<Option<usize>>,
    /// UIDs that this session was the first to be told of: first and last.
    recent: Vec<(u32, u32)>,
    /// Of what is shown.
    cache: Option<CacheView>,
    /// There from the first wait on.
    waiter: OnceLock<Option<B::Waiter>>,
}

impl<B: Backend> View<B> {
    /// Opens a mailbox and takes its picture.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what cannot be read or written.
    pub fn open(backend: Arc<B>, name: MailboxName, access: Access) -> Result<Self, Error> {
        let state = backend.first_sync(access)?;
        let mut view = Self {
            backend,
            name,
            access,
            disk: Arc::clone(&state),
            state: Arc::clone(&state),
            keywords: Vec::new(),
            bits: Vec::new(),
            recent: Vec::new(),
            cache: None,
            waiter: OnceLock::new(),
        };
        view.take(state);
        Ok(view)
    }

    /// The mailbox that this is a view of.
    #[must_use]
    pub fn backend(&self) -> &Arc<B> {
        &self.backend
    }

    /// What the session sees.
    #[must_use]
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    fn take(&mut self, shown: Arc<State>) {
        self.take_recent(&shown);
        self.take_keywords(&shown);
        if let Some(mut old) = self.cache.take() {
            old.flush();
        }
        let cached = self.backend.cached();
        self.cache = cached.map(|cached| CacheView::new(&cached, &shown));
        self.state = shown;
    }

    /// A picture that only looks does not take \Recent from others, but shows it.
    fn take_recent(&mut self, shown: &State) {
        let next = shown.header().next_uid();
        let known = self.recent.last().map_or(0, |&(_, last)| last);
        let mut first = shown
            .header()
            .first_recent_uid()
            .max(known.saturating_add(1));
        if first < next && self.access == Access::ReadWrite {
            match self.backend.claim_recent(next) {
                Ok(claimed) => first = first.max(claimed),
                // A full disk must not keep anybody from reading.
                Err(error) => tracing::warn!("{}: {error}", self.name),
            }
        }
        if first < next {
            self.recent.push((first, next - 1));
        }
    }

    /// A keyword keeps its place in a session, whatever becomes of the index.
    fn take_keywords(&mut self, shown: &State) {
        self.bits.clear();
        for name in shown.keywords() {
            let bit = Keyword::new(name).ok().map(|keyword| {
                let known = self.keywords.iter().position(|known| *known == keyword);
                known.unwrap_or_else(|| {
                    self.keywords.push(keyword);
                    self.keywords.len() - 1
                })
            });
            self.bits.push(bit);
        }
    }

    fn is_recent(&self, uid: u32) -> bool {
        let after = self.recent.partition_point(|&(first, _)| first <= uid);
        let range = after.checked_sub(1).and_then(|at| self.recent.get(at));
        range.is_some_and(|&(_, last)| uid <= last)
    }

    fn recent(&self) -> u32 {
        let at_least = |uid: u32| {
            let seq = Uid::new(uid).and_then(|uid| self.state.seq_at_least(uid));
            seq.map_or(self.state.len() + 1, Seq::get)
        };
        let ranges = self.recent.iter();
        ranges
            .map(|&(first, last)| at_least(last.saturating_add(1)) - at_least(first))
            .sum()
    }

    fn must_write(&self) -> Result<(), Error> {
        match self.access {
            Access::ReadWrite | Access::Upkeep => Ok(()),
            Access::ReadOnly => Err(Error::NotPossible {
                why: "Mailbox is read-only",
            }),
        }
    }

    /// The changes as a session is told them.
    fn told(&self, changes: &Changes) -> Vec<Change> {
        let mut told = Vec::new();
        for (gone, &(seq, uid)) in (0..).zip(&changes.expunged) {
            if let (Some(seq), Some(uid)) = (Seq::new(seq.saturating_sub(gone)), Uid::new(uid)) {
                told.push(Change::Expunged { seq, uid });
            }
        }
        let changed = changes.changed.iter().filter_map(|&seq| Seq::new(seq));
        told.extend(changed.map(|seq| Change::Flags { seq }));
        if changes.appended > 0 {
            told.push(Change::Grown {
                messages: self.state.len(),
                recent: self.recent(),
            });
        }
        told
    }
}

impl<B: Backend> Mailbox for View<B> {
    fn name(&self) -> &MailboxName {
        &self.name
    }

    fn access(&self) -> Access {
        self.access
    }

    fn status(&self) -> Status {
        status_of(&self.state, self.recent())
    }

    fn first_unseen(&self) -> Option<Seq> {
        self.state.first_unseen()
    }

    fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    fn accepts_new_keywords(&self) -> bool {
        self.access == Access::ReadWrite
    }

    fn len(&self) -> u32 {
        self.state.len()
    }

    fn uid(&self, seq: Seq) -> Option<Uid> {
        self.state.uid(seq)
    }

    fn seq(&self, uid: Uid) -> Option<Seq> {
        self.state.seq(uid)
    }

    fn seq_at_least(&self, uid: Uid) -> Option<Seq> {
        self.state.seq_at_least(uid)
    }

    fn flags(&self, seq: Seq) -> Option<FlagState> {
        let record = self.state.record(seq)?;
        let mut flags = Flags::from_index_bits(record.flags());
        if self.is_recent(record.uid()) {
            flags = flags.with(Flags::RECENT);
        }
        let mut keywords = KeywordSet::default();
        for index in self.state.keyword_set(seq)?.iter() {
            if let Some(&Some(bit)) = self.bits.get(index) {
                keywords.insert(bit);
            }
        }
        Some(FlagState { flags, keywords })
    }

    fn modseq(&self, seq: Seq) -> Option<ModSeq> {
        ModSeq::new(self.state.modseq(seq)?)
    }

    fn sync(&mut self, expunges: Expunges) -> Result<Vec<Change>, Error> {
        let waiter = self.waiter.get().and_then(Option::as_ref);
        if let Some(waiter) = waiter {
            waiter.clear();
        }
        if let Some(cache) = &mut self.cache {
            cache.flush();
        }
        let now = self.backend.sync(self.access)?;
        if let Some(waiter) = waiter {
            self.backend.has_told(waiter, &now);
        }
        let is_held = !Arc::ptr_eq(&self.disk, &self.state);
        if Arc::ptr_eq(&now, &self.disk) && !(is_held && expunges == Expunges::Show) {
            return Ok(Vec::new());
        }
        if now.header().uid_validity() != self.state.header().uid_validity() {
            return Err(Error::NotPossible {
                why: "The mailbox was replaced by another one. Select it again.",
            });
        }
        let old = Arc::clone(&self.state);
        self.disk = Arc::clone(&now);
        let mut changes = now.changes_since(&old);
        if expunges == Expunges::Hold && !changes.expunged.is_empty() {
            let held = Arc::new(now.with_expunged_of(&old, &changes.expunged));
            changes = held.changes_since(&old);
            self.take(held);
        } else {
            self.take(now);
        }
        Ok(self.told(&changes))
    }

    fn mail(&mut self, seq: Seq) -> Result<Box<dyn Mail + '_>, Error> {
        match &mut self.cache {
            Some(cache) => self.backend.mail_cached(&self.state, seq, cache),
            None => self.backend.mail(&self.state, seq),
        }
    }

    fn store_flags(&mut self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        self.must_write()?;
        self.backend.store_flags(uids, change)
    }

    fn expunge(&mut self, within: Option<&UidSet>) -> Result<(), Error> {
        self.must_write()?;
        let all = UidSet::from_ranges([(Uid::MIN, Uid::MAX)]);
        self.backend
            .remove(within.unwrap_or(&all), Removal::Deleted)
    }

    fn remove(&mut self, uids: &UidSet) -> Result<(), Error> {
        self.must_write()?;
        self.backend.remove(uids, Removal::All)
    }

    fn change_fd(&self) -> Option<BorrowedFd<'_>> {
        let waiter = self.waiter.get_or_init(|| self.backend.waiter()).as_ref()?;
        self.backend.keeps_awake(waiter).then(|| waiter.as_fd())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl<B: Backend> Drop for View<B> {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.take() {
            cache.close();
        }
    }
}

/// Numbers of a state.
#[must_use]
pub fn status_of(state: &State, recent: u32) -> Status {
    let header = state.header();
    Status {
        messages: state.len(),
        recent,
        unseen: state.len().saturating_sub(state.seen()),
        uid_next: Uid::new(header.next_uid()).unwrap_or(Uid::MIN),
        uid_validity: UidValidity::new(header.uid_validity()).unwrap_or(UidValidity::MIN),
        highest_modseq: ModSeq::new(state.highest_modseq()),
    }
}
