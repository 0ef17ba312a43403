//! Every file operation of storage, behind one small trait, so that a test can fail the nth call
//! with any errno and list the calls of a protocol in order.
//!
//! [`FsOps`] is the trait, [`RealFs`] the kernel. Storage code holds an [`Fs`], which adds to each
//! failure what was called on which path, and [`FsFile`]s that it opened.
//! Nothing here decides policy; [`dotlock`] is the one protocol that several formats share.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub mod dotlock;
#[cfg(any(test, feature = "faulty-fs"))]
pub mod faulty;
mod file;
pub mod memory;
mod real;

pub use file::FsFile;
pub use real::RealFs;

/// How a file is opened. All handles are close-on-exec and never become a controlling terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// For reading; only a regular file, so that a FIFO in a mailbox blocks nobody.
    Read,
    /// For reading and writing in place; must exist.
    ReadWrite,
    /// For writing at the end only (`O_APPEND`); must exist.
    Append,
    /// As [`How::Append`], made if it does not exist.
    AppendCreate,
    /// For writing; must not exist yet (`O_EXCL`).
    CreateNew,
    /// A directory, to sync it.
    Directory,
}

/// What `stat` says, as far as storage asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// File type and permission bits.
    pub mode: u32,
    /// Number of hard links.
    pub nlink: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of the inode.
    pub ctime: Time,
}

impl Stat {
    /// Is it a directory?
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    /// Is it a regular file?
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}

/// A point in time as the file system keeps it: UNIX seconds and 0..1,000,000,000 nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970, negative before.
    pub sec: i64,
    /// Nanoseconds within the second.
    pub nsec: u32,
}

/// What a directory entry is, as far as the directory itself knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link: `stat` tells to what.
    Symlink,
    /// The file system does not say: ask `stat`.
    Unknown,
    /// A device, a socket, a FIFO.
    Other,
}

/// How whole files are locked: `lock_method`. Neither kind excludes the other, so all that share files must
/// agree. Both are released when the handle is closed, also by kill (FORMATS.md §0.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LockMethod {
    /// `F_OFD_SETLK`
    #[default]
    Fcntl,
    /// `flock()`
    Flock,
}

/// A lock on a whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Together with other readers.
    Shared,
    /// Alone.
    Exclusive,
    /// Give it back.
    Unlock,
}

/// Called for each entry of a directory, `.` and `..` left out.
pub type EachEntry<'a> = dyn FnMut(&[u8], EntryKind) + 'a;

/// The file operations of storage. Every method is one system call, or a loop of one. Not every file system
/// has attributes.
#[expect(missing_docs, reason = "each method is the system call of its name")]
pub trait FsOps: fmt::Debug + Send + Sync {
    fn open(&self, path: &Path, how: How, mode: u32) -> io::Result<OwnedFd>;
    fn read_at(&self, fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    fn write(&self, fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize>;
    fn write_at(&self, fd: BorrowedFd<'_>, buf: &[u8], offset: u64) -> io::Result<usize>;
    fn sync_data(&self, fd: BorrowedFd<'_>) -> io::Result<()>;
    fn sync_all(&self, fd: BorrowedFd<'_>) -> io::Result<()>;
    fn truncate(&self, fd: BorrowedFd<'_>, size: u64) -> io::Result<()>;
    fn set_mtime(&self, fd: BorrowedFd<'_>, mtime: Time) -> io::Result<()>;
    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<Stat>;
    fn try_lock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()>;
    fn try_flock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()>;
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    fn lstat(&self, path: &Path) -> io::Result<Stat>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn unlink(&self, path: &Path) -> io::Result<()>;
    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()>;
    fn rmdir(&self, path: &Path) -> io::Result<()>;
    fn read_dir(&self, path: &Path, each: &mut EachEntry<'_>) -> io::Result<()>;
    fn set_attribute(&self, _: BorrowedFd<'_>, _name: &CStr, _value: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn attribute(&self, _: BorrowedFd<'_>, _name: &CStr, _into: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A file operation that failed: what, on which path, why. `Display` is a log line.
#[derive(Debug)]
pub struct FsError {
    /// The system call.
    pub call: &'static str,
    /// The path it was called on, or which its handle was opened by.
    pub path: PathBuf,
    /// The kernel's answer.
    pub source: io::Error,
}

impl fmt::Display for FsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}({}) failed: {}",
            self.call,
            self.path.display(),
            self.source
        )
    }
}

impl std::error::Error for FsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl FsError {
    /// No such file, or no such directory on the way to it.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
            || self.source.kind() == io::ErrorKind::NotADirectory
    }

    /// The name is taken.
    #[must_use]
    pub fn is_exists(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
            || self.source.kind() == io::ErrorKind::DirectoryNotEmpty
    }

    /// The disk is full or the file system's quota used up.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }

    /// The permissions or a read-only file system forbid it.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        )
    }
}

/// The result of an [`Fs`] operation.
pub type FsResult<T> = Result<T, FsError>;

/// [`FsOps`] with errors that say where. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fs {
    ops: Arc<dyn FsOps>,
    locks: LockMethod,
}

impl Fs {
    /// The kernel's file system.
    #[must_use]
    pub fn real() -> Self {
        Self::new(Arc::new(RealFs))
    }

    /// Any implementation.
    #[must_use]
    pub fn new(ops: Arc<dyn FsOps>) -> Self {
        let locks = LockMethod::default();
        Self { ops, locks }
    }

    /// The same, whose files are locked so.
    #[must_use]
    pub fn locking_by(&self, locks: LockMethod) -> Self {
        let ops = Arc::clone(&self.ops);
        Self { ops, locks }
    }

    /// Opens `path`; `mode` counts when it is created.
    pub fn open(&self, path: &Path, how: How, mode: u32) -> FsResult<FsFile> {
        let fd = self
            .ops
            .open(path, how, mode)
            .map_err(|e| fail("open", path, e))?;
        Ok(FsFile::new(self, fd, path.to_owned()))
    }

    /// Opens a regular file for reading.
    pub fn open_read(&self, path: &Path) -> FsResult<FsFile> {
        self.open(path, How::Read, 0)
    }

    /// What `path` leads to.
    pub fn stat(&self, path: &Path) -> FsResult<Stat> {
        self.ops.stat(path).map_err(|e| fail("stat", path, e))
    }

    /// [`Fs::stat`], `None` where there is nothing.
    pub fn stat_opt(&self, path: &Path) -> FsResult<Option<Stat>> {
        found(self.stat(path))
    }

    /// `path` itself, even if it is a symbolic link.
    pub fn lstat(&self, path: &Path) -> FsResult<Stat> {
        self.ops.lstat(path).map_err(|e| fail("lstat", path, e))
    }

    /// Renames, replacing what was at `to`.
    pub fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.ops
            .rename(from, to)
            .map_err(|e| fail("rename", from, e))
    }

    /// Makes a hard link; `to` must not exist.
    pub fn link(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.ops.link(from, to).map_err(|e| fail("link", to, e))
    }

    /// Removes a file.
    pub fn unlink(&self, path: &Path) -> FsResult<()> {
        self.ops.unlink(path).map_err(|e| fail("unlink", path, e))
    }

    /// Removes a file; fine if it is gone already.
    pub fn unlink_if_exists(&self, path: &Path) -> FsResult<()> {
        found(self.unlink(path)).map(|_| ())
    }

    /// Makes one directory.
    pub fn mkdir(&self, path: &Path, mode: u32) -> FsResult<()> {
        self.ops
            .mkdir(path, mode)
            .map_err(|e| fail("mkdir", path, e))
    }

    /// Makes a directory and its missing parents; fine if it is there.
    pub fn mkdir_all(&self, path: &Path, mode: u32) -> FsResult<()> {
        match self.mkdir(path, mode) {
            Ok(()) => Ok(()),
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
                let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) else {
                    return Err(error);
                };
                self.mkdir_all(parent, mode)?;
                self.mkdir_existing(path, mode)
            }
            Err(error) if error.is_exists() => self.must_be_dir(path, error),
            Err(error) => Err(error),
        }
    }

