//! Changes by others: inotify on `new/` and `cur/` of the mailboxes that somebody waits for.
//!
//! The kernel gives a user 128 instances (`fs.inotify.max_user_instances`), and there may be more
//! sessions: one instance, and one thread that reads it, serve all mailboxes of the process. Both come
//! with the first session that waits and go with the last.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::audience::{Audience, Motion, Teller, Waiter};
use crate::name;
use crate::record::Place;

/// What is asked of the kernel: names that come and go, and the end of the directory.
const CHANGES: WatchFlags = WatchFlags::CREATE
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

/// One per process; every [`crate::Maildir`] that nobody gave one has its own.
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

/// Who listens to which watch. Two mailboxes in one directory have one watch.
type Watches = HashMap<i32, Vec<(Arc<Audience>, Place)>>;

impl Watcher {
    /// Watches nothing yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes a view one of those that hear of changes; fine if it is already. `false`: the kernel cannot
    /// tell, and the view must look from time to time. The first time that is logged.
    pub(crate) fn join(
        &self,
        place: &mailbox::Place,
        audience: &Arc<Audience>,
        waiter: &Arc<Waiter>,
    ) -> bool {
        let mut instance = self.instance();
        if !audience.is_told()
            && let Err(error) = watch(&mut instance, &place.mail, audience)
        {
            stop_if_idle(&mut instance);
            // A mailbox that is gone is no fault of the kernel's.
            let is_gone = error.kind() == io::ErrorKind::NotFound;
            if !is_gone && !self.has_warned.swap(true, Ordering::Relaxed) {
                let dir = place.mail.display();
                tracing::warn!(
                    "inotify on {dir} failed: {error}; changes by others are found every \
                     mailbox_idle_check_interval"
                );
            }
            return false;
        }
        audience.add(waiter);
        true
    }

    /// Passes on what the kernel has to tell by now: what happened before this call is known after it.
    pub(crate) fn catch_up(&self) {
        if let Some(running) = &*self.instance() {
            running.read(&mut [MaybeUninit::uninit(); EVENTS]);
        }
    }

    /// A view waits no more.
    pub(crate) fn leave(&self, audience: &Arc<Audience>, waiter: &Arc<Waiter>) {
        let mut instance = self.instance();
        if audience.remove(waiter)
            && let Some(running) = &*instance
        {
            running.forget(&mut running.watches(), audience);
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
fn watch(
    instance: &mut Option<Arc<Instance>>,
    dir: &Path,
    audience: &Arc<Audience>,
) -> io::Result<()> {
    let running = match instance {
        Some(running) => running,
        None => instance.insert(Instance::start()?),
    };
    running.watch(dir, audience)
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
        let thread = std::thread::Builder::new().name("watch".to_owned());
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

    fn watch(&self, dir: &Path, audience: &Arc<Audience>) -> io::Result<()> {
        let teller = teller(dir)?;
        // Events wait until everything is in its place.
        let mut watches = self.watches();
        let mut numbers = Vec::new();
        for place in Place::ALL {
            match inotify::add_watch(&self.inotify, dir.join(place.dir()), CHANGES) {
                Ok(number) => {
                    let listeners = watches.entry(number).or_default();
                    listeners.push((Arc::clone(audience), place));
                    numbers.push(number);
                }
                Err(error) => {
                    audience.begin(teller, numbers);
                    self.forget(&mut watches, audience);
                    return Err(error.into());
                }
            }
        }
        audience.begin(teller, numbers);
        Ok(())
    }

    /// Removes the watches that nobody else listens to.
    fn forget(&self, watches: &mut Watches, audience: &Arc<Audience>) {
        for number in audience.end() {
            let Some(listeners) = watches.get_mut(&number) else {
                continue;
            };
            listeners.retain(|(other, _)| !Arc::ptr_eq(other, audience));
            if listeners.is_empty() {
                watches.remove(&number);
                // It may be gone together with its directory.
                let _ = inotify::remove_watch(&self.inotify, number);
            }
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

    fn dispatch(&self, watches: &mut Watches, event: &inotify::Event<'_>) {
        let what = event.events();
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            let all = watches.values().flatten();
            return all.for_each(|(audience, _)| audience.missed_some());
        }
        let Some(listeners) = watches.get(&event.wd()) else {
            return;
        };
        if what.intersects(LOST) {
            for (audience, _) in listeners.clone() {
                self.forget(watches, &audience);
            }
            return;
        }
        let motion = match what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            true => Motion::Came,
            false => Motion::Went,
        };
        let file_name = event.file_name().map_or(&[][..], |name| name.to_bytes());
        if name::is_message(file_name) {
            for (audience, place) in listeners {
                audience.heard(*place, motion, file_name);
            }
        }
    }

    fn watches(&self) -> MutexGuard<'_, Watches> {
        // Nothing in here panics half way.
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// File systems of one host alone: the kernel sees every change. Their magic numbers: statfs(2).
const LOCAL: [rustix::fs::FsWord; 9] = [
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683E, // btrfs
    0xF2F5_2010, // f2fs
    0x2FC1_2FC1, // zfs
    0xCA45_1A4E, // bcachefs
    0x3153_464A, // jfs
    0x0102_1994, // tmpfs
    0x794C_7630, // overlayfs
];

fn teller(dir: &Path) -> io::Result<Teller> {
    let kind = rustix::fs::statfs(dir)?.f_type;
    Ok(match LOCAL.contains(&kind) {
        true => Teller::KernelOfAll,
        false => Teller::Kernel,
    })
}
