//! An open file whose every operation goes through [`FsOps`].

use std::ffi::CStr;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Fs, FsError, FsOps, FsResult, Lock, LockMethod, Stat, Time};

/// An open file. Reading keeps a position of its own in each clone (`pread`); writing goes where
/// the kernel's position is, which clones share.
#[derive(Clone, Debug)]
pub struct FsFile {
    ops: Arc<dyn FsOps>,
    locks: LockMethod,
    fd: Arc<OwnedFd>,
    path: PathBuf,
    position: u64,
}

impl FsFile {
    pub(super) fn new(fs: &Fs, fd: OwnedFd, path: PathBuf) -> Self {
        Self {
            ops: Arc::clone(&fs.ops),
            locks: fs.locks,
            fd: Arc::new(fd),
            path,
            position: 0,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The path it was opened by; the file may have been renamed since.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of `bytes`.
    pub fn append(&self, mut bytes: &[u8]) -> FsResult<()> {
        while !bytes.is_empty() {
            let written = self.retry("write", || self.ops.write(self.fd(), bytes))?;
            bytes = self.rest(bytes, written)?;
        }
        Ok(())
    }

    /// Writes with one call, for files in which nobody may see half of it; tells how much went.
    pub fn write_once(&self, bytes: &[u8]) -> FsResult<usize> {
        self.retry("write", || self.ops.write(self.fd(), bytes))
    }

    /// Writes all of `bytes` at `offset`, whatever the position.
    pub fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> FsResult<()> {
        while !bytes.is_empty() {
            let written = self.retry("pwrite", || self.ops.write_at(self.fd(), bytes, offset))?;
            bytes = self.rest(bytes, written)?;
            offset += written as u64;
        }
        Ok(())
    }

    /// Reads at `offset`; 0 bytes is the end of the file.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize> {
        self.retry("pread", || self.ops.read_at(self.fd(), buf, offset))
    }

    /// Everything from the position on; more than `limit` bytes is `EFBIG`.
    pub fn read_all(&mut self, limit: u64) -> FsResult<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = self.read_at(&mut chunk, self.position)?;
            if read == 0 {
                return Ok(bytes);
            }
            self.position += read as u64;
            bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if bytes.len() as u64 > limit {
                return Err(self.fail("read", io::ErrorKind::FileTooLarge.into()));
            }
        }
    }

    /// Makes the content durable (`fdatasync`).
    pub fn sync_data(&self) -> FsResult<()> {
        self.ops
            .sync_data(self.fd())
            .map_err(|e| self.fail("fdatasync", e))
    }

    /// Makes content and inode durable (`fsync`).
    pub fn sync_all(&self) -> FsResult<()> {
        self.ops
            .sync_all(self.fd())
            .map_err(|e| self.fail("fsync", e))
    }

    /// Cuts or extends to `size` bytes.
    pub fn truncate(&self, size: u64) -> FsResult<()> {
        self.ops
            .truncate(self.fd(), size)
            .map_err(|e| self.fail("ftruncate", e))
    }

    /// Sets the modification time; access time follows.
    pub fn set_mtime(&self, mtime: Time) -> FsResult<()> {
        self.ops
            .set_mtime(self.fd(), mtime)
            .map_err(|e| self.fail("futimens", e))
    }

    /// What the handle leads to.
    pub fn stat(&self) -> FsResult<Stat> {
        self.ops.fstat(self.fd()).map_err(|e| self.fail("fstat", e))
    }

    /// Takes a lock as [`Fs::locking_by`] says, or fails at once with `WouldBlock`.
    pub fn try_lock(&self, lock: Lock) -> FsResult<()> {
        match self.locks {
            LockMethod::Fcntl => self.try_fcntl(lock),
            LockMethod::Flock => self
                .ops
                .try_flock(self.fd(), lock)
                .map_err(|e| self.fail("flock", e)),
        }
    }

    /// Takes an OFD lock, or fails at once with `WouldBlock`.
    pub fn try_fcntl(&self, lock: Lock) -> FsResult<()> {
        self.ops
            .try_lock(self.fd(), lock)
            .map_err(|e| self.fail("fcntl", e))
    }

    /// Takes the file's `flock` for writing, or fails at once with `WouldBlock`. Given back when the last
    /// clone is dropped.
    pub fn try_flock(&self) -> FsResult<()> {
        self.ops
            .try_flock(self.fd(), Lock::Exclusive)
            .map_err(|e| self.fail("flock", e))
    }

    /// Sets an extended attribute (`user.…`). It is in the inode: after a power cut it is there when the file's
    /// name is, which its content need not be.
    pub fn set_attribute(&self, name: &CStr, value: &[u8]) -> FsResult<()> {
        let set = self.ops.set_attribute(self.fd(), name, value);
        set.map_err(|e| self.fail("fsetxattr", e))
    }

    /// An extended attribute of at most `limit` bytes; empty if there is none.
    pub fn attribute(&self, name: &CStr, limit: usize) -> Vec<u8> {
        let mut value = vec![0; limit];
        let read = self.ops.attribute(self.fd(), name, &mut value);
        value.truncate(read.unwrap_or(0));
        value
    }

    fn rest<'b>(&self, bytes: &'b [u8], written: usize) -> FsResult<&'b [u8]> {
        match bytes.get(written..) {
            Some(rest) if written > 0 => Ok(rest),
            _ => Err(self.fail("write", io::ErrorKind::WriteZero.into())),
        }
    }

    fn retry<T>(&self, call: &'static str, mut once: impl FnMut() -> io::Result<T>) -> FsResult<T> {
        loop {
            match once() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(|e| self.fail(call, e)),
            }
        }
    }

    fn fail(&self, call: &'static str, source: io::Error) -> FsError {
        FsError {
            call,
            path: self.path.clone(),
            source,
        }
    }
}

impl Read for FsFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.ops.read_at(self.fd(), buf, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for FsFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            SeekFrom::End(delta) => self.ops.fstat(self.fd())?.size.checked_add_signed(delta),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl Write for FsFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.ops.write(self.fd(), buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
