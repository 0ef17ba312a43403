//! The power goes at any call. What was not synced by then is on disk in part, in any order; what was
//! synced is there. Whatever was acknowledged is there afterwards, once, under its UID.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{Home, append, fresh, new_mail, try_open, uids};
use format_mbox::Settings;
use mailbox::{Expunges, FlagChange, Flags, Keyword, Mailbox, StoredMailbox};
use sys::fs::{EachEntry, Fs, FsOps, How, Lock, RealFs, Stat, Time};

/// The real file system, with a memory of what is not on disk yet. Names are: file systems write them in
/// order with what syncs them.
#[derive(Debug)]
struct Forgetful(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    files: HashMap<u64, Unsynced>,
    paths: HashMap<u64, PathBuf>,
    /// Calls that change something until the power goes.
    left: usize,
    calls: usize,
}

#[derive(Debug)]
struct Unsynced {
    synced: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl Forgetful {
    fn new(calls: usize) -> Arc<Self> {
        let state = State {
            left: calls,
            ..State::default()
        };
        Arc::new(Self(Mutex::new(state)))
    }

    fn step(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.calls += 1;
        if state.left == 0 {
            return Err(io::Error::from_raw_os_error(5));
        }
        state.left -= 1;
        Ok(())
    }

    fn alive(&self) -> io::Result<()> {
        let is_dead = self.0.lock().unwrap().left == 0;
        if is_dead {
            Err(io::Error::from_raw_os_error(5))
        } else {
            Ok(())
        }
    }

    fn change(&self, fd: BorrowedFd<'_>, change: Change) -> io::Result<()> {
        let stat = RealFs.fstat(fd)?;
        let mut content = vec![0; usize::try_from(stat.size).unwrap()];
        RealFs.read_at(fd, &mut content, 0).or_else(|_| {
            // Opened for writing only.
            let path = self.0.lock().unwrap().paths[&stat.ino].clone();
            content = std::fs::read(path)?;
            Ok::<_, io::Error>(content.len())
        })?;
        let mut state = self.0.lock().unwrap();
        let unsynced = Unsynced {
            synced: content,
            changes: Vec::new(),
        };
        state
            .files
            .entry(stat.ino)
            .or_insert(unsynced)
            .changes
            .push(change);
        Ok(())
    }

    fn synced(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let ino = RealFs.fstat(fd)?.ino;
        self.0.lock().unwrap().files.remove(&ino);
        Ok(())
    }

    /// Puts on disk what a disk may have; `dice` decides about every change.
    fn cut(&self, dice: &mut dyn FnMut() -> bool) {
        let state = self.0.lock().unwrap();
        for (ino, unsynced) in &state.files {
            let path = &state.paths[ino];
            let is_it = std::fs::metadata(path)
                .is_ok_and(|meta| std::os::unix::fs::MetadataExt::ino(&meta) == *ino);
            if !is_it {
                continue;
            }
            let mut content = unsynced.synced.clone();
            for change in unsynced.changes.iter().filter(|_| dice()) {
                match change {
                    Change::Truncate(size) => content.resize(usize::try_from(*size).unwrap(), 0),
                    Change::Write(at, bytes) => {
                        let at = usize::try_from(*at).unwrap();
                        let end = at + bytes.len();
                        if content.len() < end {
                            content.resize(end, 0);
                        }
                        content[at..end].copy_from_slice(bytes);
                    }
                }
            }
            // In place: it is the same file afterwards.
            std::fs::write(path, content).unwrap();
        }
    }
}

impl FsOps for Forgetful {
    fn open(&self, path: &Path, how: How, mode: u32) -> io::Result<OwnedFd> {
        self.alive()?;
        let fd = RealFs.open(path, how, mode)?;
        let ino = RealFs.fstat(std::os::fd::AsFd::as_fd(&fd))?.ino;
        self.0.lock().unwrap().paths.insert(ino, path.to_owned());
        Ok(fd)
    }

    fn read_at(&self, fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.alive()?;
        RealFs.read_at(fd, buf, offset)
    }

