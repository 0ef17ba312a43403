//! Who waits for changes of one mailbox, and what was heard of changes by others.
//!
//! A view that waits has an event of its own. It is signalled by sessions of this process when they
//! change what a view can see, and by the process's [`Watcher`](crate::watch::Watcher) when somebody
//! else touches the directories. What the kernel tells of our own changes is expected, and wakes nobody.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::record::Place;

/// The kernel tells of a change within moments. What we still wait for then did not happen, and must
/// not hide somebody else's change of the same name.
const PATIENCE: Duration = Duration::from_secs(5);

/// One view that waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    event: OwnedFd,
    /// Signalled, and not cleared since.
    is_woken: AtomicBool,
    /// Generation of the state that the view knows.
    seen: AtomicU64,
}

/// Of a view that has not looked yet.
const NOTHING: u64 = u64::MAX;
/// Of a view that is looking, and will find what it is not told of meanwhile.
const LOOKING: u64 = u64::MAX - 1;

impl Waiter {
    /// Nobody knows it yet.
    pub(crate) fn new() -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            is_woken: AtomicBool::new(false),
            seen: AtomicU64::new(NOTHING),
        }))
    }

    /// Is there something that the view has not looked for?
    pub(crate) fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::SeqCst) {
            // A counter of 0 can neither block nor overflow.
            let _ = rustix::io::write(&self.event, &[1; 8]);
        }
    }

    /// Before the view looks: whoever wakes it from now on has done so after what it will see, or is
    /// seen.
    pub(crate) fn clear(&self) {
        // The other way round a signal in between would be read away and never given again.
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
        self.is_woken.store(false, Ordering::SeqCst);
        self.seen.store(LOOKING, Ordering::SeqCst);
    }

    /// The view has been compared with the state of this generation; `None`: with an older one.
    pub(crate) fn has_seen(&self, generation: Option<u64>) {
        self.seen
            .store(generation.unwrap_or(NOTHING), Ordering::SeqCst);
        if generation.is_none() {
            self.wake();
        }
    }

    /// Before the view waits: its look may have failed.
    pub(crate) fn stop_looking(&self) {
        let _ = self
            .seen
            .compare_exchange(LOOKING, NOTHING, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl AsFd for Waiter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// Did a name come or go?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Motion {
    Came,
    Went,
}

/// What a change leaves in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Trace {
    place: Place,
    motion: Motion,
    name: Box<[u8]>,
}

impl Trace {
    /// `None`: not in a directory that is watched.
    fn of(path: &Path, motion: Motion) -> Option<Self> {
        let dir = path.parent()?.file_name()?;
        let place = Place::ALL.into_iter().find(|place| dir == place.dir())?;
        let name = path.file_name()?.as_bytes().into();
        Some(Self {
            place,
            motion,
            name,
        })
    }
}

/// Who tells of changes by others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Teller {
    /// Nobody; views look from time to time.
    #[default]
    Nobody,
    /// The kernel, of what happens on this host.
    Kernel,
    /// The kernel, and there are no other hosts.
    KernelOfAll,
}

/// Of one mailbox.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    /// Bit 0: `new/`, bit 1: `cur/`.
    touched: AtomicU8,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    waiters: Vec<Arc<Waiter>>,
    teller: Teller,
    /// Numbers of its watches.
    watches: Vec<i32>,
    expected: HashMap<Trace, u32>,
    /// When the last one was added.
    expected_at: Option<Instant>,
}

impl Audience {
    /// Something changed in this process: wakes the views that have not seen it.
    pub(crate) fn tell(&self, generation: u64) {
        for waiter in &self.inner().waiters {
            if ![generation, LOOKING].contains(&waiter.seen.load(Ordering::SeqCst)) {
                waiter.wake();
            }
        }
    }

    /// Does nothing happen in the directories that we would not hear of?
    pub(crate) fn hears_all(&self) -> bool {
        self.inner().teller == Teller::KernelOfAll
    }

    /// Where others did something since this was last asked; also where we may have missed it.
    pub(crate) fn take_touched(&self) -> impl Iterator<Item = Place> {
        let touched = self.touched.swap(0, Ordering::SeqCst);
        let places = Place::ALL.into_iter();
        places.filter(move |&place| touched & bit(place) != 0)
    }

    /// We are about to make names come and go. Returns what to take back if that fails.
    pub(crate) fn expect<'p>(
        &self,
        changes: impl IntoIterator<Item = (&'p Path, Motion)>,
    ) -> Vec<Trace> {
        let mut inner = self.inner();
        if inner.teller == Teller::Nobody {
            return Vec::new();
        }
        let traces = changes.into_iter();
        let traces = traces.filter_map(|(path, motion)| Trace::of(path, motion));
        let traces: Vec<Trace> = traces.collect();
        for trace in &traces {
            *inner.expected.entry(trace.clone()).or_default() += 1;
        }
        inner.expected_at = Some(Instant::now());
        traces
    }

    /// What was expected does not happen.
    pub(crate) fn take_back(&self, traces: &[Trace]) {
        let mut inner = self.inner();
        for trace in traces {
            inner.meets(trace);
        }
    }

    /// The kernel tells of a change.
    pub(crate) fn heard(&self, place: Place, motion: Motion, name: &[u8]) {
        let name = name.into();
        let trace = Trace {
            place,
            motion,
            name,
        };
        let mut inner = self.inner();
        if !inner.meets(&trace) {
            self.touched.fetch_or(bit(place), Ordering::SeqCst);
            inner.wake_all();
        }
    }

