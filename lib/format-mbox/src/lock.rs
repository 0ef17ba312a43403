//! Locking an mbox file as the configuration says, so that MTAs and mail readers of this host wait for
//! us and we for them.
//!
//! The locks are taken in the order of the setting. After each one of the file itself the path is looked
//! at again: who renames files over mailboxes does so while we wait.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mailbox::Error;
use sys::fs::dotlock::{Dotlock, DotlockError, Patience};
use sys::fs::{Fs, FsError, FsFile, FsResult, How, Lock};

use crate::settings::{LockMethod, Settings};

/// What the file is locked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Nobody writes meanwhile.
    Read,
    /// Nobody reads or writes meanwhile.
    Write,
}

/// The open and locked file; the locks go when this does. Clones of the file do not hold them.
#[derive(Debug)]
pub struct Locked {
    file: FsFile,
    purpose: Purpose,
    _dotlock: Option<Dotlock>,
}

impl Locked {
    /// Locks the file at `path`.
    ///
    /// # Errors
    /// [`Error::Locked`]; the failed call, [`FsError::is_denied`] where we may not write.
    pub fn acquire(
        fs: &Fs,
        path: &Path,
        settings: &Settings,
        purpose: Purpose,
    ) -> Result<Self, Error> {
        let ladder = Ladder {
            fs,
            path,
            settings,
            purpose,
            deadline: Instant::now() + settings.lock_timeout,
        };
        ladder.climb()
    }

    /// The file, opened for writing too if it is locked for that.
    #[must_use]
    pub fn file(&self) -> &FsFile {
        &self.file
    }

    /// What it is locked for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing the last handle would do it too, but readers may hold clones.
        let _ = self.file.try_fcntl(Lock::Unlock);
    }
}

struct Ladder<'l> {
    fs: &'l Fs,
    path: &'l Path,
    settings: &'l Settings,
    purpose: Purpose,
    deadline: Instant,
}

