//! Changes of mailboxes whose format does not tell of them: inotify on the directories of index logs and
//! mbox files that somebody waits for.
//!
//! The kernel gives a user 128 instances (`fs.inotify.max_user_instances`), and there may be more
//! sessions: one instance, and one thread that reads it, serve all mailboxes of the process. Both come
//! with the first session that waits and go with the last. A session is woken by its own changes too: it
//! looks once more than it must.

mod lasting;
mod view;

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

pub use lasting::lasting;
pub use view::Watched;

/// What is asked of the kernel: files that are written or replaced, and the end of the directory.
const CHANGES: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// A watch that tells nothing any more, or not of our directory.
const LOST: ReadFlags = ReadFlags::IGNORED
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::DELETE_SELF)
    .union(ReadFlags::MOVE_SELF);

/// The thread's stack, bytes: events are read into a part of it.
const STACK: usize = 64 * 1024;

/// Events read at once, bytes: some fifty.
const EVENTS: usize = 4096;

/// A file whose changes matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    dir: PathBuf,
    name: Vec<u8>,
}

impl File {
    /// `None` for a path without a name.
    #[must_use]
    pub fn new(path: &Path) -> Option<Self> {
        Some(Self {
            dir: path.parent()?.to_owned(),
            name: path.file_name()?.as_bytes().to_vec(),
        })
    }
}

/// One session that waits.
#[derive(Debug)]
pub struct Waiter {
    event: OwnedFd,
    /// Signalled, and not cleared since.
    is_woken: AtomicBool,
}

impl Waiter {
    fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            is_woken: AtomicBool::new(false),
        }))
    }

    fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::SeqCst) {
            // A counter of 0 can neither block nor overflow.
            let _ = rustix::io::write(&self.event, &[1; 8]);
        }
    }

    /// Before the session looks: whoever wakes it from now on is seen, or wakes it again.
    fn clear(&self) {
        // The other way round a signal in between would be read away and never given again.
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
        self.is_woken.store(false, Ordering::SeqCst);
    }
}

impl AsFd for Waiter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// One per process.
#[derive(Default)]
pub struct Watcher {
    instance: Mutex<Option<Arc<Instance>>>,
    has_warned: AtomicBool,
}

/// What the thread shares with the sessions.
struct Instance {
    inotify: OwnedFd,
    /// Readable: the thread is to end.
    quit: OwnedFd,
    watches: Mutex<Watches>,
}

/// Who listens to which watch, and of which files.
type Watches = HashMap<i32, Vec<(Arc<Waiter>, Vec<u8>)>>;

impl Watcher {
    /// Makes a session one of those that hear of changes; fine if it is already. `false`: the kernel cannot
    /// tell, and the session must look from time to time. The first time that is logged.
    fn join(&self, files: &[File], waiter: &Arc<Waiter>) -> bool {
        let mut instance = self.instance();
        let joined = join(&mut instance, files, waiter);
        if let Err(error) = joined {
            if let Some(running) = &*instance {
                running.leave(waiter);
            }
            stop_if_idle(&mut instance);
            // A mailbox that is gone is no fault of the kernel's.
            let is_gone = error.kind() == io::ErrorKind::NotFound;
            if !is_gone && !self.has_warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "inotify failed: {error}; changes by others are found every \
                     mailbox_idle_check_interval"
                );
            }
            return false;
        }
        true
    }

    /// A session waits no more.
    fn leave(&self, waiter: &Arc<Waiter>) {
        let mut instance = self.instance();
        if let Some(running) = &*instance {
            running.leave(waiter);
        }
        stop_if_idle(&mut instance);
    }

    fn instance(&self) -> MutexGuard<'_, Option<Arc<Instance>>> {
        // Nothing in here panics half way.
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(instance) = self.instance().take() {
            instance.stop();
        }
    }
}

/// Starts what is not there yet.
fn join(
    instance: &mut Option<Arc<Instance>>,
    files: &[File],
    waiter: &Arc<Waiter>,
) -> io::Result<()> {
    let running = match instance {
        Some(running) => running,
        None => instance.insert(Instance::start()?),
    };
    if running.has(waiter) {
        return Ok(());
    }
    files
        .iter()
        .try_for_each(|file| running.watch(file, waiter))?;
    // What happened before somebody listened is to be looked for once.
    waiter.wake();
    Ok(())
}

fn stop_if_idle(instance: &mut Option<Arc<Instance>>) {
    if let Some(idle) = instance.take_if(|instance| instance.watches().is_empty()) {
        idle.stop();
    }
}

impl Instance {
    fn start() -> io::Result<Arc<Self>> {
        let instance = Arc::new(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            quit: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            watches: Mutex::default(),
        });
        let thread = std::thread::Builder::new().name("watch-index".to_owned());
        let shared = Arc::clone(&instance);
        thread
            .stack_size(STACK)
            .spawn(move || shared.run())
            .map(|_| instance)
    }

    fn stop(&self) {
        // A counter of 0 can neither block nor overflow.
        let _ = rustix::io::write(&self.quit, &[1; 8]);
    }

    fn has(&self, waiter: &Arc<Waiter>) -> bool {
        let watches = self.watches();
        watches
            .values()
            .flatten()
            .any(|(known, _)| Arc::ptr_eq(known, waiter))
    }

    fn watch(&self, file: &File, waiter: &Arc<Waiter>) -> io::Result<()> {
        // Events wait until everything is in its place.
        let mut watches = self.watches();
        let number = inotify::add_watch(&self.inotify, &file.dir, CHANGES)?;
        let listeners = watches.entry(number).or_default();
        listeners.push((Arc::clone(waiter), file.name.clone()));
        Ok(())
    }

    /// Removes the watches that nobody else listens to.
    fn leave(&self, waiter: &Arc<Waiter>) {
        self.watches().retain(|&number, listeners| {
            listeners.retain(|(known, _)| !Arc::ptr_eq(known, waiter));
            if listeners.is_empty() {
                // It may be gone together with its directory.
                let _ = inotify::remove_watch(&self.inotify, number);
            }
            !listeners.is_empty()
        });
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
        let mut watches = self.watches();
        let mut events = inotify::Reader::new(&self.inotify, buffer);
        loop {
            match events.next() {
                Ok(event) => self.dispatch(&mut watches, &event),
                Err(Errno::INTR) => {}
                // WOULDBLOCK: nothing more.
                Err(_) => return,
            }
        }
    }

    fn watches(&self) -> MutexGuard<'_, Watches> {
        // Nothing in here panics half way.
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dispatch(&self, watches: &mut Watches, event: &inotify::Event<'_>) {
        let what = event.events();
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            let all = watches.values().flatten();
            return all.for_each(|(waiter, _)| waiter.wake());
        }
        if what.intersects(LOST) {
            // Whoever waits looks. What moved is still watched: no more.
            let _ = inotify::remove_watch(&self.inotify, event.wd());
            let listeners = watches.remove(&event.wd()).unwrap_or_default();
            return listeners.iter().for_each(|(waiter, _)| waiter.wake());
        }
        let name = event.file_name().map_or(&[][..], |name| name.to_bytes());
        let listeners = watches.get(&event.wd()).into_iter().flatten();
        for (waiter, _) in listeners.filter(|(_, wanted)| wanted == name) {
            waiter.wake();
        }
    }
}
