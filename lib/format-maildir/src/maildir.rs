//! One mailbox, shared by all sessions of the process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use index::{State, Thresholds, cache};
use mailbox::{Context, Error, Guid, MailboxName, NewUidValidity, Place, Settings, Status};
use sys::fs::dotlock::{Dotlock, DotlockError};
use sys::fs::{Fs, FsError, FsResult};

use crate::audience::{Audience, Motion, Waiter};
use crate::batch::Queue;
use crate::files::Files;
use crate::open::Opened;
use crate::record;
use crate::settings::Options;
use crate::watch::Watcher;

/// How long we wait for somebody else's lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// One Maildir. Sessions share it by `Arc`; each has a [`crate::view::View`] of its own.
pub struct Maildir {
    pub(crate) fs: Fs,
    pub(crate) place: Place,
    pub(crate) name: MailboxName,
    pub(crate) settings: Settings,
    pub(crate) options: Options,
    pub(crate) uid_validities: Arc<dyn NewUidValidity>,
    pub(crate) cache_settings: cache::Settings,
    pub(crate) thresholds: Thresholds,
    pub(crate) watcher: Arc<Watcher>,
    /// Views that wait for changes.
    pub(crate) audience: Arc<Audience>,
    pub(crate) queue: Queue,
    /// Open since it was first needed. Taken after `files`, never the other way round.
    pub(crate) index: Mutex<Option<Opened>>,
    files: Mutex<Files>,
}

impl Maildir {
    /// Nothing is read before it is asked for.
    #[must_use]
    pub fn new(context: Context, options: Options) -> Self {
        let Context {
            fs,
            place,
            name,
            settings,
            uid_validities,
        } = context;
        Self {
            fs,
            place,
            name,
            settings,
            options,
            uid_validities,
            cache_settings: cache::Settings::default(),
            thresholds: Thresholds::default(),
            watcher: Watcher::new(),
            audience: Arc::default(),
            queue: Queue::default(),
            index: Mutex::default(),
            files: Mutex::default(),
        }
    }

    /// Changes by others are told by this watcher, which other mailboxes share.
    #[must_use]
    pub fn watched_by(self, watcher: Arc<Watcher>) -> Self {
        Self { watcher, ..self }
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

    /// Makes the three directories, where they are missing.
    ///
    /// # Errors
    /// The failed call.
    pub fn create_dirs(&self) -> Result<(), Error> {
        let mode = self.settings.dir_mode;
        self.fs.mkdir_all(&self.place.control, mode)?;
        // `cur` last: who sees it sees a whole Maildir.
        for dir in ["tmp", "new", "cur"] {
            self.fs.mkdir_all(&self.place.mail.join(dir), mode)?;
        }
        self.settings
            .durability
            .sync_dir(&self.fs, &self.place.mail)?;
        Ok(())
    }

    /// Its numbers, as they are on disk now.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what cannot be read or written.
    pub fn status(&self) -> Result<Status, Error> {
        {
            let mut files = self.files();
            files.new.suspect();
            files.cur.suspect();
        }
        let state = self.synced()?;
        Ok(index_view::status_of(&state, state.recent()))
    }

    /// Something happened that no directory tells: whoever waits for changes looks.
    pub fn wake(&self) {
        self.audience.missed_some();
    }

    /// Identity of the mailbox.
    ///
    /// # Errors
    /// As [`Maildir::status`].
    pub fn guid(&self) -> Result<Guid, Error> {
        self.synced()?;
        self.read_guid()
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its name, for errors.
    #[must_use]
    pub fn name(&self) -> &MailboxName {
        &self.name
    }

    pub(crate) fn files(&self) -> MutexGuard<'_, Files> {
        // A thread that panicked half way left memory in doubt, the disk never: read it anew.
        self.files.lock().unwrap_or_else(|poisoned| {
            self.files.clear_poison();
            let mut files = PoisonError::into_inner(poisoned);
            *files = Files::default();
            files
        })
    }

    /// Wakes the sessions that do not know this state.
    pub(crate) fn tell(&self, files: &mut Files, state: &Arc<State>) {
        let is_news = files.told.as_ref().is_none_or(|told| {
            !Arc::ptr_eq(told, state)
                && (told.keywords() != state.keywords() || !state.changes_since(told).is_empty())
        });
        if is_news {
            files.generation += 1;
            self.audience.tell(files.generation);
        }
        files.told = Some(Arc::clone(state));
    }

    /// Makes a view one of those that are woken by changes; fine if it is already. `false`: changes by
    /// others wake nobody.
    pub(crate) fn join(&self, waiter: &Arc<Waiter>) -> bool {
        self.watcher.join(&self.place, &self.audience, waiter)
    }

    /// Where others did something since this was last asked.
    pub(crate) fn touched(&self) -> impl Iterator<Item = record::Place> {
        if self.audience.hears_all() {
            self.watcher.catch_up();
        }
        self.audience.take_touched()
    }

    /// Renames a message's file, and expects to hear of it.
    pub(crate) fn move_file(&self, from: &Path, to: &Path) -> FsResult<()> {
        let traces = self
            .audience
            .expect([(from, Motion::Went), (to, Motion::Came)]);
        let moved = self.fs.rename(from, to);
        if moved.is_err() {
            self.audience.take_back(&traces);
        }
        moved
    }

    /// Removes a message's file, and expects to hear of it.
    pub(crate) fn remove_file(&self, path: &Path) -> FsResult<()> {
        let traces = self.audience.expect([(path, Motion::Went)]);
        let removed = self.fs.unlink(path);
        if removed.is_err() {
            self.audience.take_back(&traces);
        }
        removed
    }

    pub(crate) fn lock(&self) -> Result<Dotlock, Error> {
        let list = self.list_path();
        match Dotlock::acquire(&self.fs, &list, LOCK_TIMEOUT) {
            Err(DotlockError::Fs(error)) if error.is_not_found() => {
                // The mailbox is gone, or its control files live elsewhere and are yet to come.
                self.fs
                    .stat(&self.dir().join("cur"))
                    .map_err(|error| self.gone(error))?;
                self.fs
                    .mkdir_all(&self.place.control, self.settings.dir_mode)?;
                Ok(Dotlock::acquire(&self.fs, &list, LOCK_TIMEOUT)?)
            }
            other => Ok(other?),
        }
    }

    pub(crate) fn list_path(&self) -> PathBuf {
        self.place.control.join("dovecot-uidlist")
    }

    pub(crate) fn keywords_path(&self) -> PathBuf {
        self.place.control.join("dovecot-keywords")
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.place.mail
    }

    pub(crate) fn gone(&self, error: FsError) -> Error {
        if error.is_not_found() {
            self.not_found()
        } else {
            error.into()
        }
    }

    pub(crate) fn not_found(&self) -> Error {
        Error::NotFound {
            mailbox: self.name.clone(),
        }
    }

    pub(crate) fn corrupted(&self, what: &str) -> Error {
        Error::Corrupted {
            path: self.list_path(),
            offset: 0,
            what: what.to_owned(),
        }
    }
}
