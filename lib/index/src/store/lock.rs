//! The lock of the log: an OFD lock on the whole file. FORMATS.md §0.3, §1.6.

use std::io;
use std::sync::{MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sys::fs::{FsFile, Lock};

use super::Index;
use super::log_file::{FileId, LogFile};
use crate::Error;

/// Between two looks, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(20));

impl Index {
    /// Waits for the threads of this process.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the log that is in place now, and refreshes.
    pub(super) fn lock_log(&self) -> Result<FsFile, Error> {
        let deadline = Instant::now() + self.options.lock_timeout;
        loop {
            let log = self.current_log()?;
            self.wait_for(&log.file, deadline)?;
            match self.confirm(&log) {
                Ok(true) => return Ok(log.file),
                other => {
                    let _ = log.file.try_lock(Lock::Unlock);
                    other?;
                }
            }
        }
    }

    /// Is it still the log, and is there nothing newer than what was read?
    fn confirm(&self, log: &LogFile) -> Result<bool, Error> {
        let there = self.fs.stat_opt(&self.paths.log)?;
        if there.map(|stat| FileId::from(&stat)) != Some(log.id) {
            return Ok(false);
        }
        Ok(self.current_log()?.id == log.id)
    }

    fn current_log(&self) -> Result<LogFile, Error> {
        let mut slot = self.reader();
        self.refresh_slot(&mut slot)?;
        match slot.as_ref() {
            Some(reader) => Ok(reader.log.clone()),
            None => Err(Error::NotFound {
                path: self.paths.log.clone(),
            }),
        }
    }

    fn wait_for(&self, file: &FsFile, deadline: Instant) -> Result<(), Error> {
        let (mut pause, longest) = PAUSES;
        loop {
            match file.try_lock(Lock::Exclusive) {
                Ok(()) => return Ok(()),
                Err(error) if !is_held(&error.source) => return Err(error.into()),
                Err(_) if Instant::now() >= deadline => {
                    return Err(Error::Locked {
                        path: self.paths.log.clone(),
                    });
                }
                // The kernel can only tell those who wait for it without a deadline.
                Err(_) => thread::sleep(pause),
            }
            pause = (pause * 2).min(longest);
        }
    }
}

fn is_held(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied | io::ErrorKind::Interrupted
    )
}
