//! An index from nothing. FORMATS.md §1.14.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sys::fs::Fs;

use super::rotate::{Stale, new_header};
use super::{Index, Options};
use crate::log::LogHeader;
use crate::transaction::Transaction;
use crate::{Error, State, clock};

/// Between two looks at what another creator does.
const PAUSE: Duration = Duration::from_millis(5);

/// Whose index is it?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It begins with our transaction.
    Ours,
    /// Somebody was faster, or it was there: our transaction is nowhere.
    Theirs,
}

impl Index {
    /// Makes an index in `dir` that begins with `transaction`, or opens the one that is there.
    ///
    /// # Errors
    /// Failed calls: there is no index, or somebody else's.
    pub fn create(
        fs: &Fs,
        dir: &Path,
        options: Options,
        transaction: &Transaction,
    ) -> Result<(Self, Created), Error> {
        let index = Self::unread(fs, dir, options);
        let now = clock::now();
        let state = State::empty(now);
        let records = transaction.encode(&state, clock::midnight(now));
        let records = records.map_err(|what| Error::Refused {
            path: index.paths.log.clone(),
            what,
        })?;
        let header = LogHeader {
            prev_file_seq: 0,
            ..new_header(&state, 0, 0)
        };
        let mut log = header.encode().to_vec();
        log.extend(records);
        let created = index.put_first(&log)?;
        Ok((Self::open(fs, dir, index.options.clone())?, created))
    }

    /// Puts the bytes of a log in place, if there is none.
    fn put_first(&self, bytes: &[u8]) -> Result<Created, Error> {
        let deadline = Instant::now() + self.options.lock_timeout;
        loop {
            if self.fs.stat_opt(&self.paths.log)?.is_some() {
                return Ok(Created::Theirs);
            }
            if let Some(new) = self.prepare_log(bytes, Stale::WITHOUT_LOG)? {
                let put = self.put_prepared();
                drop(new);
                if !matches!(put, Ok(Created::Ours)) {
                    let _ = self.fs.unlink_if_exists(&self.paths.new_log);
                }
                return put;
            }
            if Instant::now() >= deadline {
                return Err(Error::Locked {
                    path: self.paths.new_log.clone(),
                });
            }
            thread::sleep(PAUSE);
        }
    }

    /// `.log.newlock` is ours, so nobody else makes a log now.
    fn put_prepared(&self) -> Result<Created, Error> {
        if self.fs.stat_opt(&self.paths.log)?.is_some() {
            return Ok(Created::Theirs);
        }
        self.fs.rename(&self.paths.new_log, &self.paths.log)?;
        let durability = self.options.durability;
        durability.sync_dir(&self.fs, &self.paths.dir)?;
        Ok(Created::Ours)
    }

    /// There is no log. A checkpoint alone gets a new one, so that it can be repaired.
    ///
    /// # Errors
    /// [`Error::NotFound`] without a checkpoint.
    pub(super) fn restore_log(&self) -> Result<(), Error> {
        let not_found = || Error::NotFound {
            path: self.paths.log.clone(),
        };
        let limit = u64::from(u32::MAX);
        let file = self.fs.read_file_opt(&self.paths.index, limit)?;
        let state = State::decode(&file.ok_or_else(not_found)?);
        let state = state.map_err(|_| not_found())?;
        let place = state.place();
        let end = u32::try_from(place.head).unwrap_or(u32::MAX);
        let header = new_header(&state, place.file_seq.max(1), end);
        tracing::warn!("{}: is missing", self.paths.log.display());
        self.put_first(&header.encode())?;
        Ok(())
    }
}
