//! What administrators ask and clients do not.

use std::path::PathBuf;
use std::sync::Arc;

use mailbox::{Error, Guid, MailboxName, Place, StoredMailbox, Update};

use super::Storage;
use super::subscribe::Wish;
use crate::location::Layout;

impl Storage {
    /// A mailbox, whether it exists or not; nothing is made.
    ///
    /// # Errors
    /// [`Error::InvalidName`]
    pub fn stored(&self, name: &MailboxName) -> Result<Arc<dyn StoredMailbox>, Error> {
        self.mailbox(name, &self.resolve(name)?)
    }

    /// Where a mailbox is, or would be.
    ///
    /// # Errors
    /// [`Error::InvalidName`]
    pub fn place(&self, name: &MailboxName) -> Result<Place, Error> {
        let target = self.resolve(name)?;
        let place = self.namespace(&target)?.list.place(&target.levels)?;
        place.ok_or_else(|| Error::NotFound {
            mailbox: name.clone(),
        })
    }

    /// Directory of the index of all mailboxes in a mailbox's namespace; `None`: it is nowhere.
    ///
    /// # Errors
    /// [`Error::InvalidName`]
    pub fn list_index(&self, name: &MailboxName) -> Result<Option<PathBuf>, Error> {
        let target = self.resolve(name)?;
        Ok(self.namespace(&target)?.list.location.index_root())
    }

    /// Does it exist already? Mailboxes that are made when they are first used do not; INBOX always does.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn is_there(&self, name: &MailboxName) -> Result<bool, Error> {
        let target = self.resolve(name)?;
        let list = &self.namespace(&target)?.list;
        Ok(list.is_inbox(&target.levels) || list.is_selectable(&target.levels)?)
    }

    /// Identity of a mailbox that exists.
    ///
    /// # Errors
    /// [`Error::NotFound`] and whatever the format says.
    pub fn guid(&self, name: &MailboxName) -> Result<Guid, Error> {
        self.with_existing(name, |mailbox| mailbox.guid())
    }

    /// Gives a mailbox that exists another identity, or other numbers.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotPossible`] and whatever the format says.
    pub fn update(&self, name: &MailboxName, update: &Update) -> Result<(), Error> {
        let layout = self.namespace(&self.resolve(name)?)?.list.location.layout;
        if update.guid.is_some() && layout == Layout::Index {
            let why = "With LAYOUT=index a mailbox is where its GUID says";
            return Err(Error::NotPossible { why });
        }
        self.with_existing(name, |mailbox| mailbox.update(update))
    }

    /// Adds a name to the subscriptions, whether there is such a mailbox or not.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn subscribe_anyway(&mut self, name: &MailboxName) -> Result<(), Error> {
        let target = self.resolve(name)?;
        self.change_subscription(&target, Wish::Subscribe)
    }
}
