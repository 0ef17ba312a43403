//! [`FsOps`] as the kernel does it.

use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    self as rfs, AtFlags, FileType, FlockOperation, Mode, OFlags, RawDir, Timespec, Timestamps,
    XattrFlags,
};

use nix::fcntl::FcntlArg;

use super::{EachEntry, EntryKind, FsOps, How, Lock, Stat, Time};

/// The kernel's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFs;

impl FsOps for RealFs {
    fn open(&self, path: &Path, how: How, mode: u32) -> io::Result<OwnedFd> {
        let fd = rfs::open(path, flags(how), Mode::from_raw_mode(mode))?;
        if how == How::Read && !stat_of(&rfs::fstat(&fd)?).is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        Ok(fd)
    }

    fn read_at(&self, fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(fd, buf, offset)?)
    }

    fn write(&self, fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(fd, buf)?)
    }

    fn write_at(&self, fd: BorrowedFd<'_>, buf: &[u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwrite(fd, buf, offset)?)
    }

    fn sync_data(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(rfs::fdatasync(fd)?)
    }

    fn sync_all(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(rfs::fsync(fd)?)
    }

    fn truncate(&self, fd: BorrowedFd<'_>, size: u64) -> io::Result<()> {
        Ok(rfs::ftruncate(fd, size)?)
    }

    fn set_mtime(&self, fd: BorrowedFd<'_>, mtime: Time) -> io::Result<()> {
        let time = Timespec {
            tv_sec: mtime.sec,
            tv_nsec: i64::from(mtime.nsec),
        };
        Ok(rfs::futimens(
            fd,
            &Timestamps {
                last_access: time,
                last_modification: time,
            },
        )?)
    }

    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<Stat> {
        Ok(stat_of(&rfs::fstat(fd)?))
    }

    fn try_lock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        let kind = match lock {
            Lock::Shared => libc::F_RDLCK,
            Lock::Exclusive => libc::F_WRLCK,
            Lock::Unlock => libc::F_UNLCK,
        };
        let whole_file = libc::flock {
            l_type: i16::try_from(kind).map_err(io::Error::other)?,
            l_whence: i16::try_from(libc::SEEK_SET).map_err(io::Error::other)?,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        nix::fcntl::fcntl(fd, FcntlArg::F_OFD_SETLK(&whole_file))?;
        Ok(())
    }

    fn try_flock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        let operation = match lock {
            Lock::Shared => FlockOperation::NonBlockingLockShared,
            Lock::Exclusive => FlockOperation::NonBlockingLockExclusive,
            Lock::Unlock => FlockOperation::Unlock,
        };
        Ok(rfs::flock(fd, operation)?)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(stat_of(&rfs::stat(path)?))
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        Ok(stat_of(&rfs::lstat(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rfs::rename(from, to)?)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rfs::linkat(rfs::CWD, from, rfs::CWD, to, AtFlags::empty())?)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        Ok(rfs::unlink(path)?)
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        Ok(rfs::mkdir(path, Mode::from_raw_mode(mode))?)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        Ok(rfs::rmdir(path)?)
    }

    fn read_dir(&self, path: &Path, each: &mut EachEntry<'_>) -> io::Result<()> {
        let fd = rfs::open(path, flags(How::Directory), Mode::empty())?;
        // 32 KiB holds some 400 Maildir names: a large mailbox is few calls.
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut entries = RawDir::new(fd, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                each(name, kind_of(entry.file_type()));
            }
        }
        Ok(())
    }

    fn set_attribute(&self, fd: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> io::Result<()> {
        Ok(rfs::fsetxattr(fd, name, value, XattrFlags::empty())?)
    }

    fn attribute(&self, fd: BorrowedFd<'_>, name: &CStr, into: &mut [u8]) -> io::Result<usize> {
        Ok(rfs::fgetxattr(fd, name, into)?)
    }
}

fn flags(how: How) -> OFlags {
    let common = OFlags::CLOEXEC | OFlags::NOCTTY;
    common
        | match how {
            // Without NONBLOCK the open of a FIFO waits for its writer.
            How::Read => OFlags::RDONLY | OFlags::NONBLOCK,
            How::ReadWrite => OFlags::RDWR | OFlags::NONBLOCK,
            How::Append => OFlags::RDWR | OFlags::APPEND | OFlags::NONBLOCK,
            How::AppendCreate => OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK,
            How::CreateNew => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
            How::Directory => OFlags::RDONLY | OFlags::DIRECTORY,
        }
}

fn kind_of(kind: FileType) -> EntryKind {
    match kind {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        FileType::Unknown => EntryKind::Unknown,
        _ => EntryKind::Other,
    }
}

#[expect(
    clippy::useless_conversion,
    clippy::unnecessary_cast,
    reason = "the widths of these fields differ between architectures"
)]
fn stat_of(stat: &rfs::Stat) -> Stat {
    Stat {
        dev: stat.st_dev.into(),
        ino: stat.st_ino.into(),
        mode: stat.st_mode,
        nlink: stat.st_nlink.into(),
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime: time_of(stat.st_mtime as i64, u64::from(stat.st_mtime_nsec)),
        ctime: time_of(stat.st_ctime as i64, u64::from(stat.st_ctime_nsec)),
    }
}

fn time_of(sec: i64, nsec: u64) -> Time {
    Time {
        sec,
        nsec: u32::try_from(nsec).unwrap_or(0),
    }
}