    fn mkdir_existing(&self, path: &Path, mode: u32) -> FsResult<()> {
        match self.mkdir(path, mode) {
            Err(error) if error.is_exists() => self.must_be_dir(path, error),
            other => other,
        }
    }

    fn must_be_dir(&self, path: &Path, error: FsError) -> FsResult<()> {
        if self.stat(path)?.is_dir() {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Removes an empty directory.
    pub fn rmdir(&self, path: &Path) -> FsResult<()> {
        self.ops.rmdir(path).map_err(|e| fail("rmdir", path, e))
    }

    /// Calls `each` for every entry, in the file system's order.
    pub fn read_dir(&self, path: &Path, each: &mut EachEntry<'_>) -> FsResult<()> {
        self.ops
            .read_dir(path, each)
            .map_err(|e| fail("readdir", path, e))
    }

    /// Makes the names in a directory durable.
    pub fn sync_dir(&self, path: &Path) -> FsResult<()> {
        self.open(path, How::Directory, 0)?.sync_all()
    }

    /// The whole file, refused beyond `limit` bytes.
    pub fn read_file(&self, path: &Path, limit: u64) -> FsResult<Vec<u8>> {
        self.open_read(path)?.read_all(limit)
    }

    /// [`Fs::read_file`], `None` where there is nothing.
    pub fn read_file_opt(&self, path: &Path, limit: u64) -> FsResult<Option<Vec<u8>>> {
        found(self.read_file(path, limit))
    }

    /// Removes a directory tree. What vanishes meanwhile is fine.
    pub fn remove_tree(&self, path: &Path) -> FsResult<()> {
        let mut entries = Vec::new();
        let listed = self.read_dir(path, &mut |name, kind| entries.push((name.to_vec(), kind)));
        if found(listed)?.is_none() {
            return Ok(());
        }
        for (name, kind) in entries {
            let child = join(path, &name);
            let is_dir = match kind {
                EntryKind::Directory => true,
                EntryKind::Unknown => self.lstat(&child)?.is_dir(),
                _ => false,
            };
            if is_dir {
                self.remove_tree(&child)?
            } else {
                self.unlink_if_exists(&child)?
            }
        }
        found(self.rmdir(path)).map(|_| ())
    }
}

/// `None` for "there is nothing".
pub fn found<T>(result: FsResult<T>) -> FsResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// `dir/name`, for names as the directory gave them.
#[must_use]
pub fn join(dir: &Path, name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    dir.join(std::ffi::OsStr::from_bytes(name))
}

fn fail(call: &'static str, path: &Path, source: io::Error) -> FsError {
    FsError {
        call,
        path: path.to_owned(),
        source,
    }
}

impl AsFd for FsFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}
