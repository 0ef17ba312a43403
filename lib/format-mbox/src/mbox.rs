//! One mailbox, shared by all sessions of the process.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use index::{Cached, Created, Index, Options, State, Thresholds, Transaction, cache};
use mailbox::{Context, Error, Guid, Status};
use sys::fs::{FsError, How};

use crate::ext::{self, SyncHeader};
use crate::rewrite::Journal;
use crate::settings::Settings;

/// An open index and its cache.
#[derive(Clone)]
pub(crate) struct Opened {
    pub index: Arc<Index>,
    pub cached: Arc<Cached>,
}

/// One mbox file with its index. Sessions share it by `Arc`.
pub struct Mbox {
    pub(crate) context: Context,
    pub(crate) settings: Settings,
    /// Threads of this process take turns at the file.
    turn: Mutex<()>,
    cache_settings: cache::Settings,
    thresholds: Thresholds,
    /// See [`Mbox::check_once`].
    pub(crate) is_checked: AtomicBool,
    index: Mutex<Option<Opened>>,
}

impl Mbox {
    /// Nothing is read before it is asked for.
    #[must_use]
    pub fn new(context: Context, settings: Settings) -> Self {
        Self {
            context,
            settings,
            turn: Mutex::new(()),
            cache_settings: cache::Settings::default(),
            thresholds: Thresholds::default(),
            is_checked: AtomicBool::new(false),
            index: Mutex::new(None),
        }
    }

    /// What the configuration says about its cache.
    #[must_use]
    pub fn cached_as(self, cache_settings: cache::Settings) -> Self {
        Self {
            cache_settings,
            ..self
        }
    }

    /// When its index is written anew and its log is rotated.
    #[must_use]
    pub fn rotated_as(self, thresholds: Thresholds) -> Self {
        Self { thresholds, ..self }
    }

    /// The file.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.context.place.mail
    }

    /// Where the index is. `INDEX=MEMORY` has it where control files are: UIDs are kept in mbox files too
    /// lazily to do without.
    pub(crate) fn index_dir(&self) -> &PathBuf {
        let place = &self.context.place;
        place.index.as_ref().unwrap_or(&place.control)
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal {
            path: self.context.place.control.join("culver.mbox.journal"),
            fs: self.context.fs.clone(),
            durability: self.context.settings.durability,
        }
    }

    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        // It guards files, and those are never half done without a trace.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Opened>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index, which is made if there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`] without an mbox file.
    pub(crate) fn index(&self) -> Result<Arc<Index>, Error> {
        Ok(self.opened()?.index)
    }

    /// The same with its cache.
    ///
    /// # Errors
    /// As [`Mbox::index`].
    pub(crate) fn opened(&self) -> Result<Opened, Error> {
        let mut slot = self.slot();
        if let Some(opened) = slot.as_ref() {
            return Ok(opened.clone());
        }
        let fs = &self.context.fs;
        let options = || Options {
            thresholds: self.thresholds,
            ..Options::mailbox(&self.context.settings)
        };
        let index = match Index::open(fs, self.index_dir(), options()) {
            Err(index::Error::NotFound { .. } | index::Error::Deleted { .. }) => {
                self.must_exist()?;
                fs.mkdir_all(self.index_dir(), self.context.settings.dir_mode)?;
                fs.mkdir_all(&self.context.place.control, self.context.settings.dir_mode)?;
                self.create_index(options())?
            }
            other => other?,
        };
        let index = Arc::new(index);
        let durability = self.context.settings.durability;
        let cached = Cached::new(&index, self.cache_settings.clone(), durability.into());
        Ok(slot.insert(Opened { index, cached }).clone())
    }

    fn create_index(&self, options: Options) -> Result<Index, Error> {
        let fs = &self.context.fs;
        let mut transaction = Transaction::external();
        transaction.extension(&ext::MBOX).introduce();
        SyncHeader {
            guid: Guid::generate().0,
            ..SyncHeader::default()
        }
        .put(&mut transaction);
        let (index, created) = Index::create(fs, self.index_dir(), options, &transaction)?;
        if created == Created::Ours {
            tracing::debug!("{}: new index", self.path().display());
        }
        Ok(index)
    }

    /// Somebody removed the index, or the whole mailbox: the next one opens it anew.
    pub(crate) fn forget_index(&self) {
        *self.slot() = None;
    }

    /// Does something with the index; once more if it was removed meanwhile and the file is still there.
    pub(crate) fn with_index<T>(
        &self,
        mut act: impl FnMut(&Index) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let index = self.index()?;
        match act(&index) {
            Err(error) if is_not_found(&error) => {}
            other => return other,
        }
        self.forget_index();
        self.must_exist()?;
        act(&*self.index()?)
    }

    pub(crate) fn must_exist(&self) -> Result<(), Error> {
        if self.is_there()? {
            Ok(())
        } else {
            Err(self.not_found())
        }
    }

    pub(crate) fn is_there(&self) -> Result<bool, Error> {
        let stat = self.context.fs.stat_opt(self.path())?;
        Ok(stat.is_some_and(|stat| stat.is_file()))
    }

    pub(crate) fn not_found(&self) -> Error {
        Error::NotFound {
            mailbox: self.context.name.clone(),
        }
    }

    /// A failed call on the file, or the news that it is gone.
    pub(crate) fn gone(&self, error: FsError) -> Error {
        if error.is_not_found() {
            self.not_found()
        } else {
            error.into()
        }
    }

    /// Makes the file, the index and what is above them.
    ///
    /// # Errors
    /// The failed call.
    pub(crate) fn make(&self) -> Result<(), Error> {
        let fs = &self.context.fs;
        let settings = &self.context.settings;
        let parent = self.path().parent().map(PathBuf::from).unwrap_or_default();
        fs.mkdir_all(&parent, settings.dir_mode)?;
        match fs.open(self.path(), How::CreateNew, settings.file_mode) {
            Ok(_) => settings.durability.sync_dir(fs, &parent)?,
            Err(error) if error.is_exists() => {}
            Err(error) => return Err(error.into()),
        }
        self.synced()?;
        Ok(())
    }

    /// Its numbers.
    pub(crate) fn numbers(&self) -> Result<Status, Error> {
        let state = self.synced()?;
        Ok(crate::view::status_of(&state, state.recent()))
    }

    /// Its identity.
    pub(crate) fn identity(&self) -> Result<Guid, Error> {
        Ok(Guid(SyncHeader::of(&*self.synced()?).guid))
    }
}

pub(crate) fn is_not_found(error: &Error) -> bool {
    match error {
        Error::Syscall { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// A message's UID as a number for sets.
pub(crate) fn uids_of(state: &State, uids: &mailbox::UidSet) -> Vec<u32> {
    let mut found = Vec::new();
    for &(first, last) in uids.ranges() {
        let mut seq = state.seq_at_least(first);
        while let Some(at) = seq
            && let Some(uid) = state.uid(at).filter(|uid| *uid <= last)
        {
            found.push(uid.get());
            seq = mailbox::Seq::new(at.get() + 1);
        }
    }
    found
}
