//! An index on disk, shared by the sessions of a process. FORMATS.md §1.6 to §1.9, §1.14.
//!
//! Reading: [`Index::refresh`] looks whether the log has grown or was replaced, and replays what is
//! new; no lock. Changing: [`Index::begin_sync`] takes the log's lock (an OFD lock) and refreshes;
//! [`IndexSync::commit`] writes a transaction with one call; [`IndexSync::finish`] tells that the mail has been
//! brought in line, writes a checkpoint and rotates the log when it is time, and gives the lock back.
//!
//! Locks of two indexes: the map of an mdbox first, then the mailbox. FORMATS.md §1.6.

mod checkpoint;
mod create;
mod follow;
mod load;
mod lock;
mod log_file;
mod paths;
mod reader;
mod repair;
mod requests;
mod rotate;
mod soon;
mod start_over;
mod sync;
mod vanished;

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailbox::Durability;
use sys::fs::Fs;

pub use create::Created;
pub use requests::{Request, Requests};
pub use sync::IndexSync;

use crate::{Error, State};
use paths::Paths;
use reader::Reader;

/// Does [`IndexSync::finish`] always move the tail?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Only past requests: mailboxes.
    Requests,
    /// Always: the list index, and the map of an mdbox, which Dovecot rebuilds otherwise. FORMATS.md §2.3.
    Always,
}

/// Is the previous checkpoint kept as `.backup`?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// dbox: the only other place of flags.
    Keep,
    /// Others.
    No,
}

/// When checkpoints are written and logs rotated: bytes and ages. FORMATS.md §1.7 has the settings' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Checkpoint when opening had to read so much, bytes.
    pub rewrite_min: u64,
    /// Checkpoint when so much is not in it, bytes.
    pub rewrite_max: u64,
    /// Rotate from here on if the log is old enough, bytes.
    pub rotate_min: u64,
    /// Rotate from here on, bytes.
    pub rotate_max: u64,
    /// Old enough, seconds.
    pub rotate_age: u32,
    /// `.log.2` goes at this age, seconds.
    pub log2_age: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            rewrite_min: 8 * 1024,
            rewrite_max: 128 * 1024,
            rotate_min: 32 * 1024,
            rotate_max: 1024 * 1024,
            rotate_age: 5 * 60,
            log2_age: 2 * 24 * 60 * 60,
        }
    }
}

/// What a format says about its index.
#[derive(Debug, Clone)]
pub struct Options {
    /// First part of the file names: `dovecot.index`, `dovecot.map.index`, `dovecot.list.index`.
    pub prefix: Cow<'static, str>,
    /// `mail_fsync`.
    pub durability: Durability,
    /// Permission bits of new files.
    pub file_mode: u32,
    /// How long to wait for the lock.
    pub lock_timeout: Duration,
    /// See [`Tail`].
    pub tail: Tail,
    /// See [`Backup`].
    pub backup: Backup,
    /// See [`Thresholds`].
    pub thresholds: Thresholds,
}

impl Options {
    /// For `dovecot.index` of a mailbox with these settings.
    #[must_use]
    pub fn mailbox(settings: &mailbox::Settings) -> Self {
        Self {
            prefix: "dovecot.index".into(),
            durability: settings.durability,
            file_mode: settings.file_mode,
            lock_timeout: Duration::from_secs(180),
            tail: Tail::Requests,
            backup: Backup::No,
            thresholds: Thresholds::default(),
        }
    }

    /// For `dovecot.map.index` of an mdbox.
    #[must_use]
    pub fn map(settings: &mailbox::Settings) -> Self {
        Self {
            prefix: "dovecot.map.index".into(),
            tail: Tail::Always,
            backup: Backup::Keep,
            ..Self::mailbox(settings)
        }
    }

    /// For `dovecot.list.index`, which may be called otherwise (`LISTINDEX=`). Nobody asks for its changes
    /// of long ago, so logs are short: Dovecot's numbers.
    #[must_use]
    pub fn list(settings: &mailbox::Settings, name: &str) -> Self {
        Self {
            prefix: name.to_owned().into(),
            tail: Tail::Always,
            thresholds: Thresholds {
                rotate_min: 8 * 1024,
                rotate_max: 64 * 1024,
                log2_age: 10 * 60,
                ..Thresholds::default()
            },
            ..Self::mailbox(settings)
        }
    }
}

/// One index. Cheap to share by `Arc`; every method may be called from any thread.
#[derive(Debug)]
pub struct Index {
    fs: Fs,
    options: Options,
    paths: Paths,
    /// Threads of this process take turns at the log's lock.
    turn: Mutex<()>,
    reader: Mutex<Option<Reader>>,
}

impl Index {
    /// Reads the index in `dir`. Repairs what is damaged, if that is possible.
    ///
    /// # Errors
    /// [`Error::NotFound`] without an index, [`Error::Deleted`].
    pub fn open(fs: &Fs, dir: &Path, options: Options) -> Result<Self, Error> {
        let index = Self::unread(fs, dir, options);
        index.refresh()?;
        if index.wants_repair() {
            match index.begin_sync() {
                Ok(_repaired) => {}
                // Who may only read has to live with it.
                Err(error) => tracing::warn!("not repaired: {error}"),
            }
        }
        Ok(index)
    }

    /// The state as it is on disk now, for whoever only looks: no lock, no repair. The log must be there.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Deleted`]; failed calls.
    pub fn look(fs: &Fs, dir: &Path, options: Options) -> Result<Arc<State>, Error> {
        let index = Self::unread(fs, dir, options);
        if fs.stat_opt(&index.paths.log)?.is_none() {
            return Err(Error::NotFound {
                path: index.paths.log.clone(),
            });
        }
        index.refresh()
    }

    fn unread(fs: &Fs, dir: &Path, options: Options) -> Self {
        Self {
            fs: fs.clone(),
            paths: Paths::new(dir, &options.prefix),
            options,
            turn: Mutex::new(()),
            reader: Mutex::new(None),
        }
    }

    pub(crate) fn fs(&self) -> &Fs {
        &self.fs
    }

    pub(crate) fn file_mode(&self) -> u32 {
        self.options.file_mode
    }

    /// Path of the log, to watch it with inotify and to name it in errors.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.paths.log
    }

    /// The state as it was last read; no file is looked at unless it has to be read anew.
    ///
    /// # Errors
    /// As [`Index::refresh`].
    pub fn state(&self) -> Result<Arc<State>, Error> {
        if let Some(reader) = self.reader().as_ref() {
            return Ok(Arc::clone(&reader.state));
        }
        self.refresh()
    }

    /// The state as it is on disk now.
    ///
    /// # Errors
    /// [`Error::Deleted`] when the mailbox is gone; failed calls.
    pub fn refresh(&self) -> Result<Arc<State>, Error> {
        let mut slot = self.reader();
        let state = self.refresh_slot(&mut slot)?;
        Ok(state)
    }

    /// Has somebody asked for something that nobody has done to the mail yet? As of the last refresh.
    #[must_use]
    pub fn has_requests(&self) -> bool {
        self.reader()
            .as_ref()
            .is_some_and(|reader| !reader.requests.is_empty())
    }

    fn reader(&self) -> MutexGuard<'_, Option<Reader>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wants_repair(&self) -> bool {
        self.reader().as_ref().is_some_and(Reader::wants_repair)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        soon::sync_now(&self.paths.log);
    }
}
