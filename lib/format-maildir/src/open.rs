//! The index of a mailbox: opened, made, or in memory where its place takes nothing.

use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use index::{Cached, Error as IndexError, Index, State, Transaction, cache};
use mailbox::Error;
use sys::fs::memory::MemoryFs;
use sys::fs::{Fs, How};

use crate::maildir::Maildir;

/// A larger file of an index is none, bytes.
const LARGEST: u64 = 1 << 30;

/// Where an index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    OnDisk,
    /// For as long as the process has the mailbox open. The files say everything but modseqs.
    InMemory,
    /// To read, until the disk takes something again: what was asked for in the one on disk and is not
    /// done comes before what is asked then.
    WhileFull,
}

/// An open index and its cache.
#[derive(Clone)]
pub(crate) struct Opened {
    pub index: Arc<Index>,
    pub cached: Arc<Cached>,
    pub kept: Kept,
}

impl Maildir {
    /// The index, read at least once; made where there is none.
    pub(crate) fn opened(&self) -> Result<Opened, Error> {
        let mut slot = self.slot();
        if let Some(opened) = &*slot {
            return Ok(opened.clone());
        }
        let opened = match self.place.index.is_some() {
            true => self.open_on_disk()?,
            false => self.open_at(&memory(), Kept::InMemory)?,
        };
        Ok(slot.insert(opened).clone())
    }

    /// Only in memory, if the disk refuses it.
    fn open_on_disk(&self) -> Result<Opened, Error> {
        match self.open_at(&self.fs, Kept::OnDisk) {
            Err(error) if is_refused(&error) => self.open_in_memory(&error),
            other => other,
        }
    }

    /// From now on the index is in memory: as long as the mailbox is open, or the disk is full.
    pub(crate) fn move_to_memory(&self, why: &Error) -> Result<Opened, Error> {
        let opened = self.open_in_memory(why)?;
        *self.slot() = Some(opened.clone());
        Ok(opened)
    }

    fn open_in_memory(&self, why: &Error) -> Result<Opened, Error> {
        tracing::warn!("{why}; the index is in memory only");
        let kept = match why.is_disk_full() {
            true => Kept::WhileFull,
            false => Kept::InMemory,
        };
        self.open_at(&self.memory_copy()?, kept)
    }

    /// The disk has taken something: the index there is the one that counts.
    pub(crate) fn return_to_disk(&self) {
        let mut slot = self.slot();
        if slot
            .as_ref()
            .is_some_and(|opened| opened.kept == Kept::WhileFull)
        {
            *slot = None;
        }
    }

    fn open_at(&self, fs: &Fs, kept: Kept) -> Result<Opened, Error> {
        let dir = self.index_dir();
        let options = || index::Options {
            thresholds: self.thresholds,
            ..index::Options::mailbox(&self.settings)
        };
        let index = match Index::open(fs, dir, options()) {
            Err(IndexError::NotFound { .. }) => {
                self.must_exist()?;
                fs.mkdir_all(dir, self.settings.dir_mode)?;
                let first = Transaction::external();
                let made = Index::create(fs, dir, options(), &first);
                made.map_err(|error| self.told(error))?.0
            }
            other => other.map_err(|error| self.told(error))?,
        };
        let index = Arc::new(index);
        let cached = Cached::new(&index, self.cache_settings.clone(), cache::Sync::Never);
        Ok(Opened {
            index,
            cached,
            kept,
        })
    }

    /// What there is of the index on disk, in memory.
    fn memory_copy(&self) -> Result<Fs, Error> {
        let copy = memory();
        for name in [
            "dovecot.index",
            "dovecot.index.log",
            "dovecot.index.log.2",
            "dovecot.index.cache",
        ] {
            let path = self.index_dir().join(name);
            match self.fs.read_file_opt(&path, LARGEST) {
                Ok(Some(bytes)) => copy.open(&path, How::CreateNew, 0)?.append(&bytes)?,
                Ok(None) => {}
                Err(error) => tracing::debug!("{error}"),
            }
        }
        Ok(copy)
    }

    pub(crate) fn index_dir(&self) -> &PathBuf {
        let place = &self.place;
        place.index.as_ref().unwrap_or(&place.control)
    }

    pub(crate) fn slot(&self) -> MutexGuard<'_, Option<Opened>> {
        // An index is whole whenever it is in there.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the index; once more if somebody removed its files, which tell nothing that
    /// others do not.
    pub(crate) fn with_index<T>(
        &self,
        mut act: impl FnMut(&Opened) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match act(&self.opened()?) {
            Err(Error::NotFound { .. }) => {}
            other => return other,
        }
        *self.slot() = None;
        self.must_exist()?;
        act(&self.opened()?)
    }

    pub(crate) fn refresh(&self, opened: &Opened) -> Result<Arc<State>, Error> {
        opened.index.refresh().map_err(|error| self.told(error))
    }

    /// An index that is gone, or says that its mailbox is.
    pub(crate) fn told(&self, error: IndexError) -> Error {
        match error {
            IndexError::NotFound { .. } | IndexError::Deleted { .. } => self.not_found(),
            other => other.into(),
        }
    }

    pub(crate) fn must_exist(&self) -> Result<(), Error> {
        let cur = self.dir().join("cur");
        let stat = self.fs.stat(&cur);
        stat.map(drop).map_err(|error| self.gone(error))
    }
}

fn memory() -> Fs {
    Fs::new(Arc::new(MemoryFs::default()))
}

/// We may only read: by permissions, or since a lock for writing needs a file that is open for it (EBADF).
pub(crate) fn is_denied(error: &Error) -> bool {
    const EBADF: i32 = 9;
    let is_not_open =
        matches!(error, Error::Syscall { source, .. } if source.raw_os_error() == Some(EBADF));
    is_not_open || error.is_denied()
}

/// Nothing can be written: not by us, or not now.
pub(crate) fn is_refused(error: &Error) -> bool {
    is_denied(error) || error.is_disk_full()
}
