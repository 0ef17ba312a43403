//! A view that was opened again: mails that were `\Recent` for its session stay so. RFC 3501 §2.3.2.

use std::os::fd::BorrowedFd;

use mailbox::{
    Access, Change, Error, Expunges, FlagChange, FlagState, Flags, Keyword, Mail, Mailbox,
    MailboxName, ModSeq, Seq, Status, Uid, UidSet,
};

/// See the head of this file.
pub struct StillRecent {
    view: Box<dyn Mailbox>,
    recent: UidSet,
}

impl StillRecent {
    /// The view itself, if it needs no help.
    pub fn over(view: Box<dyn Mailbox>, recent: UidSet) -> Box<dyn Mailbox> {
        if recent.is_empty() {
            view
        } else {
            Box::new(Self { view, recent })
        }
    }

    /// Mails that only this knows to be recent.
    fn more(&self) -> u32 {
        let mut more = 0;
        for &(first, last) in self.recent.ranges() {
            let mut next = self.view.seq_at_least(first);
            while let Some(seq) = next {
                if self.view.uid(seq).is_none_or(|uid| uid > last) {
                    break;
                }
                let state = self.view.flags(seq).unwrap_or_default();
                more += u32::from(!state.flags.contains(Flags::RECENT));
                next = Seq::new(seq.get().saturating_add(1));
            }
        }
        more
    }
}

impl Mailbox for StillRecent {
    fn name(&self) -> &MailboxName {
        self.view.name()
    }

    fn access(&self) -> Access {
        self.view.access()
    }

    fn status(&self) -> Status {
        let status = self.view.status();
        Status {
            recent: status.recent.saturating_add(self.more()),
            ..status
        }
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
        let mut state = self.view.flags(seq)?;
        if self
            .view
            .uid(seq)
            .is_some_and(|uid| self.recent.contains(uid))
        {
            state.flags = state.flags.with(Flags::RECENT);
        }
        Some(state)
    }

    fn modseq(&self, seq: Seq) -> Option<ModSeq> {
        self.view.modseq(seq)
    }

    fn sync(&mut self, expunges: Expunges) -> Result<Vec<Change>, Error> {
        let mut changes = self.view.sync(expunges)?;
        let more = self.more();
        for change in &mut changes {
            if let Change::Grown { recent, .. } = change {
                *recent = recent.saturating_add(more);
            }
        }
        Ok(changes)
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
        self.view.change_fd()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self.view.as_any()
    }
}
