//! Changes by others: inotify on the directories of the indexes that somebody waits for.
//!
//! The kernel gives a user 128 instances (`fs.inotify.max_user_instances`), and there may be more
//! sessions: one instance, and one thread that reads it, serve all mailboxes of the process. Both come
//! with the first session that waits and go with the last. A session's own changes wake it too: it looks
//! and finds nothing.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// The log grows, is replaced, or goes with its directory.
const CHANGES: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// A watch that tells nothing any more, or not of our directory.
const LOST: ReadFlags = ReadFlags::IGNORED
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::DELETE_SELF)
    .union(ReadFlags::MOVE_SELF);

/// The file that every change of a mailbox goes to.
const LOG: &[u8] = b"dovecot.index.log";

/// The thread's stack, bytes: events are read into a part of it.
const STACK: usize = 64 * 1024;

/// Events read at once, bytes: some fifty.
const EVENTS: usize = 4096;

/// Of this process.
static RUNNING: Mutex<Option<Arc<Instance>>> = Mutex::new(None);

/// One session that waits.
#[derive(Debug)]
pub struct Waiter {
    event: Arc<OwnedFd>,
    watch: i32,
}

/// What the thread shares with the sessions.
#[derive(Debug)]
struct Instance {
    inotify: OwnedFd,
    /// Readable: the thread is to end.
    quit: OwnedFd,
    watches: Mutex<HashMap<i32, Watched>>,
}

/// A directory, and the events of those who wait for it.
#[derive(Debug)]
struct Watched {
    dir: PathBuf,
    events: Vec<Arc<OwnedFd>>,
}

impl Waiter {
    /// Hears of changes to the index in `dir` from now on. `None`: a session looks from time to time.
    #[must_use]
    pub fn of(dir: Option<&Path>) -> Option<Self> {
        let dir = dir?;
        Self::join(dir)
            .inspect_err(|error| tracing::warn!("inotify on {} failed: {error}", dir.display()))
            .ok()
    }

    fn join(dir: &Path) -> io::Result<Self> {
        let mut running = lock(&RUNNING);
        let instance = match &*running {
            Some(instance) => Arc::clone(instance),
            None => Arc::clone(running.insert(Instance::start()?)),
        };
        let joined = instance.join(dir);
        stop_if_idle(&mut running);
        joined
    }
}

impl index_view::Waiter for Waiter {
    fn clear(&self) {
        let _ = rustix::io::read(&*self.event, &mut [0; 8]);
    }
}

impl AsFd for Waiter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut running = lock(&RUNNING);
        if let Some(instance) = &*running {
            instance.leave(self);
        }
        stop_if_idle(&mut running);
    }
}

/// Whoever waits for the index in `dir` looks, though no file has changed.
pub fn wake(dir: &Path) {
    if let Some(instance) = &*lock(&RUNNING) {
        for watched in lock(&instance.watches).values() {
            if watched.dir == dir {
                watched.wake();
            }
        }
    }
}

fn stop_if_idle(running: &mut Option<Arc<Instance>>) {
    if let Some(idle) = running.take_if(|instance| lock(&instance.watches).is_empty()) {
        // A counter of 0 can neither block nor overflow.
        let _ = rustix::io::write(&idle.quit, &[1; 8]);
    }
}

impl Watched {
    fn wake(&self) {
        for event in &self.events {
            // A counter that is full wakes too.
            let _ = rustix::io::write(&**event, &[1; 8]);
        }
    }
}

