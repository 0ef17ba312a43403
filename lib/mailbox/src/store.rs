//! All mailboxes of one user.

use std::io::Read;
use std::os::fd::OwnedFd;

use crate::{
    Access, Error, Flags, Keyword, MailDate, Mailbox, MailboxName, Status, Uid, UidSet, UidValidity,
};

/// What a mailbox is for. RFC 6154 §2; set by the configuration (`mailbox { special_use }`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpecialUse(pub String);

/// One line of LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// The mailbox, or a level above one.
    pub name: MailboxName,
    /// Hierarchy separator at this place.
    pub separator: char,
    /// Can be selected.
    pub selectable: bool,
    /// Exists; a subscribed mailbox that was deleted does not.
    pub exists: bool,
    /// There are mailboxes below it.
    pub has_children: bool,
    /// Can have mailboxes below it.
    pub no_inferiors: bool,
    /// Is subscribed.
    pub subscribed: bool,
    /// What it is for.
    pub special_use: Vec<SpecialUse>,
}

/// One namespace. RFC 2342.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceInfo {
    /// Every name in it begins with this.
    pub prefix: String,
    /// Hierarchy separator.
    pub separator: char,
    /// Whose mailboxes are in it.
    pub kind: NamespaceKind,
}

/// Whose mailboxes a namespace has. RFC 2342 §5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceKind {
    /// The user's own (`type = private`).
    Personal,
    /// Each of many users' (`type = shared`).
    OtherUsers,
    /// Nobody's, or everybody's (`type = public`).
    Shared,
}

/// A message that is about to be saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewMail {
    /// System flags; `\Recent` cannot be set.
    pub flags: Flags,
    /// User flags.
    pub keywords: Vec<Keyword>,
    /// INTERNALDATE; `None`: now.
    pub internal_date: Option<MailDate>,
    /// What [`crate::Mail::guid`] said of the message that this is a copy of; `None`: a new message. A
    /// format that cannot keep it gives the copy another one.
    pub guid: Option<String>,
    /// Who sent it by SMTP; for formats that keep that (mbox). `None`: unknown, or not delivered.
    pub envelope_sender: Option<String>,
}

/// What a committed save tells. RFC 4315 §3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Of the mailbox.
    pub uid_validity: UidValidity,
    /// Of the messages, in the order in which they were saved.
    pub uids: Vec<Uid>,
}

/// What a copy tells. RFC 4315 §3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Of the mailbox copied to.
    pub uid_validity: UidValidity,
    /// The messages' UIDs here, those that were still there, ascending.
    pub from: Vec<Uid>,
    /// Their UIDs there, in the same order.
    pub to: Vec<Uid>,
}

/// A transaction that saves messages into one mailbox: all or none. Dropped without commit, it
/// leaves nothing.
pub trait Save {
    /// Reads one message to its end and stores it, not yet visible. Memory does not grow with it.
    ///
    /// # Errors
    /// The whole transaction is of no more use.
    fn save(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error>;

    /// Makes the messages visible and durable.
    ///
    /// # Errors
    /// None of the messages is there.
    fn commit(self: Box<Self>) -> Result<Appended, Error>;
}

/// All mailboxes of one user.
pub trait MailStore: Send {
    /// Private namespaces first.
    fn namespaces(&self) -> Vec<NamespaceInfo>;

    /// Every mailbox whose name matches one of `patterns` (`*` and `%`, RFC 3501 §6.3.8), in order.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn list(&mut self, patterns: &[String]) -> Result<Vec<ListEntry>, Error>;

    /// Every subscribed name that matches (LSUB), whether it exists or not; a name above one that
    /// matches `%` comes unselectable, as RFC 3501 §6.3.9 wants.
    ///
    /// # Errors
    /// The subscriptions cannot be read.
    fn list_subscribed(&mut self, patterns: &[String]) -> Result<Vec<ListEntry>, Error>;

    /// What a mailbox is for, as in its [`ListEntry`], without a look at any other.
    fn special_use(&self, name: &MailboxName) -> Vec<SpecialUse>;

    /// Opens a mailbox and takes its picture.
    ///
    /// # Errors
    /// [`Error::NotFound`] and whatever the format says.
    fn open(&mut self, name: &MailboxName, access: Access) -> Result<Box<dyn Mailbox>, Error>;

    /// A descriptor of its own that becomes readable when a sync of the mailbox may find something from now on, whoever
    /// changed it: whoever has it needs no rights, and this process need not live. `None`: nobody can tell.
    ///
    /// # Errors
    /// [`Error::NotFound`] and what the kernel says.
    fn watch(&mut self, name: &MailboxName) -> Result<Option<OwnedFd>, Error> {
        let _ = name;
        Ok(None)
    }

    /// Numbers of a mailbox without a picture.
    ///
    /// # Errors
    /// [`Error::NotFound`] and whatever the format says.
    fn status(&mut self, name: &MailboxName) -> Result<Status, Error>;

    /// Makes a mailbox, with what is missing above it.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::InvalidName`].
    fn create(&mut self, name: &MailboxName) -> Result<(), Error>;

    /// Removes a mailbox with its messages; mailboxes below it stay.
    ///
    /// # Errors
    /// [`Error::NotFound`]; INBOX cannot be deleted.
    fn delete(&mut self, name: &MailboxName) -> Result<(), Error>;

    /// Renames a mailbox and those below it. INBOX: moves its messages (RFC 3501 §6.3.5).
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Exists`], [`Error::InvalidName`].
    fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> Result<(), Error>;

    /// Adds a name to the subscriptions.
    ///
    /// # Errors
    /// The file cannot be written.
    fn subscribe(&mut self, name: &MailboxName) -> Result<(), Error>;

    /// Takes a name out of the subscriptions.
    ///
    /// # Errors
    /// The file cannot be written.
    fn unsubscribe(&mut self, name: &MailboxName) -> Result<(), Error>;

    /// Begins to save messages into a mailbox.
    ///
    /// # Errors
    /// [`Error::NotFound`]: the client may create it.
    fn begin_save(&mut self, name: &MailboxName) -> Result<Box<dyn Save + '_>, Error>;

    /// Copies messages with flags, keywords and INTERNALDATE; all or none.
    ///
    /// # Errors
    /// [`Error::NotFound`]: the client may create it.
    fn copy(
        &mut self,
        from: &mut dyn Mailbox,
        uids: &UidSet,
        to: &MailboxName,
    ) -> Result<Copied, Error>;
}
