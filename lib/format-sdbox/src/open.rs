//! Opening and making a mailbox.

use std::path::Path;

use index::{Backup, Created, Error as IndexError, Index, State, Transaction};
use mailbox::{Error, Guid};

use crate::header::{DboxHeader, SPEC};
use crate::sdbox::Sdbox;

impl Sdbox {
    /// Directory of `dovecot.index`: an sdbox without one would have no UIDs.
    pub(crate) fn index_dir(&self) -> Result<&Path, Error> {
        let dir = self.context.place.index.as_deref();
        dir.ok_or_else(|| {
            let name = &self.context.name;
            Error::Config(format!("{name}: sdbox needs its indexes on disk"))
        })
    }

    pub(crate) fn index_options(&self) -> index::Options {
        index::Options {
            backup: Backup::Keep,
            thresholds: self.thresholds,
            ..index::Options::mailbox(&self.context.settings)
        }
    }

    fn has_directory(&self) -> Result<bool, Error> {
        let stat = self.context.fs.stat_opt(&self.context.place.mail)?;
        Ok(stat.is_some_and(|stat| stat.is_dir()))
    }

    /// A directory is a mailbox, and what is missing in it can be made; unless its index says that it is
    /// being deleted.
    pub(crate) fn is_there(&self) -> Result<bool, Error> {
        if !self.has_directory()? {
            return Ok(false);
        }
        let dir = self.index_dir()?;
        let opened = Index::open(&self.context.fs, dir, self.index_options());
        Ok(!matches!(opened, Err(IndexError::Deleted { .. })))
    }

    /// Opens the index. One that is lost is made from the files.
    pub(crate) fn open_index(&self) -> Result<Index, Error> {
        let dir = self.index_dir()?;
        let opened = Index::open(&self.context.fs, dir, self.index_options());
        let index = match opened {
            Ok(index) => index,
            Err(IndexError::NotFound { .. }) if self.has_directory()? => self.make_index()?,
            Err(IndexError::NotFound { .. } | IndexError::Deleted { .. }) => {
                return Err(self.not_found());
            }
            Err(error) => return Err(error.into()),
        };
        self.check(&index)?;
        Ok(index)
    }

    /// Makes the mailbox, or what is missing of it.
    pub(crate) fn make(&self) -> Result<(), Error> {
        let (fs, settings) = (&self.context.fs, &self.context.settings);
        let mail = &self.context.place.mail;
        let dir = self.index_dir()?;
        for dir in [mail, dir] {
            fs.mkdir_all(dir, settings.dir_mode)?;
        }
        let opened = Index::open(fs, dir, self.index_options());
        match opened {
            Ok(index) => self.check(&index)?,
            Err(IndexError::NotFound { .. }) => {
                let index = self.make_index()?;
                self.check(&index)?;
            }
            Err(IndexError::Deleted { .. }) => {
                self.clear_deleted()?;
                self.make_index()?;
            }
            Err(error) => return Err(error.into()),
        }
        settings.durability.sync_dir(fs, mail)?;
        if let Some(parent) = mail.parent() {
            settings.durability.sync_dir(fs, parent)?;
        }
        *self.index_slot() = None;
        Ok(())
    }

    /// An index of what is left of an older one, or without messages.
    fn make_index(&self) -> Result<Index, Error> {
        let first = match self.backup_index()? {
            Some(first) => {
                let mail = self.context.place.mail.display();
                tracing::error!("{mail}: the index is lost: made anew from its backup");
                first
            }
            None => self.empty_index()?,
        };
        let dir = self.index_dir()?;
        let created = Index::create(&self.context.fs, dir, self.index_options(), &first);
        let (index, created) = created?;
        if created == Created::Ours {
            self.adopt_all(&index)?;
        }
        Ok(index)
    }

    fn empty_index(&self) -> Result<Transaction, Error> {
        let mut first = Transaction::external();
        let guid = match &self.listed {
            Some(listed) => listed.guid,
            None => Guid::generate(),
        };
        let header = DboxHeader::new(guid);
        first.extension(&SPEC).set_header(0, &header.encode());
        if let Some(listed) = &self.listed {
            listed.put_name(&State::empty(0), &mut first);
        }
        first.set_uid_validity(self.context.uid_validities.next()?.get());
        Ok(first)
    }

    /// What a deletion left that was killed half way: the mailbox is gone, its name is free.
    fn clear_deleted(&self) -> Result<(), Error> {
        let fs = &self.context.fs;
        let mut names = Vec::new();
        let mail = &self.context.place.mail;
        fs.read_dir(mail, &mut |name, _| names.push(name.to_vec()))?;
        let (index, mails): (Vec<_>, Vec<_>) = names
            .into_iter()
            .partition(|name| name.starts_with(b"dovecot.index"));
        // The log, which says that all of it is to go, goes last.
        for name in mails {
            if crate::name::uid(&name).is_some() || name.starts_with(dbox::temp::PREFIX) {
                fs.unlink_if_exists(&sys::fs::join(mail, &name))?;
            }
        }
        let log: &[u8] = b"dovecot.index.log";
        for name in index.iter().filter(|name| **name != log) {
            fs.unlink_if_exists(&sys::fs::join(mail, name))?;
        }
        let dir = self.index_dir()?;
        for name in [
            "dovecot.index.backup",
            "dovecot.index",
            "dovecot.index.cache",
            "dovecot.index.log.2",
            "dovecot.index.log",
        ] {
            fs.unlink_if_exists(&dir.join(name))?;
        }
        Ok(())
    }
}
