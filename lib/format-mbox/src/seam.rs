//! An mbox as storage holds it.

use std::any::Any;
use std::sync::Arc;

use index::{Transaction, list};
use mailbox::{
    Access, Copied, Error, Guid, Mailbox, MailboxName, Mark, Place, Save, Stamp, Status,
    StoredMailbox, UidSet, Update, copy_by_saving,
};

use crate::ext::SyncHeader;
use crate::mbox::Mbox;
use crate::save::Saving;
use crate::view::View;

impl StoredMailbox for Mbox {
    fn place(&self) -> &Place {
        &self.context.place
    }

    fn name(&self) -> &MailboxName {
        &self.context.name
    }

    fn exists(&self) -> Result<bool, Error> {
        self.is_there()
    }

    fn create(&self) -> Result<(), Error> {
        self.make()
    }

    fn guid(&self) -> Result<Guid, Error> {
        self.identity()
    }

    fn status(&self) -> Result<Status, Error> {
        self.numbers()
    }

    fn stamp(&self) -> Result<Option<Stamp>, Error> {
        let fs = &self.context.fs;
        let Some(mut stamp) = list::stamp(fs, Some(self.index_dir()))? else {
            return Ok(None);
        };
        let stat = fs.stat(self.path()).map_err(|error| self.gone(error))?;
        stamp.marks.push(Mark {
            name: "mbox",
            numbers: [list::seconds(&stat), list::low_bits(stat.size)],
        });
        Ok(Some(stamp))
    }

    fn open(
        self: Arc<Self>,
        name: &MailboxName,
        access: Access,
    ) -> Result<Box<dyn Mailbox>, Error> {
        Ok(Box::new(View::open(self, name.clone(), access)?))
    }

    fn begin_save(self: Arc<Self>) -> Result<Box<dyn Save>, Error> {
        self.must_exist()?;
        Ok(Box::new(Saving::begin(self)))
    }

    fn copy_from(self: Arc<Self>, from: &mut dyn Mailbox, uids: &UidSet) -> Result<Copied, Error> {
        let saving = self.begin_save()?;
        copy_by_saving(from, uids, saving)
    }

    fn update(&self, update: &Update) -> Result<(), Error> {
        if update.uid_validity.is_some() {
            let why = "The UIDVALIDITY of an mbox is in its messages";
            return Err(Error::NotPossible { why });
        }
        self.synced()?;
        self.with_index(|index| {
            let mut sync = index.begin_sync()?;
            let mut transaction = Transaction::update(sync.state(), update);
            if let Some(guid) = update.guid {
                let known = SyncHeader::of(sync.state());
                let guid = guid.0;
                SyncHeader { guid, ..known }.put(&mut transaction);
            }
            sync.commit(&transaction)?;
            Ok(())
        })
    }

    fn prepare_delete(&self) -> Result<(), Error> {
        self.must_exist()?;
        let index = self.index()?;
        let mut sync = index.begin_sync()?;
        let mut transaction = Transaction::external();
        transaction.delete_index();
        sync.commit(&transaction)?;
        sync.finish()?;
        self.forget_index();
        Ok(())
    }

    /// Nobody is told by us: views have no descriptor to wait on, and look from time to time.
    fn wake(&self) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}