impl Ladder<'_> {
    fn climb(&self) -> Result<Locked, Error> {
        let methods = match self.purpose {
            Purpose::Read => &self.settings.read_locks,
            Purpose::Write => &self.settings.write_locks,
        };
        let mut locked = Locked {
            file: self.open()?,
            purpose: self.purpose,
            _dotlock: None,
        };
        let mut taken = Vec::new();
        for method in methods {
            if let LockMethod::Dotlock | LockMethod::DotlockTry = method {
                locked._dotlock = self.dotlock(*method)?;
            } else {
                self.lock(&locked.file, *method)?;
                taken.push(*method);
            }
            while !self.is_current(&locked.file)? {
                locked.file = self.open()?;
                for method in &taken {
                    self.lock(&locked.file, *method)?;
                }
            }
        }
        Ok(locked)
    }

    fn open(&self) -> FsResult<FsFile> {
        let how = match self.purpose {
            Purpose::Read => How::Read,
            Purpose::Write => How::ReadWrite,
        };
        let file = self.fs.open(self.path, how, 0)?;
        if file.stat()?.is_file() {
            return Ok(file);
        }
        let source = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        Err(FsError {
            call: "open",
            path: self.path.to_owned(),
            source,
        })
    }

    /// Is it still the file that the path leads to?
    fn is_current(&self, file: &FsFile) -> FsResult<bool> {
        let (held, there) = (file.stat()?, self.fs.stat(self.path)?);
        Ok((held.dev, held.ino) == (there.dev, there.ino))
    }

    fn dotlock(&self, method: LockMethod) -> Result<Option<Dotlock>, Error> {
        // Beside the file itself, as other programs do; a mailbox may be a symbolic link.
        let patience = Patience {
            timeout: self.left(),
            stale: self.settings.dotlock_change_timeout,
        };
        match Dotlock::acquire_with(self.fs, self.path, patience) {
            Ok(dotlock) => Ok(Some(dotlock)),
            Err(DotlockError::Fs(error)) if error.is_denied() || error.is_no_space() => {
                if method == LockMethod::DotlockTry {
                    return Ok(None);
                }
                if error.is_denied() {
                    tracing::error!(
                        "{error}: no dotlock can be made here (mail_privileged_group, or dotlock_try \
                         in mbox_write_locks)"
                    );
                }
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn lock(&self, file: &FsFile, method: LockMethod) -> Result<(), Error> {
        let mut pause = Duration::from_millis(1);
        loop {
            let taken = match method {
                LockMethod::Flock => file.try_flock(),
                LockMethod::Fcntl if self.purpose == Purpose::Read => file.try_fcntl(Lock::Shared),
                // Needs a handle for writing, which readers may not get.
                LockMethod::Lockf if self.purpose == Purpose::Read => file.try_fcntl(Lock::Shared),
                _ => file.try_fcntl(Lock::Exclusive),
            };
            match taken {
                Err(error) if is_busy(&error) => {}
                other => return Ok(other?),
            }
            if self.left().is_zero() {
                return Err(Error::Locked {
                    path: PathBuf::from(self.path),
                });
            }
            std::thread::sleep(pause.min(self.left()));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

fn is_busy(error: &FsError) -> bool {
    matches!(
        error.source.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(read: &str, write: &str) -> Settings {
        Settings {
            read_locks: LockMethod::parse_list(read).unwrap(),
            write_locks: LockMethod::parse_list(write).unwrap(),
            lock_timeout: Duration::from_millis(30),
            ..Settings::default()
        }
    }

    fn take(path: &Path, settings: &Settings, purpose: Purpose) -> Result<Locked, Error> {
        Locked::acquire(&Fs::real(), path, settings, purpose)
    }

    #[test]
    fn each_way_excludes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mbox");
        std::fs::write(&path, "").unwrap();
        for write in [
            "fcntl",
            "dotlock",
            "flock",
            "lockf",
            "fcntl dotlock",
            "dotlock_try flock fcntl",
        ] {
            let settings = settings("", write);
            let first = take(&path, &settings, Purpose::Write).unwrap();
            let second = take(&path, &settings, Purpose::Write);
            assert!(
                matches!(second, Err(Error::Locked { .. })),
                "{write}: {second:?}"
            );
            assert_eq!(
                dir.path().join("mbox.lock").exists(),
                write.contains("dotlock")
            );
            drop(first);
            take(&path, &settings, Purpose::Write).unwrap();
            assert!(!dir.path().join("mbox.lock").exists());
        }
    }

    #[test]
    fn readers_share() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mbox");
        std::fs::write(&path, "").unwrap();
        let settings = settings("fcntl", "fcntl dotlock");
        let first = take(&path, &settings, Purpose::Read).unwrap();
        let second = take(&path, &settings, Purpose::Read).unwrap();
        let clone = first.file().clone();
        assert!(take(&path, &settings, Purpose::Write).is_err());
        drop((first, second));
        assert_eq!(
            take(&path, &settings, Purpose::Write).unwrap().purpose(),
            Purpose::Write
        );
        drop(clone);
    }

    #[test]
    fn a_file_that_was_replaced_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mbox");
        std::fs::write(&path, "old").unwrap();
        let settings = Settings {
            lock_timeout: Duration::from_secs(60),
            ..settings("", "fcntl")
        };
        let held = take(&path, &settings, Purpose::Write).unwrap();
        let inode = held.file().stat().unwrap().ino;
        let other = {
            let (path, settings) = (path.clone(), settings.clone());
            std::thread::spawn(move || take(&path, &settings, Purpose::Write).unwrap())
        };
        std::fs::write(dir.path().join("new"), "new").unwrap();
        std::fs::rename(dir.path().join("new"), &path).unwrap();
        drop(held);
        let other = other.join().unwrap();
        assert_ne!(other.file().stat().unwrap().ino, inode);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let missing = take(&dir.path().join("x"), &Settings::default(), Purpose::Write);
        assert!(missing.is_err());
        take(Path::new("/dev/null"), &Settings::default(), Purpose::Read).unwrap_err();
    }
}
