//! A session's frozen picture of a mailbox: a state of its index.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use index::{CacheView, Changes, State};
use mailbox::{
    Access, Change, Error, Expunges, FlagChange, FlagState, Flags, Keyword, KeywordSet, Mail,
    Mailbox, MailboxName, ModSeq, Seq, Status, Uid, UidSet, UidValidity,
};

use crate::change::Removal;
use crate::mail::MboxMail;
use crate::mbox::Mbox;

/// An open mailbox. Dropped, it writes flags that only the index has into the file.
pub struct View {
    mbox: Arc<Mbox>,
    /// As the session calls it.
    name: MailboxName,
    access: Access,
    /// What is shown.
    shown: Arc<State>,
    /// What was on disk at the last sync; another one while expunges are held back.
    disk: Arc<State>,
    keywords: Vec<Keyword>,
    /// Where each keyword of the index stands in `keywords`; what is no keyword nowhere.
    places: Vec<Option<usize>>,
    /// What is cached about `shown`.
    cache: Option<CacheView>,
    /// First and last UIDs of what this session was the first to be told of, ascending.
    recent: Vec<(u32, u32)>,
}

impl View {
    /// Opens a mailbox and takes its picture.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what cannot be read or written.
    pub fn open(mbox: Arc<Mbox>, name: MailboxName, access: Access) -> Result<Self, Error> {
        mbox.check_once()?;
        let disk = match access {
            Access::ReadWrite | Access::Upkeep => mbox.synced_with_requests()?,
            Access::ReadOnly => mbox.synced()?,
        };
        let mut view = Self {
            mbox,
            name,
            access,
            shown: Arc::clone(&disk),
            disk: Arc::clone(&disk),
            keywords: Vec::new(),
            places: Vec::new(),
            cache: None,
            recent: Vec::new(),
        };
        view.show(disk);
        Ok(view)
    }

    fn show(&mut self, state: Arc<State>) {
        self.take_recent(&state);
        self.places = state
            .keywords()
            .iter()
            .map(|name| self.place(name))
            .collect();
        if let Some(mut old) = self.cache.take() {
            old.flush();
        }
        let opened = self.mbox.opened().ok();
        self.cache = opened.map(|opened| CacheView::new(&opened.cached, &state));
        self.shown = state;
    }

    /// A keyword keeps its place as long as the session lasts.
    fn place(&mut self, name: &str) -> Option<usize> {
        let keyword = Keyword::new(name).ok()?;
        let known = self.keywords.iter().position(|known| *known == keyword);
        Some(known.unwrap_or_else(|| {
            self.keywords.push(keyword);
            self.keywords.len() - 1
        }))
    }

    /// Who only looks leaves `\Recent` to others.
    fn take_recent(&mut self, state: &State) {
        let next = state.header().next_uid();
        let behind = self
            .recent
            .last()
            .map_or(1, |(_, last)| last.saturating_add(1));
        let mut first = state.header().first_recent_uid().max(behind);
        if first < next && self.access == Access::ReadWrite {
            match self.mbox.claim_recent(next) {
                Ok(claimed) => first = first.max(claimed),
                // A full disk keeps nobody from reading.
                Err(error) => tracing::warn!("{}: {error}", self.name),
            }
        }
        if first < next {
            self.recent.push((first, next - 1));
        }
    }

    fn is_recent(&self, uid: u32) -> bool {
        let behind = self.recent.partition_point(|(first, _)| *first <= uid);
        let range = behind.checked_sub(1).and_then(|at| self.recent.get(at));
        range.is_some_and(|(_, last)| uid <= *last)
    }

