//! The power goes at every file operation of every change, and what was not synced is lost, all of it or
//! that of some files: nothing that was acknowledged is missing, nothing is there twice, no mailbox refers
//! to bytes that are not there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::Store;
use common::operations::{OPERATIONS, check, content, copy_tree, prepare};
use format_mdbox::Settings;
use sys::fs::{EachEntry, Fs, FsOps, How, Lock, RealFs, Stat, Time};

/// The kernel's file system, which knows what the disk has.
#[derive(Debug)]
struct PowerFs {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: usize,
    /// Nothing works from this call on.
    cut: usize,
    /// By inode: the content that was synced last, of files that have changed since.
    synced: HashMap<u64, Vec<u8>>,
}

impl PowerFs {
    fn step(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        match state.calls >= state.cut {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        }
    }

    fn will_change(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let stat = RealFs.fstat(fd)?;
        let mut state = self.state.lock().unwrap();
        state.synced.entry(stat.ino).or_insert_with(|| {
            // Open for appending only: read it by its name.
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
            std::fs::read(path).unwrap()
        });
        Ok(())
    }

    fn is_synced(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let stat = RealFs.fstat(fd)?;
        self.state.lock().unwrap().synced.remove(&stat.ino);
        Ok(())
    }
}

impl FsOps for PowerFs {
    fn open(&self, path: &Path, how: How, mode: u32) -> io::Result<OwnedFd> {
        self.step()?;
        let fd = RealFs.open(path, how, mode)?;
        if how == How::CreateNew {
            let stat = RealFs.fstat(fd.as_fd())?;
            self.state
                .lock()
                .unwrap()
                .synced
                .insert(stat.ino, Vec::new());
        }
        Ok(fd)
    }

    fn read_at(&self, fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.step()?;
        RealFs.read_at(fd, buf, offset)
    }

    fn write(&self, fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
        self.step()?;
        self.will_change(fd)?;
        RealFs.write(fd, buf)
    }

    fn write_at(&self, fd: BorrowedFd<'_>, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.step()?;
        self.will_change(fd)?;
        RealFs.write_at(fd, buf, offset)
    }

    fn sync_data(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.step()?;
        self.is_synced(fd)
    }

    fn sync_all(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.step()?;
        self.is_synced(fd)
    }

    fn truncate(&self, fd: BorrowedFd<'_>, size: u64) -> io::Result<()> {
        self.step()?;
        self.will_change(fd)?;
        RealFs.truncate(fd, size)
    }

    fn set_mtime(&self, fd: BorrowedFd<'_>, mtime: Time) -> io::Result<()> {
        self.step()?;
        RealFs.set_mtime(fd, mtime)
    }

    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<Stat> {
        self.step()?;
        RealFs.fstat(fd)
    }

    fn try_lock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        self.step()?;
        RealFs.try_lock(fd, lock)
    }

    fn try_flock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        self.step()?;
        RealFs.try_flock(fd, lock)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.step()?;
        RealFs.stat(path)
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.step()?;
        RealFs.lstat(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        RealFs.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        RealFs.link(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        RealFs.unlink(path)
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.step()?;
        RealFs.mkdir(path, mode)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        RealFs.rmdir(path)
    }

    fn read_dir(&self, path: &Path, each: &mut EachEntry<'_>) -> io::Result<()> {
        self.step()?;
        RealFs.read_dir(path, each)
    }
}

/// What was not synced is gone: that of all files, or of every other one.
#[derive(Debug, Clone, Copy)]
enum Loss {
    All,
    Even,
    Odd,
}

fn lose(dir: &Path, synced: &HashMap<u64, Vec<u8>>, loss: Loss) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lose(&path, synced, loss);
            continue;
        }
        let inode = std::fs::metadata(&path).unwrap().ino();
        let is_lost = match loss {
            Loss::All => true,
            Loss::Even => inode % 2 == 0,
            Loss::Odd => inode % 2 == 1,
        };
        if let Some(content) = synced.get(&inode).filter(|_| is_lost) {
            std::fs::write(&path, content).unwrap();
        }
    }
}

#[test]
fn the_power_goes_at_every_call() {
    let home = common::scratch();
    let template = home.path().join("template");
    prepare(&template.join("mdbox"));
    let before = content(&Store::open(&template.join("mdbox")));
    for operation in &OPERATIONS {
        let mut after = before.clone();
        (operation.after)(&mut after);
        let attempt = |cut: usize, loss: Loss| {
            let copy = home.path().join("copy");
            let _ = std::fs::remove_dir_all(&copy);
            copy_tree(&template, &copy);
            let power = Arc::new(PowerFs {
                state: Mutex::new(State {
                    cut,
                    ..State::default()
                }),
            });
            let settings = Settings {
                rotate_size: operation.rotate_size,
                ..Settings::default()
            };
            let root = copy.join("mdbox");
            let store = Store::with(&root, Fs::new(power.clone()), settings);
            let done = (operation.run)(&store).is_ok();
            drop(store);
            let state = power.state.lock().unwrap();
            lose(&root, &state.synced, loss);
            let what = format!("{}: power lost at call {cut}, {loss:?}", operation.name);
            check(&root, &before, &after, (&what, done));
            state.calls
        };
        let calls = attempt(usize::MAX, Loss::All);
        for cut in 1..=calls + 1 {
            for loss in [Loss::All, Loss::Even, Loss::Odd] {
                attempt(cut, loss);
            }
        }
    }
}
