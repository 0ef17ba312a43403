//! Threads for what would hold the event loop up: lookups that wait, and hashes that compute.
//!
//! Hashes get as many threads as there are processors, at low priority: whatever else the service does goes first.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use auth_db::Weight;
use tokio::sync::oneshot;

/// Lookups at once: a directory that does not answer holds this many threads, and no more.
const LOOKUPS: usize = 16;
/// nice(2) of threads that hash.
const LOW_PRIORITY: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// Both kinds of threads.
#[derive(Debug)]
pub struct Threads {
    lookups: Pool,
    hashes: Pool,
}

impl Default for Threads {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { lookups: Pool::new(LOOKUPS, 0), hashes: Pool::new(processors, LOW_PRIORITY) }
    }
}

impl Threads {
    /// Runs `work` in a thread, if somebody still waits for it when its turn comes. `None`: it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, asked) = oneshot::channel();
        let pool = match weight {
            Weight::Lookup => &self.lookups,
            Weight::Hash => &self.hashes,
        };
        pool.push(Box::new(move || {
            if answer.is_closed() {
                return;
            }
            if let Ok(value) = catch_unwind(AssertUnwindSafe(work)) {
                // Whoever asked may just have given up.
                let _ = answer.send(value);
            }
        }));
        asked.await.ok()
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
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} jobs, {} of {} threads idle", self.jobs.len(), self.idle, self.threads)
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
        Self { queue: Arc::default(), most, priority }
    }

    fn push(&self, job: Job) {
        let mut state = self.queue.state();
        state.jobs.push_back(job);
        if state.idle < state.jobs.len() && state.threads < self.most {
            let (queue, priority) = (Arc::clone(&self.queue), self.priority);
            let started = std::thread::Builder::new().name("auth".to_owned()).spawn(move || run(&queue, priority));
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
        if let Some(job) = state.jobs.pop_front() {
            drop(state);
            job();
            state = queue.state();
        } else if state.closed {
            return;
        } else {
            state.idle += 1;
            state = queue.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}