    fn recent(&self) -> u32 {
        let before = |uid: u32| {
            let seq = Uid::new(uid).and_then(|uid| self.shown.seq_at_least(uid));
            seq.map_or(self.shown.len(), |seq| seq.get() - 1)
        };
        let counts = self.recent.iter();
        counts
            .map(|(first, last)| before(last.saturating_add(1)) - before(*first))
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

    fn told(&self, changes: &Changes) -> Vec<Change> {
        let mut told = Vec::new();
        for (gone, (seq, uid)) in (0..).zip(&changes.expunged) {
            if let (Some(seq), Some(uid)) = (Seq::new(seq.saturating_sub(gone)), Uid::new(*uid)) {
                told.push(Change::Expunged { seq, uid });
            }
        }
        let changed = changes.changed.iter().filter_map(|seq| Seq::new(*seq));
        told.extend(changed.map(|seq| Change::Flags { seq }));
        if changes.appended > 0 {
            told.push(Change::Grown {
                messages: self.shown.len(),
                recent: self.recent(),
            });
        }
        told
    }
}

impl Mailbox for View {
    fn name(&self) -> &MailboxName {
        &self.name
    }

    fn access(&self) -> Access {
        self.access
    }

    fn status(&self) -> Status {
        status_of(&self.shown, self.recent())
    }

    fn first_unseen(&self) -> Option<Seq> {
        self.shown.first_unseen()
    }

    fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    fn accepts_new_keywords(&self) -> bool {
        self.access == Access::ReadWrite
    }

    fn len(&self) -> u32 {
        self.shown.len()
    }

    fn uid(&self, seq: Seq) -> Option<Uid> {
        self.shown.uid(seq)
    }

    fn seq(&self, uid: Uid) -> Option<Seq> {
        self.shown.seq(uid)
    }

    fn seq_at_least(&self, uid: Uid) -> Option<Seq> {
        self.shown.seq_at_least(uid)
    }

    fn flags(&self, seq: Seq) -> Option<FlagState> {
        let record = self.shown.record(seq)?;
        let stored = Flags::from_index_bits(record.flags());
        let flags = match self.is_recent(record.uid()) {
            true => stored.with(Flags::RECENT),
            false => stored,
        };
        let mut keywords = KeywordSet::default();
        for bit in self.shown.keyword_set(seq)?.iter() {
            if let Some(Some(place)) = self.places.get(bit) {
                keywords.insert(*place);
            }
        }
        Some(FlagState { flags, keywords })
    }

    fn modseq(&self, seq: Seq) -> Option<ModSeq> {
        ModSeq::new(self.shown.modseq(seq)?)
    }

    fn sync(&mut self, expunges: Expunges) -> Result<Vec<Change>, Error> {
        if let Some(cache) = &mut self.cache {
            cache.flush();
        }
        let now = self.mbox.synced()?;
        let is_held = !Arc::ptr_eq(&self.disk, &self.shown);
        if Arc::ptr_eq(&now, &self.disk) && !(is_held && expunges == Expunges::Show) {
            return Ok(Vec::new());
        }
        if now.header().uid_validity() != self.shown.header().uid_validity() {
            return Err(Error::NotPossible {
                why: "The mailbox was replaced by another one. Select it again.",
            });
        }
        let before = Arc::clone(&self.shown);
        self.disk = Arc::clone(&now);
        let mut changes = now.changes_since(&before);
        if expunges == Expunges::Hold && !changes.expunged.is_empty() {
            let held = Arc::new(now.with_expunged_of(&before, &changes.expunged));
            changes = held.changes_since(&before);
            self.show(held);
        } else {
            self.show(now);
        }
        Ok(self.told(&changes))
    }

    fn mail(&mut self, seq: Seq) -> Result<Box<dyn Mail + '_>, Error> {
        let mail = MboxMail::new(&self.mbox, (&self.shown, seq), self.cache.as_mut())?;
        Ok(Box::new(mail))
    }

    fn store_flags(&mut self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        self.must_write()?;
        self.mbox.change_flags(uids, change)
    }

    fn expunge(&mut self, within: Option<&UidSet>) -> Result<(), Error> {
        self.must_write()?;
        let all = UidSet::from_ranges([(Uid::MIN, Uid::MAX)]);
        self.mbox.remove(within.unwrap_or(&all), Removal::Deleted)
    }

    fn remove(&mut self, uids: &UidSet) -> Result<(), Error> {
        self.must_write()?;
        self.mbox.remove(uids, Removal::All)
    }

    fn change_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.take() {
            cache.close();
        }
        if self.access != Access::ReadOnly {
            self.mbox.close();
        }
    }
}

/// Numbers of a state.
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
