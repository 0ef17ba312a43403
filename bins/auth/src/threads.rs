//! Threads for what would hold the event loop up: lookups that wait, and hashes that compute.
//!
//! Hashes get as many threads as there are processors, at low priority: whatever else the service does goes first.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use auth_db::Weight;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::turns::{Asker, Turns};

/// Lookups at once: a directory that does not answer holds this many threads, and no more.
const LOOKUPS: usize = 16;
/// Longest time that a lookup may take. Its thread is lost until the directory answers, its asker is not.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most that waits for a thread: more than all clients of a login process. What is beyond fails at once.
const MAX_WAITING: usize = 65_536;
/// nice(2) of threads that hash.
const LOW_PRIORITY: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// Both kinds of threads.
#[derive(Debug)]
pub struct Threads {
    lookups: Pool,
    hashes: Pool,
    /// [`PATIENCE`].
    patience: Duration,
}

/// The answer, if it comes in time. By the wall's clock: threads do not stop with the event loop's.
async fn within<T>(patience: Duration, mut asked: oneshot::Receiver<T>) -> Option<T> {
    let until = Instant::now() + patience;
    loop {
        match timeout(patience, &mut asked).await {
            Ok(answer) => return answer.ok(),
            Err(_) if Instant::now() >= until => return None,
            Err(_) => {}
        }
    }
}

impl Default for Threads {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            lookups: Pool::new(LOOKUPS, 0),
            hashes: Pool::new(processors, LOW_PRIORITY),
            patience: PATIENCE,
        }
    }
}

impl Threads {
    /// Runs `work` in a thread, if somebody still waits for it when its turn comes. `None`: it panicked, a lookup took
    /// too long, or too much waits already.
    pub async fn run<T: Send + 'static>(
        &self,
        weight: Weight,
        asker: Asker,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, asked) = oneshot::channel();
        let job: Job = Box::new(move || {
            if answer.is_closed() {
                return;
            }
            if let Ok(value) = catch_unwind(AssertUnwindSafe(work)) {
                // Whoever asked may just have given up.
                let _ = answer.send(value);
            }
        });
        match weight {
            Weight::Lookup => {
                self.lookups.push(asker, job);
                within(self.patience, asked).await
            }
            // Hashes end.
            Weight::Hash => {
                self.hashes.push(asker, job);
                asked.await.ok()
            }
        }
    }
}

/// Threads that start when there is work and then stay.
#[derive(Debug)]
struct Pool {
    queue: Arc<Queue>,
    most: usize,
    priority: i32,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: Turns<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} jobs, {} of {} threads idle",
            self.jobs.len(),
            self.idle,
            self.threads
        )
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // Jobs run outside of the lock: nothing in here can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn new(most: usize, priority: i32) -> Self {
        Self {
            queue: Arc::default(),
            most,
            priority,
        }
    }

    fn push(&self, asker: Asker, job: Job) {
        let mut state = self.queue.state();
        if state.jobs.len() >= MAX_WAITING {
            return;
        }
        state.jobs.push(asker, job);
        if state.idle < state.jobs.len() && state.threads < self.most {
            let (queue, priority) = (Arc::clone(&self.queue), self.priority);
            let started = std::thread::Builder::new()
                .name("auth".to_owned())
                .spawn(move || run(&queue, priority));
            // Without one more thread those that run must do; without any, the job is dropped and its asker told.
            match started {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads == 0 => state.jobs.clear(),
                Err(_) => {}
            }
        }
        drop(state);
        self.queue.work.notify_one();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.state().closed = true;
        self.queue.work.notify_all();
    }
}

