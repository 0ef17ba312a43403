//! CREATE.

use mailbox::{Error, MailboxName, Place};
use sys::fs::{How, found};

use super::Storage;
use crate::list::List;
use crate::location::{Format, Layout};
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
        let place = list.place_to_be(&target.levels);
        list.must_have_room(&place)?;
        let made = self.create_locked(name, target, &place);
        if made.is_err() {
            self.undo(target, &place);
        } else {
            list.note_created(&target.levels);
            let made = self.mailbox_at(place, name, target);
            let keeper = made.map(|mailbox| list.keeper_of(&target.levels, &mailbox));
            if let Ok(Some(keeper)) = keeper {
                keeper.note();
            }
        }
        made
    }

    /// Half a mailbox would be listed. Only what is empty goes.
    fn undo(&self, target: &Target, place: &Place) {
        let Ok(namespace) = self.namespace(target) else {
            return;
        };
        let list = &namespace.list;
        list.undo(place);
        self.shared.forget(|other| other == place);
        // Levels above it that are empty now.
        let root = list.location.mailboxes();
        let above = place.mail.ancestors().skip(1);
        let above = above.take_while(|dir| dir.starts_with(&root) && **dir != root);
        for dir in above {
            if found(self.fs.rmdir(dir)).is_err() {
                break;
            }
        }
    }

    fn create_locked(
        &self,
        name: &MailboxName,
        target: &Target,
        place: &Place,
    ) -> Result<(), Error> {
        let list = &self.namespace(target)?.list;
        let mailbox = self.mailbox_at(place.clone(), name, target)?;
        let mail = &mailbox.place().mail;
        if let Some(parent) = mail.parent() {
            self.fs.mkdir_all(parent, self.settings.dir_mode)?;
        }
        mailbox.create()?;
        if list.location.layout == Layout::MaildirPlusPlus && !list.is_inbox(&target.levels) {
            // Tells Maildir++ software that this is a folder, not a Maildir of its own.
            let mode = self.settings.file_mode;
            let marker = mail.join("maildirfolder");
            self.fs.open(&marker, How::AppendCreate, mode)?;
        }
        if let Some(parent) = mail.parent() {
            self.fs.sync_dir(parent)?;
        }
        match list.listed_as(&target.levels, place) {
            Some(listed) => list.enter(&target.levels, listed.guid),
            None => Ok(()),
        }
    }
}

impl List {
    /// Where mailboxes are files, nothing else may be in the way.
    pub(super) fn must_have_room(&self, place: &Place) -> Result<(), Error> {
        if self.location.format != Format::Mbox {
            return Ok(());
        }
        let not_possible = |why| Err(Error::NotPossible { why });
        if self.fs.stat_opt(&place.mail)?.is_some() {
            return not_possible("Mailbox isn't selectable");
        }
        let above = place.mail.ancestors().skip(1);
        for level in above.take_while(|level| level.starts_with(&self.location.root)) {
            if self.fs.stat_opt(level)?.is_some_and(|stat| stat.is_file()) {
                return not_possible("Mailbox doesn't allow inferior mailboxes");
            }
        }
        Ok(())
    }

    /// Takes away what was made of a mailbox that could not be made whole.
    fn undo(&self, place: &Place) {
        let fs = &self.fs;
        let empty = match self.location.format {
            Format::Maildir => ["cur", "new", "tmp"]
                .iter()
                .all(|part| found(fs.rmdir(&place.mail.join(part))).is_ok()),
            Format::Mbox => {
                let size = fs
                    .stat_opt(&place.mail)
                    .ok()
                    .flatten()
                    .map(|stat| stat.size);
                size.is_none() || size == Some(0) && fs.unlink(&place.mail).is_ok()
            }
            // There was no such directory: whatever is in it was made in vain.
            Format::Sdbox | Format::Mdbox => true,
        };
        if !empty {
            return;
        }
        let mut dirs = vec![&place.control];
        dirs.extend(&place.index);
        if self.location.format != Format::Mbox {
            dirs.push(&place.mail);
        }
        for dir in dirs {
            if let Err(error) = self.discard_files(dir) {
                tracing::warn!("{error}; a mailbox that could not be made stays");
            }
        }
    }
}
