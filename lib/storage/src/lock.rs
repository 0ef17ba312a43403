//! Locks that are files of their own, made for as long as they are held. FORMATS.md §6.7.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mailbox::Error;
use sys::fs::{Fs, FsFile, How, Lock};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Held until it is dropped.
#[derive(Debug)]
pub struct LockFile {
    fs: Fs,
    path: PathBuf,
    _file: FsFile,
}

impl LockFile {
    /// Makes and locks it; waits for its owner for so long.
    ///
    /// # Errors
    /// [`Error::Locked`]; the failed call.
    pub fn acquire(fs: &Fs, path: PathBuf, longest: Duration) -> Result<Self, Error> {
        let started = Instant::now();
        loop {
            let file = fs.open(&path, How::AppendCreate, 0o600)?;
            match file.try_lock(Lock::Exclusive) {
                Ok(()) => {
                    let ours = file.stat()?;
                    let now = fs.stat_opt(&path)?;
                    // Its last owner removed it while we waited: then it locks nobody out.
                    if now.is_some_and(|now| (now.dev, now.ino) == (ours.dev, ours.ino)) {
                        return Ok(Self {
                            fs: fs.clone(),
                            path,
                            _file: file,
                        });
                    }
                }
                Err(error) if error.source.kind() == std::io::ErrorKind::WouldBlock => {
                    if started.elapsed() >= longest {
                        return Err(Error::Locked { path });
                    }
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Removed while it is still locked, as Dovecot does. If it stays, it locks nobody out.
        let _ = self.fs.unlink_if_exists(&self.path);
    }
}
