//! DELETE: out of sight by one rename, then removed. FORMATS.md §4.1, §6.7.

use std::path::Path;

use mailbox::{Error, Guid, MailboxName};
use sys::fs::{EntryKind, FsResult, found, join};

use super::Storage;
use crate::changelog::{self, Event};
use crate::list::{List, TRASH};
use crate::location::Layout;
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
            return Err(Error::NotFound {
                mailbox: name.clone(),
            });
        }
        let mailbox = self.mailbox(name, &target)?;
        let guid = mailbox.guid().ok();
        mailbox.prepare_delete()?;
        let place = mailbox.place().clone();
        list.discard(&place.mail, namespace.names.layout)?;
        self.shared.forget(|other| *other == place);
        let beside = [Some(place.control), place.index];
        for other in beside
            .into_iter()
            .flatten()
            .filter(|other| *other != place.mail)
        {
            list.discard_files(&other)?;
        }
        list.forget_cached_names();
        self.log_deletion(namespace, guid, &target.levels);
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
        let Some(root) = namespace.list.index_root() else {
            return;
        };
        if let Err(error) =
            changelog::append(&self.shared.fs, &root.join("dovecot.mailbox.log"), events)
        {
            tracing::warn!("{error}");
        }
    }
}

impl List {
    /// Takes a mailbox away; mailboxes below it stay.
    fn discard(&self, dir: &Path, layout: Layout) -> FsResult<()> {
        let trash = self.location.root.join(TRASH);
        // Somebody's deletion that was cut short.
        self.fs.remove_tree(&trash)?;
        match layout {
            Layout::MaildirPlusPlus => {
                self.fs.rename(dir, &trash)?;
                self.fs.sync_dir(&self.location.root)?;
            }
            Layout::Fs => {
                self.fs.mkdir(&trash, 0o700)?;
                self.move_parts(dir, &trash)?;
                if let Err(error) = self.discard_files(dir) {
                    tracing::warn!("{error}; files of a deleted mailbox stay");
                }
                if let Some(parent) = dir.parent() {
                    self.fs.sync_dir(parent)?;
                }
            }
        }
        if let Err(error) = self.fs.remove_tree(&trash) {
            tracing::warn!("{error}; the deleted mailbox is removed with the next one");
        }
        Ok(())
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