impl Instance {
    fn start() -> io::Result<Arc<Self>> {
        let instance = Arc::new(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            quit: event()?,
            watches: Mutex::default(),
        });
        let thread = std::thread::Builder::new().name("watch".to_owned());
        let shared = Arc::clone(&instance);
        thread
            .stack_size(STACK)
            .spawn(move || shared.run())
            .map(|_| instance)
    }

    fn join(&self, dir: &Path) -> io::Result<Waiter> {
        let event = Arc::new(event()?);
        // Events wait until everything is in its place.
        let mut watches = lock(&self.watches);
        let watch = inotify::add_watch(&self.inotify, dir, CHANGES)?;
        let watched = watches.entry(watch).or_insert_with(|| Watched {
            dir: dir.to_owned(),
            events: Vec::new(),
        });
        watched.events.push(Arc::clone(&event));
        Ok(Waiter { event, watch })
    }

    fn leave(&self, waiter: &Waiter) {
        let mut watches = lock(&self.watches);
        let Some(watched) = watches.get_mut(&waiter.watch) else {
            return;
        };
        let events = &mut watched.events;
        events.retain(|event| !Arc::ptr_eq(event, &waiter.event));
        if events.is_empty() {
            watches.remove(&waiter.watch);
            // It may be gone together with its directory.
            let _ = inotify::remove_watch(&self.inotify, waiter.watch);
        }
    }

    /// The thread.
    fn run(&self) {
        let mut buffer = [MaybeUninit::uninit(); EVENTS];
        loop {
            let mut waits = [
                PollFd::new(&self.inotify, PollFlags::IN),
                PollFd::new(&self.quit, PollFlags::IN),
            ];
            match poll(&mut waits, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return tracing::error!("poll(inotify) failed: {error}"),
            }
            if !waits[1].revents().is_empty() {
                return;
            }
            self.read(&mut buffer);
        }
    }

    fn read(&self, buffer: &mut [MaybeUninit<u8>]) {
        let mut watches = lock(&self.watches);
        let mut events = inotify::Reader::new(&self.inotify, buffer);
        loop {
            match events.next() {
                Ok(event) => dispatch(&mut watches, &event),
                Err(Errno::INTR) => {}
                // WOULDBLOCK: nothing more.
                Err(_) => return,
            }
        }
    }
}

fn dispatch(watches: &mut HashMap<i32, Watched>, event: &inotify::Event<'_>) {
    let what = event.events();
    if what.contains(ReadFlags::QUEUE_OVERFLOW) {
        return watches.values().for_each(Watched::wake);
    }
    let Some(watched) = watches.get(&event.wd()) else {
        return;
    };
    let name = event.file_name().map_or(&[][..], |name| name.to_bytes());
    if what.intersects(LOST) || name == LOG {
        watched.wake();
    }
    if what.contains(ReadFlags::IGNORED) {
        // The number may be given to another directory.
        watches.remove(&event.wd());
    }
}

fn event() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use index_view::Waiter as _;

    use super::*;

    /// Waits until it is woken; never, if it should not be.
    fn is_woken(waiter: &Waiter, wait: bool) -> bool {
        let timeout = rustix::event::Timespec {
            tv_sec: if wait { 60 } else { 0 },
            tv_nsec: 0,
        };
        let mut fds = [PollFd::new(waiter, PollFlags::IN)];
        poll(&mut fds, Some(&timeout)).unwrap() > 0
    }

    #[test]
    fn whoever_waits_hears_of_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("dovecot.index.log");
        std::fs::write(&log, "a").unwrap();
        let (one, two) = (
            Waiter::join(dir.path()).unwrap(),
            Waiter::join(dir.path()).unwrap(),
        );
        assert!(!is_woken(&one, false));
        std::fs::write(dir.path().join("u.1"), "other files are nothing").unwrap();
        std::fs::write(&log, "ab").unwrap();
        assert!(is_woken(&one, true) && is_woken(&two, true));
        drop(two);
        // What comes before the clear is over; a rotation wakes again.
        std::fs::write(dir.path().join("new"), "x").unwrap();
        one.clear();
        std::fs::rename(dir.path().join("new"), &log).unwrap();
        assert!(is_woken(&one, true));
        one.clear();
        wake(dir.path());
        assert!(is_woken(&one, true));
        one.clear();
        drop(dir);
        assert!(is_woken(&one, true));
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Waiter::join(elsewhere.path()).unwrap();
        drop(one);
        std::fs::write(elsewhere.path().join("dovecot.index.log"), "x").unwrap();
        assert!(is_woken(&other, true));
        assert!(Waiter::join(Path::new("/nowhere")).is_err());
    }
}
