//! A session's frozen picture of a mailbox.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};

use mailbox::{
    Access, Change, Error, Expunges, FlagChange, FlagState, Flags, Keyword, KeywordSet, Mail,
    Mailbox, MailboxName, Seq, Status, Uid, UidSet, UidValidity,
};

use crate::audience::Waiter;
use crate::change::Removal;
use crate::mail::MaildirMail;
use crate::maildir::{Maildir, uid_next};
use crate::name::Letters;
use crate::record::{File, Record};
use crate::state::State;

/// One message as the session sees it: 8 bytes, since every session has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    uid: u32,
    /// Letters, then flags, then `\Recent`.
    marks: u32,
}

impl Shown {
    const FLAGS_AT: usize = Letters::COUNT;
    const RECENT: u32 = 1 << 31;

    fn new(uid: u32, flags: Flags, letters: Letters) -> Self {
        let recent = if flags.contains(Flags::RECENT) {
            Self::RECENT
        } else {
            0
        };
        Self {
            uid,
            marks: letters.0 | u32::from(flags.index_bits()) << Self::FLAGS_AT | recent,
        }
    }

    fn flags(self) -> Flags {
        let bits = self.marks >> Self::FLAGS_AT & 0x1f;
        let flags = Flags::from_index_bits(u8::try_from(bits).unwrap_or(0));
        if self.is_recent() {
            flags.with(Flags::RECENT)
        } else {
            flags
        }
    }

    fn is_recent(self) -> bool {
        self.marks & Self::RECENT != 0
    }

    fn letters(self) -> Letters {
        Letters(self.marks & ((1 << Letters::COUNT) - 1))
    }
}

/// An open Maildir. Many views share one [`Maildir`].
pub struct View {
    maildir: Arc<Maildir>,
    /// As the session calls it.
    name: MailboxName,
    access: Access,
    shown: Vec<Shown>,
    keywords: Vec<Keyword>,
    /// Where each letter's keyword stands in `keywords`.
    bits: [Option<u16>; Letters::COUNT],
    uid_validity: UidValidity,
    uid_next: Uid,
    accepts_new_keywords: bool,
    /// Of the state when the view was last compared with it, if nothing was held back then.
    generation: Option<u64>,
    /// There from the first wait on.
    waiter: OnceLock<Option<Arc<Waiter>>>,
}

impl View {
    /// Opens a mailbox and takes its picture.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what cannot be read or written.
    pub fn open(maildir: Arc<Maildir>, name: MailboxName, access: Access) -> Result<Self, Error> {
        let mut state = maildir.state();
        maildir.update(&mut state)?;
        if access == Access::ReadWrite {
            maildir.clean_once(&mut state);
        }
        let mut view = Self {
            maildir: Arc::clone(&maildir),
            name,
            access,
            shown: Vec::new(),
            keywords: Vec::new(),
            bits: [None; Letters::COUNT],
            uid_validity: maildir.uid_validity(&state)?,
            uid_next: Uid::MIN,
            accepts_new_keywords: false,
            generation: None,
            waiter: OnceLock::new(),
        };
        view.take(&mut state, Expunges::Show)?;
        drop(state);
        Ok(view)
    }

    /// The mailbox that this is a view of.
    #[must_use]
    pub fn maildir(&self) -> &Arc<Maildir> {
        &self.maildir
    }

    fn get(&self, seq: Seq) -> Option<&Shown> {
        self.shown
            .get(usize::try_from(seq.get()).ok()?.checked_sub(1)?)
    }

