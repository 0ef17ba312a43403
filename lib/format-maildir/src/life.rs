//! How a mailbox begins, is renamed, and ends.

use index::{Error as IndexError, ExtSpec, Index, Transaction};
use mailbox::{Error, Update};

use crate::assign::Keep;
use crate::maildir::Maildir;

/// When dsync may take a mailbox for a renamed one. FORMATS.md §1.10.
const RENAMED: ExtSpec<'static> = ExtSpec {
    name: "last-rename-stamp",
    header_size: 4,
    record_size: 0,
    record_align: 4,
};

impl Maildir {
    /// A directory is a mailbox, unless its index says that it is being deleted.
    pub(crate) fn is_there(&self) -> Result<bool, Error> {
        let stat = self.fs.stat_opt(&self.place.mail)?;
        let is_dir = stat.is_some_and(|stat| stat.is_dir());
        Ok(is_dir && !self.is_being_deleted()?)
    }

    fn is_being_deleted(&self) -> Result<bool, Error> {
        let log = self.index_dir().join("dovecot.index.log");
        if self.place.index.is_none() || self.fs.stat_opt(&log)?.is_none() {
            return Ok(false);
        }
        let options = index::Options::mailbox(&self.settings);
        let looked = Index::look(&self.fs, self.index_dir(), options);
        Ok(matches!(looked, Err(IndexError::Deleted { .. })))
    }

    /// Makes it, or what is missing of it.
    pub(crate) fn make(&self) -> Result<(), Error> {
        if self.is_being_deleted()? {
            self.clear_deleted()?;
        }
        self.create_dirs()?;
        // Gives it UIDVALIDITY and GUID.
        self.status().map(drop)
    }

    /// The list has the mailbox's identity, its UIDVALIDITY and the next UID, and the index follows it.
    pub(crate) fn change_identity(&self, update: &Update) -> Result<(), Error> {
        let mut files = self.files();
        let opened = self.opened()?;
        let lock = self.lock()?;
        let state = self.settle(&mut files, (&opened, Ok(&lock)))?;
        self.read_list(&mut files, &state)?;
        files.guid = update.guid.or(files.guid);
        files.uid_validity = update.uid_validity.or(files.uid_validity);
        let wanted = update.min_next_uid.map_or(0, |uid| u64::from(uid.get()));
        let next = files.next_uid.max(wanted);
        self.rewrite(&mut files, next, Keep::InIndex(&state))?;
        files.next_uid = next;
        let state = self.settle(&mut files, (&opened, Ok(&lock)))?;
        let transaction = Transaction::update(&state, update);
        let committed = opened.index.commit(&transaction);
        committed.map(drop).map_err(|error| self.told(error))
    }

    /// What a deletion left that was killed half way: the mailbox is gone, its name is free.
    fn clear_deleted(&self) -> Result<(), Error> {
        for part in ["cur", "new", "tmp"] {
            self.fs.remove_tree(&self.place.mail.join(part))?;
        }
        for path in [self.list_path(), self.keywords_path()] {
            self.fs.unlink_if_exists(&path)?;
        }
        // The log, which says that all of it is to go, goes last.
        for name in [
            "dovecot.index",
            "dovecot.index.cache",
            "dovecot.index.log.2",
            "dovecot.index.log",
        ] {
            self.fs.unlink_if_exists(&self.index_dir().join(name))?;
        }
        *self.slot() = None;
        *self.files() = crate::files::Files::default();
        Ok(())
    }

    /// It is about to be deleted: no session of any process finds it any more.
    pub(crate) fn mark_deleted(&self) -> Result<(), Error> {
        let opened = match self.opened() {
            // A deletion that was killed half way has said so already.
            Err(Error::NotFound { .. }) if self.is_being_deleted()? => return Ok(()),
            other => other?,
        };
        let begun = opened.index.begin_sync();
        let mut sync = begun.map_err(|error| self.told(error))?;
        let mut request = Transaction::internal();
        request.delete_index();
        sync.commit(&request).map_err(|error| self.told(error))?;
        let mut fact = Transaction::external();
        fact.delete_index();
        sync.commit(&fact).map_err(|error| self.told(error))?;
        sync.finish().map_err(|error| self.told(error))?;
        *self.slot() = None;
        Ok(())
    }

    pub(crate) fn stamp_rename(&self) -> Result<(), Error> {
        // Its directory has moved.
        *self.slot() = None;
        let opened = self.opened()?;
        let now = u32::try_from(crate::unique::seconds()).unwrap_or(0);
        let mut transaction = Transaction::external();
        let stamp = transaction.extension(&RENAMED);
        stamp.set_header(0, &now.to_le_bytes());
        let stamped = opened.index.commit(&transaction);
        stamped.map(drop).map_err(|error| self.told(error))
    }
}
