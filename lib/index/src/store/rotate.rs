//! A new log, after or instead of the old one. FORMATS.md §1.7.

use std::sync::Arc;

use sys::fs::{FsFile, FsResult, How, Lock};

use super::log_file::LogFile;
use super::reader::Reader;
use super::{Index, IndexSync};
use crate::log::LogHeader;
use crate::state::field;
use crate::{Error, State, clock};

/// Dovecot does not lock a log that it is making: it takes moments, seconds.
const MOMENTS: i64 = 5;

/// When `.log.newlock` has been left by a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stale {
    /// Nobody has touched it for so long, seconds.
    after: i64,
}

impl Stale {
    /// There is no log yet: anybody may be at it.
    pub(super) const WITHOUT_LOG: Self = Self { after: 3 * 60 };
    /// Who makes a log instead of a damaged one may not hold its lock; it takes moments.
    const DAMAGED: Self = Self { after: 5 };
    /// Who holds the log's lock is alone.
    pub(super) const LOCKED: Self = Self { after: i64::MIN };
}

/// What becomes of the log so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Older {
    /// It becomes `.log.2`.
    Kept,
    /// It goes: it is damaged, and the new checkpoint has what could be read.
    Dropped,
}

impl IndexSync<'_> {
    /// Begins a new log and writes a checkpoint for it. `false`: somebody else is at it.
    pub(super) fn rotate(&mut self, older: Older) -> Result<bool, Error> {
        let index = self.index();
        let Some(mut reader) = index.reader().clone() else {
            return Ok(false);
        };
        // Until the new checkpoint is there, the old one must do without `.log.2`.
        let known = reader.checkpoint.place.file_seq;
        if known != reader.place().file_seq || older == Older::Dropped {
            reader = index.write_checkpoint(reader)?;
        }
        let header = next_header(&reader);
        let stale = match reader.log.damage {
            Some(_) => Stale::DAMAGED,
            None => Stale::LOCKED,
        };
        let Some(file) = index.prepare_log(&header.encode(), stale)? else {
            return Ok(false);
        };
        // The new log says where the old one ends: that must be true after a power failure, too.
        let synced = index.options.durability.sync_data(&self.file);
        let put = synced.and_then(|()| index.put_log(older));
        if put.is_err() {
            let _ = index.fs.unlink_if_exists(&index.paths.new_log);
        }
        put?;
        let Some(log) = LogFile::open(&index.fs, &index.paths.log)? else {
            return Err(Error::Deleted {
                path: index.paths.log.clone(),
            });
        };
        reader.log = LogFile {
            file: file.clone(),
            ..log
        };
        self.take_file(file);
        reader.enter();
        let rotated = match older {
            Older::Kept => clock::now(),
            Older::Dropped => u32::MAX,
        };
        let state = Arc::make_mut(&mut reader.state);
        state.header_mut().set(field::LOG2_ROTATE_TIME, rotated);
        // From here on the new log is the log, whether or not the checkpoint succeeds.
        self.replace(reader.clone());
        let index = self.index();
        index
            .options
            .durability
            .sync_dir(&index.fs, &index.paths.dir)?;
        let reader = index.write_checkpoint(reader)?;
        self.replace(reader);
        Ok(true)
    }
}

pub(super) fn next_header(reader: &Reader) -> LogHeader {
    let place = reader.place();
    new_header(
        &reader.state,
        place.file_seq.max(reader.log.header.file_seq),
        u32::try_from(place.head).unwrap_or(u32::MAX),
    )
}

/// Of the log after number `seq`, which ends at `end`.
pub(super) fn new_header(state: &State, seq: u32, end: u32) -> LogHeader {
    LogHeader {
        minor_version: 3,
        header_size: crate::bytes::low16(LogHeader::SIZE),
        index_id: state.header().index_id(),
        file_seq: seq.saturating_add(1),
        prev_file_seq: seq,
        prev_file_offset: end,
        created: clock::now(),
        initial_modseq: state.highest_modseq(),
        compat_flags: 1,
    }
}

impl Index {
    /// Writes `.log.newlock` and locks it. `None`: somebody else is at it.
    pub(super) fn prepare_log(&self, bytes: &[u8], stale: Stale) -> Result<Option<FsFile>, Error> {
        let path = &self.paths.new_log;
        let new = match self.create_new_log(stale) {
            Ok(new) => new,
            Err(error) if error.is_exists() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let prepared = || -> FsResult<FsFile> {
            new.append(bytes)?;
            self.options.durability.sync_data(&new)?;
            let _ = new.try_lock(Lock::Unlock);
            let file = self.fs.open(path, How::Append, 0)?;
            file.try_lock(Lock::Exclusive)?;
            Ok(file)
        };
        match prepared() {
            Ok(file) => Ok(Some(file)),
            Err(error) => {
                let _ = self.fs.unlink_if_exists(path);
                Err(error.into())
            }
        }
    }

    fn create_new_log(&self, stale: Stale) -> FsResult<FsFile> {
        let path = &self.paths.new_log;
        let mode = self.options.file_mode;
        let created = self.fs.open(path, How::CreateNew, mode);
        match created {
            Err(error) if error.is_exists() => {
                let Some(there) = self.fs.stat_opt(path)? else {
                    return self.fs.open(path, How::CreateNew, mode);
                };
                let age = i64::from(clock::now()).saturating_sub(there.mtime.sec);
                let is_left = age > stale.after || age > MOMENTS && self.is_abandoned();
                if !is_left {
                    return Err(error);
                }
                self.fs.unlink_if_exists(path)?;
                self.fs.open(path, How::CreateNew, mode)
            }
            other => {
                // Whoever finds it sees that we live.
                if let Ok(new) = &other {
                    let _ = new.try_lock(Lock::Exclusive);
                }
                other
            }
        }
    }

    /// Nobody who is alive has it locked.
    fn is_abandoned(&self) -> bool {
        let file = self.fs.open(&self.paths.new_log, How::ReadWrite, 0);
        file.is_ok_and(|file| file.try_lock(Lock::Exclusive).is_ok())
    }

    /// `.log` is there all the time, the old or the new one.
    pub(super) fn put_log(&self, older: Older) -> FsResult<()> {
        self.fs.unlink_if_exists(&self.paths.log2)?;
        if older == Older::Kept {
            self.fs.link(&self.paths.log, &self.paths.log2)?;
        }
        self.fs.rename(&self.paths.new_log, &self.paths.log)
    }
}
