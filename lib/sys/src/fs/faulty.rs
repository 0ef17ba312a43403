//! [`FsOps`] that fails on purpose, for tests: the nth call, with any errno, once or from then on.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{EachEntry, FsOps, How, Lock, RealFs, Stat, Time};

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: calls are only recorded.
    None,
    /// Call number `nth` (from 1) fails with `errno`; the others work.
    Once { nth: usize, errno: i32 },
    /// Call number `nth` and all after it fail with `errno`, as if the process was killed there
    /// (`EIO` for all) or the disk went away.
    From { nth: usize, errno: i32 },
    /// From call number `nth` on whatever needs space fails with `ENOSPC`: a full disk. Writes
    /// put half of their bytes first.
    Full { nth: usize },
}

/// One recorded call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Name of the [`FsOps`] method.
    pub name: &'static str,
    /// First path argument; empty for calls on a handle.
    pub path: PathBuf,
}

/// The real file system with faults.
#[derive(Debug)]
pub struct FaultyFs {
    state: Mutex<State>,
    others: Mutex<Others>,
}

/// What others do right before each call of this name.
struct Others(&'static str, Box<dyn FnMut() + Send>);

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Others")
            .field(&self.0)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct State {
    fault: Fault,
    calls: Vec<Call>,
}

enum Verdict {
    Work,
    Half,
}

impl FaultyFs {
    /// Starts counting with the next call.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self {
            state: Mutex::new(State {
                fault,
                calls: Vec::new(),
            }),
            others: Mutex::new(Others("", Box::new(|| ()))),
        }
    }

    /// Somebody else does `act` right before each call of this name: a race that is lost every time.
    pub fn before_each(&self, name: &'static str, act: impl FnMut() + Send + 'static) {
        *self.others() = Others(name, Box::new(act));
    }

    fn others(&self) -> MutexGuard<'_, Others> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the calls so far and starts counting anew.
    pub fn set(&self, fault: Fault) {
        *self.state() = State {
            fault,
            calls: Vec::new(),
        };
    }

    /// The calls since the start of counting.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, name: &'static str, path: &Path) -> io::Result<Verdict> {
        let mut others = self.others();
        if others.0 == name {
            (others.1)();
        }
        drop(others);
        let mut state = self.state();
        state.calls.push(Call {
            name,
            path: path.to_owned(),
        });
        let now = state.calls.len();
        match state.fault {
            Fault::Once { nth, errno } if now == nth => Err(io::Error::from_raw_os_error(errno)),
            Fault::From { nth, errno } if now >= nth => Err(io::Error::from_raw_os_error(errno)),
            Fault::Full { nth } if now >= nth => match name {
                "write" | "write_at" => Ok(Verdict::Half),
                "create" | "link" | "mkdir" | "rename" => {
                    Err(io::Error::from_raw_os_error(libc::ENOSPC))
                }
                _ => Ok(Verdict::Work),
            },
            _ => Ok(Verdict::Work),
        }
    }

    fn on_fd(&self, name: &'static str) -> io::Result<Verdict> {
        self.step(name, Path::new(""))
    }

    /// On a full disk the first half of a large write fits; then nothing.
    fn half<'b>(&self, buf: &'b [u8], verdict: &Verdict) -> io::Result<&'b [u8]> {
        match verdict {
            Verdict::Work => Ok(buf),
            Verdict::Half if buf.len() > 64 => Ok(&buf[..buf.len() / 2]),
            Verdict::Half => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        }
    }
}

impl FsOps for FaultyFs {
    fn open(&self, path: &Path, how: How, mode: u32) -> io::Result<OwnedFd> {
        let creates = matches!(how, How::CreateNew | How::AppendCreate);
        self.step(if creates { "create" } else { "open" }, path)?;
        RealFs.open(path, how, mode)
    }

    fn read_at(&self, fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.on_fd("read_at")?;
        RealFs.read_at(fd, buf, offset)
    }

    fn write(&self, fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
        let verdict = self.on_fd("write")?;
        RealFs.write(fd, self.half(buf, &verdict)?)
    }

    fn write_at(&self, fd: BorrowedFd<'_>, buf: &[u8], offset: u64) -> io::Result<usize> {
        let verdict = self.on_fd("write_at")?;
        RealFs.write_at(fd, self.half(buf, &verdict)?, offset)
    }

    fn sync_data(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.on_fd("sync_data")?;
        RealFs.sync_data(fd)
    }

    fn sync_all(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.on_fd("sync_all")?;
        RealFs.sync_all(fd)
    }

    fn truncate(&self, fd: BorrowedFd<'_>, size: u64) -> io::Result<()> {
        self.on_fd("truncate")?;
        RealFs.truncate(fd, size)
    }

    fn set_mtime(&self, fd: BorrowedFd<'_>, mtime: Time) -> io::Result<()> {
        self.on_fd("set_mtime")?;
        RealFs.set_mtime(fd, mtime)
    }

    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<Stat> {
        self.on_fd("fstat")?;
        RealFs.fstat(fd)
    }

    fn try_lock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        self.on_fd(match lock {
            Lock::Shared => "try_lock_shared",
            Lock::Exclusive | Lock::Unlock => "try_lock",
        })?;
        RealFs.try_lock(fd, lock)
    }

    fn try_flock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        self.on_fd("try_flock")?;
        RealFs.try_flock(fd, lock)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.step("stat", path)?;
        RealFs.stat(path)
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.step("lstat", path)?;
        RealFs.lstat(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename", from)?;
        RealFs.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("link", from)?;
        RealFs.link(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.step("unlink", path)?;
        RealFs.unlink(path)
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.step("mkdir", path)?;
        RealFs.mkdir(path, mode)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.step("rmdir", path)?;
        RealFs.rmdir(path)
    }

    fn read_dir(&self, path: &Path, each: &mut EachEntry<'_>) -> io::Result<()> {
        self.step("read_dir", path)?;
        RealFs.read_dir(path, each)
    }

    fn set_attribute(&self, fd: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> io::Result<()> {
        self.on_fd("set_attribute")?;
        RealFs.set_attribute(fd, name, value)
    }

    fn attribute(&self, fd: BorrowedFd<'_>, name: &CStr, into: &mut [u8]) -> io::Result<usize> {
        self.on_fd("attribute")?;
        RealFs.attribute(fd, name, into)
    }
}
