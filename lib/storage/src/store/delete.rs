//! DELETE: out of sight by one rename, then removed. FORMATS.md §4.1, §6.7.

use std::path::Path;

use mailbox::{Error, Guid, MailboxName, Place};
use sys::fs::{EntryKind, FsResult, found, join};

use super::Storage;
use crate::changelog::{self, Event};
use crate::list::List;
use crate::location::{EmptyLevels, Format, IMAP_DIR, Layout};
use crate::namespace::Namespace;

impl Storage {
    pub(super) fn delete_mailbox(&self, name: &MailboxName) -> Result<(), Error> {
        let target = self.resolve(name)?;
        let namespace = self.namespace(&target)?;
        let list = &namespace.list;
        if list.is_inbox(&target.levels) {
            return Err(Error::NotPossible {
                why: "INBOX can't be deleted.",
            });
        }
        list.create_root()?;
        let _lock = list.lock()?;
        if !list.is_selectable(&target.levels)? {
            return self.delete_level(name, namespace, &target.levels);
        }
        let mailbox = self.mailbox(name, &target)?;
        let guid = mailbox.guid().ok();
        match mailbox.prepare_delete() {
            // Somebody began to delete it, and did not come to the end.
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let place = mailbox.place().clone();
        list.discard(&place)?;
        self.shared.forget(|other| *other == place);
        list.discard_rest(&place, &target.levels)?;
        if list.location.layout == Layout::Index {
            list.leave(&target.levels)?;
        }
        list.note_deleted(&target.levels);
        self.log_deletion(namespace, guid, &target.levels);
        Ok(())
    }

    /// A level that holds no mail and no mailboxes.
    fn delete_level(
        &self,
        name: &MailboxName,
        namespace: &Namespace,
        levels: &[String],
    ) -> Result<(), Error> {
        let list = &namespace.list;
        let not_found = || Error::NotFound {
            mailbox: name.clone(),
        };
        let mut below = list.scan()?;
        below.retain(|found| found.levels.starts_with(levels));
        match below.as_slice() {
            _ if list.location.layout == Layout::MaildirPlusPlus => return Err(not_found()),
            [] => return Err(not_found()),
            [level] if level.levels == levels => {}
            _ => {
                return Err(Error::NotPossible {
                    why: "Mailbox has children, delete them first",
                });
            }
        }
        if list.location.layout == Layout::Index {
            list.leave(levels)?;
            self.log_deletion(namespace, None, levels);
            return Ok(());
        }
        let dir = list.dir(&list.location.root, levels);
        match list.location.format {
            Format::Mbox => {
                self.fs.remove_tree(&dir.join(IMAP_DIR))?;
                self.fs.rmdir(&dir)?;
            }
            // Files are no mailboxes.
            _ => list.discard_files(&dir)?,
        }
        list.note_deleted(levels);
        self.log_deletion(namespace, None, levels);
        Ok(())
    }

    fn log_deletion(&self, namespace: &Namespace, guid: Option<Guid>, levels: &[String]) {
        let name = namespace.names.plain(levels);
        let mut events: Vec<Event<'_>> = guid.map(Event::DeleteMailbox).into_iter().collect();
        events.push(Event::DeleteName(&name));
        self.log_changes(namespace, &events);
    }

    /// A log that cannot be written is no reason to fail what was done.
    pub(super) fn log_changes(&self, namespace: &Namespace, events: &[Event<'_>]) {
        let Some(root) = namespace.list.location.index_root() else {
            return;
        };
        if let Err(error) = changelog::append(&self.fs, &root.join("dovecot.mailbox.log"), events) {
            tracing::warn!("{error}");
        }
    }
}

impl List {
    /// Takes a mailbox's mail away; mailboxes below it stay.
    fn discard(&self, place: &Place) -> FsResult<()> {
        let trash = self.trash();
        // Somebody's deletion that was cut short.
        self.fs.remove_tree(&trash)?;
        match (self.location.format, self.location.layout) {
            (Format::Mbox, _) => self.fs.unlink(&place.mail)?,
            // Others may be in the same directory.
            (Format::Maildir, Layout::Fs) if self.location.mail_dir.is_empty() => {
                self.fs.mkdir(&trash, 0o700)?;
                self.move_parts(&place.mail, &trash)?;
            }
            // It may be on its way already: somebody's deletion that was cut short.
            _ => drop(found(self.fs.rename(&place.mail, &trash))?),
        }
        if let Some(parent) = place.mail.parent() {
            self.fs.sync_dir(parent)?;
        }
        if let Err(error) = self.fs.remove_tree(&trash) {
            tracing::warn!("{error}; the deleted mailbox is removed with the next one");
        }
        Ok(())
    }

    /// What is beside the mail of a mailbox that is gone, and its directory, unless others are in it.
    fn discard_rest(&self, place: &Place, levels: &[String]) -> FsResult<()> {
        let location = &self.location;
        if let Some(alt) = &place.alt {
            self.fs.remove_tree(alt)?;
        }
        let beside = [Some(&place.control), place.index.as_ref()];
        for dir in beside.into_iter().flatten() {
            if *dir != place.mail {
                self.discard_files(dir)?;
            }
        }
        if location.layout == Layout::Fs {
            let dir = self.dir(&location.root, levels);
            if let Err(error) = self.discard_files(&dir) {
                tracing::warn!("{error}; files of a deleted mailbox stay");
            }
            if location.empty_levels == EmptyLevels::Go {
                self.discard_levels(&dir);
            }
        }
        Ok(())
    }

    /// Levels above a mailbox that is gone, as far as they are empty.
    fn discard_levels(&self, dir: &Path) {
        let root = self.location.mailboxes();
        let above = dir.ancestors().skip(1);
        for level in above.take_while(|level| level.starts_with(&root) && *level != root) {
            if self.fs.rmdir(level).is_err() {
                break;
            }
        }
    }

    /// All three directories, or none.
    fn move_parts(&self, from: &Path, to: &Path) -> FsResult<()> {
        // cur/ first: without it this is no mailbox.
        let parts = ["cur", "new", "tmp"];
        let moved = parts.iter().try_for_each(|part| {
            found(self.fs.rename(&from.join(part), &to.join(part))).map(|_| ())
        });
        if moved.is_err() {
            for part in parts {
                let _ = self.fs.rename(&to.join(part), &from.join(part));
            }
        }
        moved
    }

    /// Removes the files of a directory, and it if nothing is left.
    pub(super) fn discard_files(&self, dir: &Path) -> FsResult<()> {
        let mut files = Vec::new();
        let listed = self.fs.read_dir(dir, &mut |name, kind| {
            if kind != EntryKind::Directory {
                files.push(name.to_vec());
            }
        });
        found(listed)?;
        for name in files {
            self.fs.unlink_if_exists(&join(dir, &name))?;
        }
        match found(self.fs.rmdir(dir)) {
            Err(error) if !error.is_exists() => Err(error),
            _ => Ok(()),
        }
    }
}
