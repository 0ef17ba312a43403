//! Threads for jobs: one each, and a finished one may wait for the next job instead of ending.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Virtual size of a stack; only what is touched costs memory.
const STACK: usize = 1 << 20;
/// Threads that wait, at most: a client that comes back often finds one, and an idle worker stays small.
const SPARE: usize = 1;
/// How long a thread waits for a job.
const PATIENCE: Duration = Duration::from_secs(10);

/// One job: runs to its end and does not panic.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// The threads that wait.
#[derive(Default)]
pub(crate) struct Threads {
    waiting: Mutex<Vec<(ThreadId, Sender<Job>)>>,
}

impl Threads {
    /// Runs a job in a thread of its own.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn run(self: &Arc<Self>, job: Job) -> io::Result<()> {
        let waiting = self.lock().pop();
        let Some((_, thread)) = waiting else {
            return self.spawn(job);
        };
        // Whoever was in the list takes what it is sent.
        thread.send(job).or_else(|unsent| self.spawn(unsent.0))
    }

    fn spawn(self: &Arc<Self>, job: Job) -> io::Result<()> {
        let threads = Arc::clone(self);
        let body = move || {
            job();
            while let Some(job) = threads.wait() {
                job();
            }
        };
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(body)
            .map(drop)
    }

    /// Waits for another job. `None`: enough others wait, or none came.
    fn wait(&self) -> Option<Job> {
        let (sender, jobs) = channel();
        let me = thread::current().id();
        {
            let mut waiting = self.lock();
            if waiting.len() >= SPARE {
                return None;
            }
            waiting.push((me, sender));
        }
        match jobs.recv_timeout(PATIENCE) {
            Ok(job) => Some(job),
            Err(_) => self.leave(me, &jobs),
        }
    }

    /// Stops waiting. A thread that is not in the list any more is about to get a job, and takes it.
    fn leave(&self, me: ThreadId, jobs: &Receiver<Job>) -> Option<Job> {
        let mut waiting = self.lock();
        let before = waiting.len();
        waiting.retain(|(thread, _)| *thread != me);
        let left = waiting.len() < before;
        drop(waiting);
        if left { None } else { jobs.recv().ok() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(ThreadId, Sender<Job>)>> {
        // Pushing and popping cannot panic half way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_used_again_and_jobs_run_side_by_side() {
        let threads = Arc::new(Threads::default());
        let (done, results) = channel();
        let run = |until: Option<Receiver<()>>| {
            let done = done.clone();
            threads
                .run(Box::new(move || {
                    if let Some(until) = until {
                        until.recv().unwrap();
                    }
                    done.send(thread::current().id()).unwrap();
                }))
                .unwrap();
        };
        let (go, wait) = channel();
        run(Some(wait));
        run(None);
        let second = results.recv().unwrap();
        go.send(()).unwrap();
        assert_ne!(results.recv().unwrap(), second);
        for _ in 0..100 {
            run(None);
            results.recv().unwrap();
        }
    }
}
