//! Upkeep of mailboxes: what a format has to do for `index`, `force-resync`, `purge` and `altmove`.

use mailbox::{Access, Error, Expunges, MailStore, MailboxName};
use storage::Storage;

use super::session::Found;

/// Where the bytes of mails are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Where they are saved.
    Primary,
    /// `ALT=`
    Alt,
}

/// Brings a mailbox up to date.
pub fn index(storage: &mut Storage, name: &MailboxName) -> Result<(), Error> {
    storage.open(name, Access::ReadOnly).map(|_| ())
}

/// Checks a mailbox against what is really there. A Maildir is read anew whenever it is opened.
pub fn force_resync(storage: &mut Storage, name: &MailboxName) -> Result<(), Error> {
    let mut view = storage.open(name, Access::ReadWrite)?;
    view.sync(Expunges::Show).map(|_| ())
}

/// Removes what no mailbox refers to. A Maildir keeps no such mails.
pub fn purge(_storage: &mut Storage) -> Result<(), Error> {
    Ok(())
}

/// Moves mails to the other storage. A Maildir has only one.
pub fn altmove(_storage: &mut Storage, _found: &Found, _to: Tier) -> Result<(), Error> {
    Ok(())
}
