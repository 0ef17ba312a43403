//! `mailboxes.lock`: CREATE, DELETE and RENAME wait for each other. FORMATS.md §6.7.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mailbox::Error;
use sys::fs::{Fs, FsFile, How, Lock};

use super::List;

/// How long they wait.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

impl List {
    /// The lock of CREATE, DELETE and RENAME.
    ///
    /// # Errors
    /// [`Error::Locked`]; the failed call.
    pub fn lock(&self) -> Result<ListLock, Error> {
        let path = self.location.lock_dir().join("mailboxes.lock");
        let started = Instant::now();
        loop {
            let file = self.fs.open(&path, How::AppendCreate, 0o600)?;
            match file.try_lock(Lock::Exclusive) {
                Ok(()) => {
                    let ours = file.stat()?;
                    let now = self.fs.stat_opt(&path)?;
                    // Its last owner removed it while we waited: then it locks nobody out.
                    if now.is_some_and(|now| (now.dev, now.ino) == (ours.dev, ours.ino)) {
                        return Ok(ListLock {
                            fs: self.fs.clone(),
                            path,
                            _file: file,
                        });
                    }
                }
                Err(error) if error.source.kind() == std::io::ErrorKind::WouldBlock => {
                    if started.elapsed() > LOCK_TIMEOUT {
                        return Err(Error::Locked { path });
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Held until it is dropped.
#[derive(Debug)]
pub struct ListLock {
    fs: Fs,
    path: PathBuf,
    _file: FsFile,
}

impl Drop for ListLock {
    fn drop(&mut self) {
        // Removed while it is still locked, as Dovecot does. If it stays, it locks nobody out.
        let _ = self.fs.unlink_if_exists(&self.path);
    }
}
