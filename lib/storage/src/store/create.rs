//! CREATE.

use mailbox::{Error, MailboxName};
use sys::fs::{How, found};

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
            self.undo(target);
        } else {
            list.forget_cached_names();
        }
        made
    }

    /// Half a mailbox would be listed. Only what is empty goes.
    fn undo(&self, target: &Target) {
        let Ok(namespace) = self.namespace(target) else {
            return;
        };
        let place = namespace.list.place(&target.levels);
        let parts = ["cur", "new", "tmp"].map(|part| place.mail.join(part));
        let empty = parts
            .iter()
            .all(|part| found(self.shared.fs.rmdir(part)).is_ok());
        if empty {
            for dir in [&place.mail, &place.control] {
                if let Err(error) = namespace.list.discard_files(dir) {
                    tracing::warn!("{error}; a mailbox that could not be made stays");
                }
            }
        }
        self.shared.forget(|other| *other == place);
        // Levels above it that are empty now.
        let root = &namespace.list.location.root;
        let above = place
            .mail
            .ancestors()
            .skip(1)
            .take_while(|dir| *dir != root);
        for dir in above.take_while(|dir| dir.starts_with(root)) {
            if self.shared.fs.rmdir(dir).is_err() {
                break;
            }
        }
    }

    fn create_locked(&self, name: &MailboxName, target: &Target) -> Result<(), Error> {
        let namespace = self.namespace(target)?;
        let mailbox = self.mailbox(name, target)?;
        mailbox.create()?;
        let dir = &mailbox.place().mail;
        if namespace.names.layout == Layout::MaildirPlusPlus
            && !namespace.list.is_inbox(&target.levels)
        {
            // Tells Maildir++ software that this is a folder, not a Maildir of its own.
            let mode = self.settings.file_mode;
            self.shared
                .fs
                .open(&dir.join("maildirfolder"), How::AppendCreate, mode)?;
        }
        if let Some(parent) = dir.parent() {
            self.shared.fs.sync_dir(parent)?;
        }
        Ok(())
    }
}