    /// Names of the letters; true where a letter now means something else.
    fn take_keywords(&mut self, state: &State) -> bool {
        let before = self.bits;
        let used = state
            .messages()
            .fold(0, |used, (_, file)| used | file.letters.0);
        let named = state
            .keywords
            .named()
            .fold(0, |named, (index, _)| named | 1 << index);
        for index in Letters(used | named).iter() {
            let Some(keyword) = state.keywords.name(index) else {
                continue;
            };
            let known = self.keywords.iter().position(|known| *known == keyword);
            let bit = known.unwrap_or_else(|| {
                self.keywords.push(keyword);
                self.keywords.len() - 1
            });
            if let Some(slot) = self.bits.get_mut(index) {
                *slot = u16::try_from(bit).ok();
            }
        }
        self.accepts_new_keywords = self.access == Access::ReadWrite && state.keywords.has_room();
        let pairs = before.iter().zip(&self.bits);
        pairs
            .into_iter()
            .any(|(before, now)| before.is_some() && before != now)
    }

    /// Makes the picture that of an up-to-date state.
    fn take(&mut self, state: &mut State, expunges: Expunges) -> Result<Vec<Change>, Error> {
        self.uid_next = uid_next(state);
        if self.generation == Some(state.generation) {
            return Ok(Vec::new());
        }
        let changes = self.compare(state, expunges);
        if self.access == Access::ReadWrite {
            let before = state.generation;
            Arc::clone(&self.maildir).claim_new(state)?;
            // Moves from new/ to cur/ change nothing that a view shows, but \Recent for the others.
            if self.generation == Some(before) {
                self.generation = Some(state.generation);
            }
        }
        Ok(changes)
    }

    fn compare(&mut self, state: &State, expunges: Expunges) -> Vec<Change> {
        let renamed = self.take_keywords(state);
        let mut changes = Vec::new();
        let mut flag_changes = Vec::new();
        let (mut kept, mut held) = (0, false);
        let mut now = state.messages().peekable();
        self.shown.retain_mut(|shown| {
            // A view never misses what has a lower UID than its last message, but a repair may.
            while now.next_if(|(record, _)| record.uid < shown.uid).is_some() {}
            let message = now.next_if(|(record, _)| record.uid == shown.uid);
            if message.is_none() && expunges == Expunges::Show {
                changes.extend(expunged(kept + 1, shown.uid));
                return false;
            }
            kept += 1;
            held |= message.is_none();
            if let Some((_, file)) = message {
                let flags = with_recent(file.flags, shown.flags());
                let fresh = Shown::new(shown.uid, flags, file.letters);
                if fresh != *shown || renamed {
                    flag_changes.extend(seq(kept));
                }
                *shown = fresh;
            }
            true
        });
        changes.extend(flag_changes.into_iter().map(|seq| Change::Flags { seq }));
        self.shown
            .extend(now.map(|(record, file)| new(state, record, file)));
        self.shown.shrink_to(self.shown.len() + SPARE);
        if self.shown.len() > kept {
            let status = self.status();
            changes.push(Change::Grown {
                messages: status.messages,
                recent: status.recent,
            });
        }
        self.generation = (!held).then_some(state.generation);
        changes
    }
}

/// Room for so many more messages stays with a view.
const SPARE: usize = 16;

fn new(state: &State, record: &Record, file: File) -> Shown {
    let flags = if state.is_recent(record, file) {
        file.flags.with(Flags::RECENT)
    } else {
        file.flags
    };
    Shown::new(record.uid, flags, file.letters)
}

fn with_recent(stored: Flags, shown: Flags) -> Flags {
    if shown.contains(Flags::RECENT) {
        stored.with(Flags::RECENT)
    } else {
        stored
    }
}

fn seq(number: usize) -> Option<Seq> {
    Seq::new(u32::try_from(number).ok()?)
}

fn expunged(number: usize, uid: u32) -> Option<Change> {
    Some(Change::Expunged {
        seq: seq(number)?,
        uid: Uid::new(uid)?,
    })
}

impl Mailbox for View {
    fn name(&self) -> &MailboxName {
        &self.name
    }

    fn access(&self) -> Access {
        self.access
    }