fn run(queue: &Queue, priority: i32) {
    if priority != 0 {
        // Of this thread only. Refused by a sandbox: then the scheduler shares fairly, which is nearly as good.
        let _ = rustix::process::setpriority_process(None, priority);
    }
    let mut state = queue.state();
    loop {
        if let Some(job) = state.jobs.pop() {
            drop(state);
            job();
            state = queue.state();
        } else if state.closed {
            return;
        } else {
            state.idle += 1;
            state = queue
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    fn nobody() -> Asker {
        Asker::new(None)
    }

    fn one_thread() -> Threads {
        Threads {
            lookups: Pool::new(1, 0),
            hashes: Pool::new(1, LOW_PRIORITY),
            patience: PATIENCE,
        }
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_not_done() {
        let threads = one_thread();
        let done = Arc::new(AtomicUsize::new(0));
        let (release, held) = mpsc::channel::<()>();
        let mut first = Box::pin(threads.run(Weight::Hash, nobody(), move || held.recv().is_err()));
        let mut given_up = Vec::new();
        for _ in 0..1000 {
            let done = Arc::clone(&done);
            given_up.push(Box::pin(threads.run(Weight::Hash, nobody(), move || {
                done.fetch_add(1, Ordering::SeqCst)
            })));
        }
        // Asked for, and then no more.
        assert!(begin(&mut first).is_none());
        for waiting in &mut given_up {
            assert!(begin(waiting).is_none());
        }
        drop(given_up);
        drop(release);
        assert_eq!(first.await, Some(true));
        assert_eq!(threads.run(Weight::Hash, nobody(), || 7).await, Some(7));
        assert_eq!(done.load(Ordering::SeqCst), 0);
    }

    /// Begins a future; its value if that is all it takes.
    fn begin<T>(future: &mut (impl Future<Output = T> + Unpin + ?Sized)) -> Option<T> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn a_panic_is_no_answer_and_ends_no_thread() {
        let threads = one_thread();
        assert_eq!(
            threads
                .run(Weight::Lookup, nobody(), || panic!("on purpose"))
                .await,
            None::<()>
        );
        assert_eq!(threads.run(Weight::Lookup, nobody(), || 7).await, Some(7));
    }

    #[tokio::test]
    async fn hashes_do_not_hold_lookups_up() {
        let threads = one_thread();
        let (release, held) = mpsc::channel::<()>();
        let mut hash = Box::pin(threads.run(Weight::Hash, nobody(), move || held.recv().is_err()));
        assert!(begin(&mut hash).is_none());
        assert_eq!(threads.run(Weight::Lookup, nobody(), || 7).await, Some(7));
        drop(release);
        assert_eq!(hash.await, Some(true));
    }

    #[tokio::test]
    async fn a_flood_from_one_address_delays_others_by_one_hash() {
        let threads = one_thread();
        let asker = |last| Asker::new(Some([192, 0, 2, last].into()));
        let order = Arc::new(Mutex::new(Vec::new()));
        let (release, held) = mpsc::channel::<()>();
        let mut first = Box::pin(threads.run(Weight::Hash, asker(1), move || held.recv().is_err()));
        assert!(begin(&mut first).is_none());
        let mut waiting = Vec::new();
        for who in std::iter::repeat_n(1, 1000).chain([2]) {
            let order = Arc::clone(&order);
            let work = move || order.lock().unwrap().push(who);
            waiting.push(Box::pin(threads.run(Weight::Hash, asker(who), work)));
        }
        for waiting in &mut waiting {
            assert!(begin(waiting).is_none());
        }
        drop(release);
        assert_eq!(first.await, Some(true));
        for waiting in waiting {
            waiting.await.unwrap();
        }
        let turn = order.lock().unwrap().iter().position(|who| *who == 2);
        assert!(turn.unwrap() <= 1, "{turn:?}");
    }

    #[tokio::test]
    async fn a_directory_that_does_not_answer_is_given_up() {
        let threads = Threads {
            patience: Duration::from_millis(20),
            ..one_thread()
        };
        let (release, held) = mpsc::channel::<()>();
        let stuck = threads.run(Weight::Lookup, nobody(), move || held.recv().is_err());
        assert_eq!(stuck.await, None);
        drop(release);
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let threads = one_thread();
        let (release, held) = mpsc::channel::<()>();
        let mut first = Box::pin(threads.run(Weight::Hash, nobody(), move || held.recv().is_err()));
        assert!(begin(&mut first).is_none());
        for _ in 0..=MAX_WAITING {
            let _ = begin(&mut Box::pin(threads.run(Weight::Hash, nobody(), || 7)));
        }
        assert_eq!(threads.run(Weight::Hash, nobody(), || 7).await, None);
        drop(release);
        assert_eq!(first.await, Some(true));
    }
}
