//! One mailbox, shared by all sessions of the process.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailbox::{
    Context, Error, Guid, MailboxName, NewUidValidity, Place, Settings, Status, Uid, UidValidity,
};
use sys::fs::dotlock::{Dotlock, DotlockError};
use sys::fs::{Fs, FsResult};

use crate::audience::{Audience, Motion, Waiter};
use crate::record;
use crate::settings::Options;
use crate::state::State;
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
    watcher: Arc<Watcher>,
    /// Views that wait for changes.
    pub(crate) audience: Arc<Audience>,
    state: Mutex<State>,
}

/// The state, held by one session. Whoever waits is woken when it lets go of a changed one.
pub(crate) struct Held<'m> {
    state: MutexGuard<'m, State>,
    audience: &'m Audience,
    /// When it was taken.
    generation: u64,
}

impl Deref for Held<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.state.generation != self.generation {
            self.audience.tell(self.state.generation);
        }
    }
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
            watcher: Watcher::new(),
            audience: Arc::default(),
            state: Mutex::default(),
        }
    }

    /// Changes by others are told by this watcher, which other mailboxes share.
    #[must_use]
    pub fn watched_by(self, watcher: Arc<Watcher>) -> Self {
        Self { watcher, ..self }
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

    /// Reads the mailbox if anything changed, and tells its numbers.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what cannot be read or written.
    pub fn status(&self) -> Result<Status, Error> {
        let mut state = self.state();
        self.update(&mut state)?;
        let mut status = Status {
            messages: 0,
            recent: 0,
            unseen: 0,
            uid_next: uid_next(&state),
            uid_validity: self.uid_validity(&state)?,
            highest_modseq: None,
        };
        for (record, file) in state.messages() {
            status.messages += 1;
            status.recent += u32::from(state.is_recent(record, file));
            status.unseen += u32::from(!file.flags.contains(mailbox::Flags::SEEN));
        }
        Ok(status)
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
        let mut state = self.state();
        self.update(&mut state)?;
        state.guid.ok_or_else(|| self.corrupted("no mailbox guid"))
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

    pub(crate) fn state(&self) -> Held<'_> {
        // A thread that panicked half way left memory in doubt, the disk never: read it anew.
        let state = self.state.lock().unwrap_or_else(|poisoned| {
            self.state.clear_poison();
            let mut state = PoisonError::into_inner(poisoned);
            *state = State {
                generation: state.generation + 1,
                ..State::default()
            };
            state
        });
        Held {
            generation: state.generation,
            state,
            audience: &self.audience,
        }
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

    pub(crate) fn leave(&self, waiter: &Arc<Waiter>) {
        self.watcher.leave(&self.audience, waiter);
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

    pub(crate) fn uid_validity(&self, state: &State) -> Result<UidValidity, Error> {
        state
            .uid_validity
            .ok_or_else(|| self.corrupted("no uidvalidity"))
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

/// The next UID, as far as UIDs go.
pub(crate) fn uid_next(state: &State) -> Uid {
    let next = u32::try_from(state.next_uid).unwrap_or(u32::MAX);
    Uid::new(next).unwrap_or(Uid::MIN)
}