    fn status(&self) -> Status {
        let count = |wanted: fn(&&Shown) -> bool| {
            let counted = self.shown.iter().filter(wanted).count();
            u32::try_from(counted).unwrap_or(u32::MAX)
        };
        Status {
            messages: self.len(),
            recent: count(|shown| shown.is_recent()),
            unseen: count(|shown| !shown.flags().contains(Flags::SEEN)),
            uid_next: self.uid_next,
            uid_validity: self.uid_validity,
            highest_modseq: None,
        }
    }

    fn first_unseen(&self) -> Option<Seq> {
        let unseen = self
            .shown
            .iter()
            .position(|shown| !shown.flags().contains(Flags::SEEN))?;
        seq(unseen + 1)
    }

    fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    fn accepts_new_keywords(&self) -> bool {
        self.accepts_new_keywords
    }

    fn len(&self) -> u32 {
        u32::try_from(self.shown.len()).unwrap_or(u32::MAX)
    }

    fn uid(&self, seq: Seq) -> Option<Uid> {
        Uid::new(self.get(seq)?.uid)
    }

    fn seq(&self, uid: Uid) -> Option<Seq> {
        let position = self
            .shown
            .binary_search_by_key(&uid.get(), |shown| shown.uid)
            .ok()?;
        seq(position + 1)
    }

    fn seq_at_least(&self, uid: Uid) -> Option<Seq> {
        let position = self.shown.partition_point(|shown| shown.uid < uid.get());
        (position < self.shown.len())
            .then(|| seq(position + 1))
            .flatten()
    }

    fn flags(&self, seq: Seq) -> Option<FlagState> {
        let shown = self.get(seq)?;
        let mut keywords = KeywordSet::default();
        for letter in shown.letters().iter() {
            if let Some(&Some(bit)) = self.bits.get(letter) {
                keywords.insert(bit.into());
            }
        }
        Some(FlagState {
            flags: shown.flags(),
            keywords,
        })
    }

    fn sync(&mut self, expunges: Expunges) -> Result<Vec<Change>, Error> {
        let waiter = self.waiter.get().cloned().flatten();
        if let Some(waiter) = &waiter {
            waiter.clear();
        }
        let maildir = Arc::clone(&self.maildir);
        let mut state = maildir.state();
        maildir.update(&mut state)?;
        if state.uid_validity != Some(self.uid_validity) {
            return Err(Error::NotPossible {
                why: "The mailbox was replaced by another one. Select it again.",
            });
        }
        let changes = self.take(&mut state, expunges)?;
        if let Some(waiter) = &waiter {
            waiter.has_seen(state.generation);
        }
        Ok(changes)
    }

    fn mail(&mut self, seq: Seq) -> Result<Box<dyn Mail + '_>, Error> {
        let uid = self.get(seq).ok_or(Error::Expunged)?.uid;
        Ok(Box::new(MaildirMail::new(Arc::clone(&self.maildir), uid)))
    }

    fn store_flags(&mut self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        self.must_write()?;
        self.maildir.store_flags(uids, change)
    }

    fn expunge(&mut self, within: Option<&UidSet>) -> Result<(), Error> {
        self.must_write()?;
        let all = UidSet::from_ranges([(Uid::MIN, Uid::MAX)]);
        self.maildir
            .remove(within.unwrap_or(&all), Removal::Deleted)
    }

    fn remove(&mut self, uids: &UidSet) -> Result<(), Error> {
        self.must_write()?;
        self.maildir.remove(uids, Removal::All)
    }

    fn change_fd(&self) -> Option<BorrowedFd<'_>> {
        let waiter = self.waiter.get_or_init(|| {
            let made = Waiter::new();
            made.inspect_err(|error| tracing::warn!("eventfd failed: {error}"))
                .ok()
        });
        let waiter = waiter.as_ref()?;
        // Of the end of its watches it has been told.
        (self.maildir.join(waiter) || waiter.is_woken()).then(|| waiter.as_fd())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl View {
    fn must_write(&self) -> Result<(), Error> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Error::NotPossible {
                why: "Mailbox is read-only",
            }),
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(Some(waiter)) = self.waiter.get() {
            self.maildir.leave(waiter);
        }
    }
}
