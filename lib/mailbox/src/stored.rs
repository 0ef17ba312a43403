//! One mailbox on disk, whatever its format: what storage holds, and what the sessions of a process
//! share.
//!
//! A format makes one from a [`Context`]; nothing is read before it is asked for. Storage keeps one per
//! [`Place`], so two sessions of a process never open the same index twice (FORMATS.md §0.3).
//!
//! Who does what:
//! - storage: names, directories of the list, `mailboxes.lock`, the trash, `subscriptions`, who wants
//!   which mailbox. It removes and renames directories.
//! - the format: everything inside a [`Place`].

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use sys::fs::Fs;

use crate::{
    Access, Copied, Error, Guid, Mailbox, MailboxName, ModSeq, Save, Settings, Stamp, Status, Uid,
    UidSet, UidValidity,
};

/// Gives out the UIDVALIDITY of a new or repaired mailbox; never the same one twice to one user.
/// FORMATS.md §6.1.
pub trait NewUidValidity: Send + Sync {
    /// # Errors
    /// The counter cannot be kept.
    fn next(&self) -> Result<UidValidity, Error>;
}

/// Where the files of one mailbox are. The parts are mostly the same directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Maildir: the directory of `cur/`, `new/` and `tmp/`. sdbox, mdbox: `…/dbox-Mails`. mbox: the file.
    pub mail: PathBuf,
    /// Directory of what is neither mail nor index: uidlist, keywords.
    pub control: PathBuf,
    /// Directory of `dovecot.index*`; `None`: they are nowhere (`INDEX=MEMORY`).
    pub index: Option<PathBuf>,
    /// `ALT=`: what `mail` is on the slower disk; sdbox only.
    pub alt: Option<PathBuf>,
}

/// What every format needs to open a mailbox.
#[derive(Clone)]
pub struct Context {
    /// All file operations.
    pub fs: Fs,
    /// Where it is.
    pub place: Place,
    /// Its name, for errors and the log.
    pub name: MailboxName,
    /// What the configuration says to every format.
    pub settings: Settings,
    /// For a mailbox that is made or repaired.
    pub uid_validities: Arc<dyn NewUidValidity>,
}

/// What a mailbox is to be, as it was elsewhere: `None` stays, and numbers only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Its identity.
    pub guid: Option<Guid>,
    /// What its UIDs mean; the UIDs themselves stay.
    pub uid_validity: Option<UidValidity>,
    /// The next message gets at least this.
    pub min_next_uid: Option<Uid>,
    /// Messages below are not `\Recent`.
    pub min_first_recent: Option<Uid>,
    /// HIGHESTMODSEQ is at least this.
    pub min_highest_modseq: Option<ModSeq>,
}

/// One mailbox on disk. Sessions share it by `Arc`; each has a [`Mailbox`] of its own.
///
/// A mailbox that vanished, or never was, answers [`Error::NotFound`] to everything but
/// [`StoredMailbox::exists`], [`StoredMailbox::create`] and [`StoredMailbox::wake`].
pub trait StoredMailbox: Send + Sync {
    /// Where it is.
    fn place(&self) -> &Place;

    /// Its name when it was first opened, for errors and the log.
    fn name(&self) -> &MailboxName;

    /// Can it be selected? A call or two; a mailbox with files missing that [`StoredMailbox::create`]
    /// would restore exists.
    ///
    /// # Errors
    /// The failed call.
    fn exists(&self) -> Result<bool, Error>;

    /// Makes it, or what is missing of it: directories, index, UIDVALIDITY, GUID; durable. The caller
    /// holds the list's lock when it is a new mailbox.
    ///
    /// # Errors
    /// The failed call; what was made stays, for the caller to remove.
    fn create(&self) -> Result<(), Error>;

    /// Its identity, through renames.
    ///
    /// # Errors
    /// What cannot be read or written.
    fn guid(&self) -> Result<Guid, Error>;

    /// Its numbers, as they are on disk now.
    ///
    /// # Errors
    /// What cannot be read or written.
    fn status(&self) -> Result<Status, Error>;

    /// How it looks from outside, by a `stat()` or two, without opening or syncing it: whoever finds the
    /// stamp of an earlier moment again need not ask for its status. Two looks that the format's clocks
    /// cannot tell apart must not give the same stamp: where a change of this second could be one that
    /// leaves the file's mtime (whole seconds) and size alone, the answer is `None`.
    ///
    /// `None`: not to be told so; the default.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the failed call.
    fn stamp(&self) -> Result<Option<Stamp>, Error> {
        Ok(None)
    }

    /// Takes a picture of it for one session, which calls it `name`.
    ///
    /// # Errors
    /// What cannot be read or written.
    fn open(self: Arc<Self>, name: &MailboxName, access: Access)
    -> Result<Box<dyn Mailbox>, Error>;

    /// Begins to save messages. Nothing is locked before the commit.
    ///
    /// # Errors
    /// What cannot be read or written.
    fn begin_save(self: Arc<Self>) -> Result<Box<dyn Save>, Error>;

    /// Copies messages of a view, with flags, keywords, INTERNALDATE and GUID; those that are still
    /// there, all or none. A view of the same format ([`Mailbox::as_any`]) is copied by link or
    /// reference where the format can; any other one by [`crate::copy_by_saving`].
    ///
    /// # Errors
    /// Nothing was copied.
    fn copy_from(self: Arc<Self>, from: &mut dyn Mailbox, uids: &UidSet) -> Result<Copied, Error>;

    /// Changes identity and numbers. Sessions that have it open begin anew where its UIDVALIDITY changed.
    ///
    /// # Errors
    /// [`Error::NotPossible`]: the format has no place for it; what cannot be written.
    fn update(&self, update: &Update) -> Result<(), Error>;

    /// It is about to be deleted: the list is locked, and storage removes its directories next. Tells the
    /// sessions of every process (`INDEX_DELETED`), and gives up what is not in its [`Place`]: mdbox
    /// references, attachments. Views of it answer [`Error::NotFound`] from now on.
    ///
    /// # Errors
    /// It stays.
    fn prepare_delete(&self) -> Result<(), Error>;

    /// Storage has just renamed it to where it is now (`last-rename-stamp`).
    ///
    /// # Errors
    /// Nothing but dsync's quality depends on it: log it and go on.
    fn note_rename(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Something happened to it that no file tells: sessions that wait for changes look.
    fn wake(&self);

    /// What it really is, for its format.
    fn as_any(&self) -> &dyn Any;
}