    /// The kernel could not tell of everything.
    pub(crate) fn missed_some(&self) {
        let mut inner = self.inner();
        inner.expected.clear();
        self.touch_all();
        inner.wake_all();
    }

    /// From now on somebody tells. What came before may have been missed.
    pub(crate) fn begin(&self, teller: Teller, watches: Vec<i32>) {
        let mut inner = self.inner();
        inner.teller = teller;
        inner.watches = watches;
        inner.expected.clear();
        self.touch_all();
        inner.wake_all();
    }

    /// From now on nobody tells. Returns the watches, which are to be removed.
    pub(crate) fn end(&self) -> Vec<i32> {
        let mut inner = self.inner();
        inner.teller = Teller::Nobody;
        inner.expected.clear();
        self.touch_all();
        inner.wake_all();
        std::mem::take(&mut inner.watches)
    }

    pub(crate) fn is_told(&self) -> bool {
        self.inner().teller != Teller::Nobody
    }

    /// Signalled: what happened before it listened is to be looked for once.
    pub(crate) fn add(&self, waiter: &Arc<Waiter>) {
        let mut inner = self.inner();
        if !inner.waiters.iter().any(|known| Arc::ptr_eq(known, waiter)) {
            inner.waiters.push(Arc::clone(waiter));
            waiter.wake();
        }
    }

    /// Tells whether nobody is left.
    pub(crate) fn remove(&self, waiter: &Arc<Waiter>) -> bool {
        let mut inner = self.inner();
        inner.waiters.retain(|known| !Arc::ptr_eq(known, waiter));
        inner.waiters.is_empty()
    }

    fn touch_all(&self) {
        let all = bit(Place::New) | bit(Place::Cur);
        self.touched.fetch_or(all, Ordering::SeqCst);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics half way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Was it expected? Once.
    fn meets(&mut self, trace: &Trace) -> bool {
        if self.expected_at.is_some_and(|at| at.elapsed() > PATIENCE) {
            self.expected.clear();
        }
        let Some(count) = self.expected.get_mut(trace) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            self.expected.remove(trace);
        }
        true
    }

    fn wake_all(&mut self) {
        self.waiters.iter().for_each(|waiter| waiter.wake());
    }
}

fn bit(place: Place) -> u8 {
    match place {
        Place::New => 1,
        Place::Cur => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(audience: &Audience) -> Vec<Place> {
        audience.take_touched().collect()
    }

    fn audience() -> Audience {
        let audience = Audience::default();
        audience.begin(Teller::KernelOfAll, vec![1, 2]);
        assert_eq!(touched(&audience), Place::ALL);
        audience
    }

    #[test]
    fn own_changes_are_expected_once_each() {
        let audience = audience();
        let path = Path::new("m/cur/a:2,S");
        let _ = audience.expect([(path, Motion::Came), (Path::new("m/tmp/a"), Motion::Went)]);
        audience.heard(Place::Cur, Motion::Came, b"a:2,S");
        assert_eq!(touched(&audience), []);
        audience.heard(Place::Cur, Motion::Came, b"a:2,S");
        assert_eq!(touched(&audience), [Place::Cur]);
        for other in [(Place::New, Motion::Came), (Place::Cur, Motion::Went)] {
            let _ = audience.expect([(path, Motion::Came)]);
            audience.heard(other.0, other.1, b"a:2,S");
            assert_eq!(touched(&audience), [other.0]);
        }
    }

    #[test]
    fn what_failed_is_not_expected() {
        let audience = audience();
        let traces = audience.expect([(Path::new("m/new/a"), Motion::Went)]);
        audience.take_back(&traces);
        audience.heard(Place::New, Motion::Went, b"a");
        assert_eq!(touched(&audience), [Place::New]);
    }

    #[test]
    fn nothing_is_expected_of_nobody() {
        let audience = audience();
        assert_eq!(audience.end(), [1, 2]);
        assert_eq!(touched(&audience), Place::ALL);
        assert!(
            audience
                .expect([(Path::new("m/new/a"), Motion::Went)])
                .is_empty()
        );
    }

    #[test]
    fn a_waiter_is_signalled_until_it_is_cleared() {
        let readable = |waiter: &Waiter| {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let now = Timespec::default();
            poll(&mut [PollFd::new(waiter, PollFlags::IN)], Some(&now)).unwrap() == 1
        };
        let audience = audience();
        let waiter = Waiter::new().unwrap();
        assert!(!readable(&waiter));
        audience.add(&waiter);
        assert!(readable(&waiter));
        waiter.clear();
        audience.add(&waiter);
        assert!(!readable(&waiter));
        audience.tell(7);
        waiter.has_seen(Some(7));
        audience.tell(7);
        assert!(!readable(&waiter));
        waiter.clear();
        waiter.has_seen(None);
        assert!(readable(&waiter));
        waiter.clear();
        waiter.stop_looking();
        for _ in 0..3 {
            audience.tell(8);
            audience.missed_some();
        }
        assert!(readable(&waiter));
        waiter.clear();
        assert!(!readable(&waiter));
        assert!(audience.remove(&waiter));
        audience.tell(9);
        assert!(!readable(&waiter));
    }
}
