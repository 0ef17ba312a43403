//! A Maildir as storage knows it.

use std::any::Any;
use std::sync::Arc;

use mailbox::{
    Access, Copied, Error, Guid, Mailbox, MailboxName, Place, Save, Status, StoredMailbox, UidSet,
    copy_by_saving,
};

use crate::copy::copy;
use crate::maildir::Maildir;
use crate::save::Saving;
use crate::view::View;

impl StoredMailbox for Maildir {
    fn place(&self) -> &Place {
        self.place()
    }

    fn name(&self) -> &MailboxName {
        self.name()
    }

    fn exists(&self) -> Result<bool, Error> {
        let stat = self.fs.stat_opt(&self.place.mail)?;
        Ok(stat.is_some_and(|stat| stat.is_dir()))
    }

    fn create(&self) -> Result<(), Error> {
        self.create_dirs()?;
        // Gives it UIDVALIDITY and GUID.
        self.status().map(|_| ())
    }

    fn guid(&self) -> Result<Guid, Error> {
        self.guid()
    }

    fn status(&self) -> Result<Status, Error> {
        self.status()
    }

    fn open(
        self: Arc<Self>,
        name: &MailboxName,
        access: Access,
    ) -> Result<Box<dyn Mailbox>, Error> {
        Ok(Box::new(View::open(self, name.clone(), access)?))
    }

    fn begin_save(self: Arc<Self>) -> Result<Box<dyn Save>, Error> {
        Ok(Box::new(Saving::begin(self)))
    }

    fn copy_from(self: Arc<Self>, from: &mut dyn Mailbox, uids: &UidSet) -> Result<Copied, Error> {
        match from.as_any().downcast_ref::<View>() {
            Some(view) => copy(view.maildir(), uids, &self),
            None => copy_by_saving(from, uids, self.begin_save()?),
        }
    }

    /// What makes it a mailbox is all in its directories.
    fn prepare_delete(&self) -> Result<(), Error> {
        Ok(())
    }

    fn wake(&self) {
        self.wake();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
