//! [`FsOps`] whose files are in memory: for indexes that have no place on disk (`INDEX=MEMORY`), or whose
//! place takes nothing. One directory without subdirectories; gone with the last handle.

use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};

use super::{EachEntry, EntryKind, FsOps, How, Lock, RealFs, Stat, Time};

/// See the head of this file. All handles of a file share one position, so [`FsOps::write`] always adds at
/// the end; and they share their locks, so threads must take turns by other means.
#[derive(Debug, Default)]
pub struct MemoryFs {
    files: Mutex<HashMap<PathBuf, OwnedFd>>,
}

impl MemoryFs {
    fn files(&self) -> MutexGuard<'_, HashMap<PathBuf, OwnedFd>> {
        // Nothing in here panics half way.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, path: &Path, act: impl FnOnce(&OwnedFd) -> io::Result<T>) -> io::Result<T> {
        let files = self.files();
        act(files.get(path).ok_or(io::ErrorKind::NotFound)?)
    }
}

fn new_file() -> io::Result<OwnedFd> {
    Ok(memfd_create("culver-index", MemfdFlags::CLOEXEC)?)
}

impl FsOps for MemoryFs {
    fn open(&self, path: &Path, how: How, _mode: u32) -> io::Result<OwnedFd> {
        match how {
            How::Directory => return new_file(),
            How::CreateNew if self.files().contains_key(path) => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            How::CreateNew | How::AppendCreate => {
                let mut files = self.files();
                if !files.contains_key(path) {
                    files.insert(path.to_owned(), new_file()?);
                }
            }
            How::Read | How::ReadWrite | How::Append => {}
        }
        self.with(path, OwnedFd::try_clone)
    }

    fn read_at(&self, fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        RealFs.read_at(fd, buf, offset)
    }

    fn write(&self, fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
        let end = RealFs.fstat(fd)?.size;
        RealFs.write_at(fd, buf, end)
    }

    fn write_at(&self, fd: BorrowedFd<'_>, buf: &[u8], offset: u64) -> io::Result<usize> {
        RealFs.write_at(fd, buf, offset)
    }

    fn sync_data(&self, _fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self, _fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, fd: BorrowedFd<'_>, size: u64) -> io::Result<()> {
        RealFs.truncate(fd, size)
    }

    fn set_mtime(&self, fd: BorrowedFd<'_>, mtime: Time) -> io::Result<()> {
        RealFs.set_mtime(fd, mtime)
    }

    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<Stat> {
        RealFs.fstat(fd)
    }

    fn try_lock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        RealFs.try_lock(fd, lock)
    }

    fn try_flock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        RealFs.try_flock(fd, lock)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.with(path, |file| RealFs.fstat(std::os::fd::AsFd::as_fd(file)))
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.stat(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files();
        if files.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = files.get(from).ok_or(io::ErrorKind::NotFound)?;
        let file = file.try_clone()?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let removed = self.files().remove(path);
        removed
            .map(drop)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn mkdir(&self, _path: &Path, _mode: u32) -> io::Result<()> {
        Ok(())
    }

    fn rmdir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read_dir(&self, path: &Path, each: &mut EachEntry<'_>) -> io::Result<()> {
        let files = self.files();
        let here = files.keys().filter(|file| file.parent() == Some(path));
        for name in here.filter_map(|file| file.file_name()) {
            each(name.as_encoded_bytes(), EntryKind::File);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fs::Fs;

    #[test]
    fn files_are_what_was_written() {
        let fs = Fs::new(Arc::new(MemoryFs::default()));
        let (one, two) = (Path::new("/d/one"), Path::new("/d/two"));
        assert!(fs.open(one, How::Append, 0).unwrap_err().is_not_found());
        let file = fs.open(one, How::CreateNew, 0o600).unwrap();
        assert!(fs.open(one, How::CreateNew, 0).unwrap_err().is_exists());
        file.append(b"head").unwrap();
        fs.rename(one, two).unwrap();
        fs.link(two, one).unwrap();
        let again = fs.open(one, How::Append, 0).unwrap();
        again.append(b" tail").unwrap();
        file.write_all_at(b"H", 0).unwrap();
        fs.unlink(two).unwrap();
        assert_eq!(fs.read_file(one, 100).unwrap(), b"Head tail");
        assert_eq!(fs.stat(one).unwrap().ino, file.stat().unwrap().ino);
        let mut names = Vec::new();
        fs.read_dir(Path::new("/d"), &mut |name, _| names.push(name.to_vec()))
            .unwrap();
        assert_eq!(names, [b"one"]);
        fs.sync_dir(Path::new("/d")).unwrap();
    }
}
