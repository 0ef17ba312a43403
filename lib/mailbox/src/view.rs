//! One mailbox as one session sees it.

use std::os::fd::BorrowedFd;

use crate::{
    Error, FlagChange, FlagState, Keyword, Mail, MailboxName, ModSeq, Seq, Uid, UidSet, UidValidity,
};

/// May the session change the mailbox?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// SELECT.
    ReadWrite,
    /// EXAMINE: nothing changes, `\Recent` stays with the messages.
    ReadOnly,
    /// No client looks: messages may be changed and removed, and `\Recent` stays with the others.
    Upkeep,
}

/// Numbers of a mailbox. RFC 3501 §6.3.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Messages.
    pub messages: u32,
    /// Messages that no session has seen before.
    pub recent: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// The next message gets at least this.
    pub uid_next: Uid,
    /// Of the mailbox.
    pub uid_validity: UidValidity,
    /// `None`: the format does not keep modseqs.
    pub highest_modseq: Option<ModSeq>,
}

/// May a sync take messages out of the view? RFC 3501 §7.4.1: not during FETCH, STORE, SEARCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expunges {
    /// Tell them now.
    Show,
    /// Keep the messages in the view until a later sync.
    Hold,
}

/// What a sync changed in the view. Apply in order: each sequence number is valid after the
/// changes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The message is gone; those behind it move up by one.
    Expunged {
        /// Its number at this moment.
        seq: Seq,
        /// Its UID.
        uid: Uid,
    },
    /// Flags or keywords changed.
    Flags {
        /// Of this message.
        seq: Seq,
    },
    /// The view ends here now.
    Grown {
        /// Messages in the view.
        messages: u32,
        /// Of them `\Recent` for this session.
        recent: u32,
    },
}

/// An open mailbox: a frozen picture, and the operations on it.
pub trait Mailbox: Send {
    /// Its name.
    fn name(&self) -> &MailboxName;

    /// What the session may do.
    fn access(&self) -> Access;

    /// Numbers of the view; `uid_next` and `highest_modseq` as of the last sync.
    fn status(&self) -> Status;

    /// First message without `\Seen`.
    fn first_unseen(&self) -> Option<Seq>;

    /// Keywords in use or ever used here; the order is that of [`crate::KeywordSet`]'s bits.
    fn keywords(&self) -> &[Keyword];

    /// May a client make up new keywords (`\*` in PERMANENTFLAGS)?
    fn accepts_new_keywords(&self) -> bool;

    /// Messages in the view.
    fn len(&self) -> u32;

    /// No message in the view?
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// UID of a message in the view.
    fn uid(&self, seq: Seq) -> Option<Uid>;

    /// Where a message stands in the view.
    fn seq(&self, uid: Uid) -> Option<Seq>;

    /// First message in the view whose UID is at least `uid`.
    fn seq_at_least(&self, uid: Uid) -> Option<Seq>;

    /// Flags and keywords of a message in the view.
    fn flags(&self, seq: Seq) -> Option<FlagState>;

    /// When a message in the view last changed; `None`: the format does not keep modseqs.
    fn modseq(&self, seq: Seq) -> Option<ModSeq> {
        let _ = seq;
        None
    }

    /// Brings the view up to date with the disk.
    ///
    /// # Errors
    /// The view stays as it was.
    fn sync(&mut self, expunges: Expunges) -> Result<Vec<Change>, Error>;

    /// Opens a message of the view for reading.
    ///
    /// # Errors
    /// [`Error::Expunged`] when another session has removed it.
    fn mail(&mut self, seq: Seq) -> Result<Box<dyn Mail + '_>, Error>;

    /// Changes flags and keywords. The next sync tells what changed. UIDs that are not there (any
    /// more) are passed over.
    ///
    /// # Errors
    /// Nothing, or a part, is changed; never acknowledged.
    fn store_flags(&mut self, uids: &UidSet, change: &FlagChange) -> Result<(), Error>;

    /// Removes messages that have `\Deleted`; `within` limits it to some UIDs (UID EXPUNGE). The next
    /// sync tells what went.
    ///
    /// # Errors
    /// A part may be removed.
    fn expunge(&mut self, within: Option<&UidSet>) -> Result<(), Error>;

    /// Removes these messages whatever their flags: the second half of MOVE.
    ///
    /// # Errors
    /// A part may be removed.
    fn remove(&mut self, uids: &UidSet) -> Result<(), Error>;

    /// Readable when a sync may find something; wait on it together with the client.
    /// `None`: sync from time to time.
    fn change_fd(&self) -> Option<BorrowedFd<'_>>;

    /// What it really is, for the format that made it: COPY between two of its mailboxes.
    fn as_any(&self) -> &dyn std::any::Any;
}
