//! CREATE.

use mailbox::{Error, MailboxName};
use sys::fs::How;

use super::Storage;
use crate::location::Layout;
use crate::namespace::Target;

impl Storage {
    pub(super) fn create_target(&self, name: &MailboxName, target: &Target) -> Result<(), Error> {
        let list = &self.namespace(target)?.list;
        list.create_root()?;
        let _lock = list.lock()?;
        if list.is_selectable(&target.levels)? {
            return Err(Error::Exists {
                mailbox: name.clone(),
            });
        }
        let made = self.create_locked(name, target);
        if made.is_err() {
            // Half a mailbox would be listed. Only what is empty goes.
            let dir = list.place(&target.levels).dir;
            for part in ["cur", "new", "tmp"] {
                let _ = self.shared.fs.rmdir(&dir.join(part));
            }
            let _ = self.shared.fs.unlink_if_exists(&dir.join("maildirfolder"));
            let _ = self.shared.fs.rmdir(&dir);
        }
        made
    }

    fn create_locked(&self, name: &MailboxName, target: &Target) -> Result<(), Error> {
        let namespace = self.namespace(target)?;
        let maildir = self.maildir(name, target)?;
        maildir.create_dirs()?;
        let dir = &maildir.place().dir;
        if namespace.names.layout == Layout::MaildirPlusPlus
            && !namespace.list.is_inbox(&target.levels)
        {
            // Tells Maildir++ software that this is a folder, not a Maildir of its own.
            let mode = self.settings.file_mode;
            self.shared
                .fs
                .open(&dir.join("maildirfolder"), How::AppendCreate, mode)?;
        }
        // Gives it UIDVALIDITY and GUID.
        maildir.status()?;
        if let Some(parent) = dir.parent() {
            self.shared.fs.sync_dir(parent)?;
        }
        Ok(())
    }
}
