//! Somebody who just reads mail while others attack: how long does each answer take?

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use testkit::Imap;

use crate::Site;

/// A session that says NOOP all the time, from before the first attack to after the last.
#[derive(Debug)]
pub struct Honest {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    times: Mutex<Times>,
}

#[derive(Debug, Default)]
struct Times {
    answers: Vec<Duration>,
    /// The 99th percentile while nobody attacked.
    calm: Duration,
    failed: Option<String>,
}

impl Honest {
    /// Logs in.
    #[must_use]
    pub fn start(site: &Site) -> Honest {
        let mut imap = site.log_in("bob");
        imap.ok("SELECT INBOX");
        let shared = Arc::new(Shared::default());
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || ask(imap, &shared)
        });
        Honest {
            shared,
            thread: Some(thread),
        }
    }

    /// What was measured up to now was without an attack; from now on there is one.
    pub fn attack_begins(&self) {
        // A few answers to compare with: this machine may be busy with other things.
        thread::sleep(Duration::from_millis(300));
        let mut times = self
            .shared
            .times
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        times.calm = percentile(&mut times.answers);
        times.answers.clear();
    }

    /// What is to be complained of since [`Honest::attack_begins`]. A percentile of 100 ms more than without
    /// the attack is too slow; of a machine that is busy anyway, much is forgiven.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let mut times = self
            .shared
            .times
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &times.failed {
            return Some(format!("an honest session got: {error}"));
        }
        let slowest = times.answers.iter().max().copied().unwrap_or_default();
        let calm = times.calm;
        let slow = percentile(&mut times.answers);
        (slow > Duration::from_millis(100) + calm * 10).then(|| {
            format!("an honest session waited {slow:?} (99 %), {slowest:?} at most; before the attack {calm:?}")
        })
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn ask(mut imap: Imap, shared: &Shared) {
    while !shared.over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let answer = imap.try_command("NOOP");
        let mut times = shared.times.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(reply) if reply.is_ok() => times.answers.push(started.elapsed()),
            Ok(reply) => times.failed = Some(reply.tagged),
            Err(error) => {
                times.failed = Some(error.to_string());
                return;
            }
        }
        drop(times);
        // The pace of a reader, not of an attack.
        thread::sleep(Duration::from_millis(5));
    }
}

fn percentile(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let at = times.len() * 99 / 100;
    times
        .get(at.min(times.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}