    fn write(&self, fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
        self.step()?;
        // All of ours append.
        let size = RealFs.fstat(fd)?.size;
        self.change(fd, Change::Write(size, buf.to_vec()))?;
        RealFs.write(fd, buf)
    }

    fn write_at(&self, fd: BorrowedFd<'_>, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.step()?;
        self.change(fd, Change::Write(offset, buf.to_vec()))?;
        RealFs.write_at(fd, buf, offset)
    }

    fn sync_data(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.step()?;
        self.synced(fd)
    }

    fn sync_all(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.step()?;
        self.synced(fd)
    }

    fn truncate(&self, fd: BorrowedFd<'_>, size: u64) -> io::Result<()> {
        self.step()?;
        self.change(fd, Change::Truncate(size))?;
        RealFs.truncate(fd, size)
    }

    fn set_mtime(&self, fd: BorrowedFd<'_>, mtime: Time) -> io::Result<()> {
        self.step()?;
        RealFs.set_mtime(fd, mtime)
    }

    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<Stat> {
        self.alive()?;
        RealFs.fstat(fd)
    }

    fn try_lock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        RealFs.try_lock(fd, lock)
    }

    fn try_flock(&self, fd: BorrowedFd<'_>, lock: Lock) -> io::Result<()> {
        RealFs.try_flock(fd, lock)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.alive()?;
        RealFs.stat(path)
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.alive()?;
        RealFs.lstat(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let ino = RealFs.stat(from)?.ino;
        RealFs.rename(from, to)?;
        self.0.lock().unwrap().paths.insert(ino, to.to_owned());
        Ok(())
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
        self.alive()?;
        RealFs.read_dir(path, each)
    }
}

/// What a process does until the power goes; what it was told is done.
#[derive(Debug, Default)]
struct Done {
    appended: Vec<(u32, String)>,
    removed: Vec<u32>,
    asked_to_remove: Vec<u32>,
}

fn work(home: &Home, fs: &Arc<Forgetful>) -> Done {
    let mbox = home.mbox_with(Fs::new(Arc::clone(fs) as _), Settings::default());
    let mut done = Done::default();
    let mut number = 0;
    let mut save = |done: &mut Done| {
        number += 1;
        let text = format!("Subject: s{number}\nMessage-ID: <{number}@x>\n\nbody {number}\n");
        if let Ok(uid) = append(&mbox, &new_mail(Flags::empty(), &["k"], 0), &text) {
            done.appended.push((uid, text));
        }
    };
    for round in 0..3 {
        save(&mut done);
        save(&mut done);
        let gone = [vec![2], vec![1, 4], vec![3, 6]][round].clone();
        done.asked_to_remove.extend(&gone);
        let removed = try_open(&mbox).and_then(|mut view| view.remove(&uids(&gone)));
        if removed.is_ok() {
            done.removed.extend(&gone);
        }
    }
    drop(mbox.status());
    done
}

#[test]
fn what_was_acknowledged_is_there() {
    let template = Home::with("@@Subject: old\nMessage-ID: <old@x>\n\nold\n\n");
    drop(common::open(&template.mbox()));
    let counting = Forgetful::new(usize::MAX);
    work(&template.copy(), &counting);
    let calls = counting.0.lock().unwrap().calls;
    assert!(calls > 50);
    let mut random = 88_172_645_463_325_252_u64;
    for nth in 0..=calls {
        for chance in [0, 50, 100] {
            let home = template.copy();
            let fs = Forgetful::new(nth);
            let done = work(&home, &fs);
            fs.cut(&mut || {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % 100 < chance
            });
            let _ = std::fs::remove_file(home.file().with_file_name("box.lock"));
            check(&home, &done, &format!("after {nth} calls, {chance} %"));
        }
    }
}

fn check(home: &Home, done: &Done, when: &str) {
    let found = fresh(home);
    let tell = || format!("{when} {done:#?}\nfound {found:#?}\n{}", home.content());
    let mut bodies: Vec<&str> = found.iter().map(|seen| &seen.body[..]).collect();
    let count = bodies.len();
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!(bodies.len(), count, "twice: {}", tell());
    for (uid, text) in &done.appended {
        let here = found.iter().find(|seen| seen.uid == *uid);
        match here {
            Some(seen) => {
                assert!(
                    !done.removed.contains(uid),
                    "{uid} is there again: {}",
                    tell()
                );
                assert_eq!(&seen.body, text, "{}", tell());
            }
            None => assert!(
                done.asked_to_remove.contains(uid),
                "{uid} is lost: {}",
                tell()
            ),
        }
    }
    let old = found.iter().find(|seen| seen.body.contains("Subject: old"));
    match old {
        Some(old) => assert!(old.uid == 1 && !done.removed.contains(&1), "{}", tell()),
        None => assert!(done.asked_to_remove.contains(&1), "{}", tell()),
    }
    let uid = append(
        &home.mbox(),
        &new_mail(Flags::empty(), &[], 0),
        "Subject: last\n\nx\n",
    )
    .unwrap();
    let highest = done.appended.iter().map(|(uid, _)| *uid).max().unwrap_or(1);
    assert!(uid > highest, "{uid} was given out before: {}", tell());
}

/// Makes the first header longer than its spaces hold: those of the next messages shrink for it, and the file
/// has the size that it had.
fn store(home: &Home, fs: &Arc<Forgetful>) {
    let mbox = home.mbox_with(Fs::new(Arc::clone(fs) as _), Settings::default());
    let Ok(mut view) = try_open(&mbox) else {
        return;
    };
    let keyword = Keyword::new(&"long".repeat(15)).unwrap();
    let change = FlagChange::Add(Flags::SEEN, vec![keyword]);
    let _ = view.store_flags(&uids(&[1]), &change);
}

fn marks(view: &dyn Mailbox) -> Vec<mailbox::FlagState> {
    let seqs = (1..=view.len()).filter_map(mailbox::Seq::new);
    seqs.map(|seq| view.flags(seq).unwrap()).collect()
}

/// The index may have been told of the rewrite, and its disk not, while the file has the size and the time
/// that the index knows (`fdatasync` writes no times): nobody believes it then.
#[test]
fn an_index_of_before_a_rewrite_is_not_believed() {
    let template = Home::with("");
    for number in 1..=5 {
        let text = format!("Subject: s{number}\nMessage-ID: <{number}@x>\n\nbody {number}\n");
        append(
            &template.mbox(),
            &new_mail(Flags::empty(), &["k"], 0),
            &text,
        )
        .unwrap();
    }
    drop(common::open(&template.mbox()));
    let before = std::fs::metadata(template.file()).unwrap();
    let (home, counting) = (template.copy(), Forgetful::new(usize::MAX));
    store(&home, &counting);
    let calls = counting.0.lock().unwrap().calls;
    assert!(home.content().contains("longlong"));
    assert_eq!(
        std::fs::metadata(home.file()).unwrap().len(),
        before.len(),
        "spaces take it all"
    );
    for nth in 0..=calls {
        let home = template.copy();
        let fs = Forgetful::new(nth);
        store(&home, &fs);
        fs.cut(&mut || false);
        let _ = std::fs::remove_file(home.file().with_file_name("box.lock"));
        let file = std::fs::File::options().append(true).open(home.file());
        file.unwrap()
            .set_modified(before.modified().unwrap())
            .unwrap();
        let mbox = home.mbox();
        let mut view = common::look(&mbox);
        let told = marks(&*view);
        let found = common::seen(&mut *view);
        let bodies = (1..=5).map(|n| format!("Subject: s{n}\nMessage-ID: <{n}@x>\n\nbody {n}\n"));
        assert!(
            found
                .iter()
                .map(|seen| &seen.body)
                .eq(&bodies.collect::<Vec<_>>())
        );
        view.sync(Expunges::Show).unwrap();
        assert_eq!(told, marks(&*view), "after {nth} of {calls} calls");
    }
}
