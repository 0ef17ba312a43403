//! Logs that are on disk within a second though nobody waits for it: what `mail_fsync=optimized` promises
//! of flags.
//!
//! One thread for all indexes of the process, begun by the first who needs it. It opens logs anew: the lock
//! belongs to whoever writes. A log that was replaced meanwhile was synced by that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sys::fs::{Fs, How, found};

/// So long a log waits for more to come. The rest of the second is for the disk.
const WAIT: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Waiting {
    logs: BTreeSet<PathBuf>,
    runs: bool,
}

static WAITING: Mutex<Waiting> = Mutex::new(Waiting {
    logs: BTreeSet::new(),
    runs: false,
});
static CAME: Condvar = Condvar::new();

fn waiting() -> MutexGuard<'static, Waiting> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log at this path has been written to.
pub(super) fn sync_soon(log: &Path) {
    let mut waiting = waiting();
    if !waiting.logs.contains(log) {
        waiting.logs.insert(log.to_owned());
        CAME.notify_one();
    }
    if !waiting.runs {
        let thread = thread::Builder::new().name("index-sync".to_owned());
        waiting.runs = thread.spawn(run).is_ok();
    }
    if !waiting.runs {
        drop(waiting);
        sync_now(log);
    }
}

/// The same, and nobody waits any longer: the process may be about to end.
pub(super) fn sync_now(log: &Path) {
    let is_waiting = waiting().logs.remove(log);
    if is_waiting {
        sync(log);
    }
}

fn run() {
    loop {
        let mut now = waiting();
        while now.logs.is_empty() {
            now = CAME.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        drop(now);
        thread::sleep(WAIT);
        let logs = std::mem::take(&mut waiting().logs);
        logs.iter().for_each(|log| sync(log));
    }
}

fn sync(log: &Path) {
    let synced = found(Fs::real().open(log, How::Read, 0)).and_then(|file| match file {
        Some(file) => file.sync_data(),
        // Its mailbox is gone.
        None => Ok(()),
    });
    if let Err(error) = synced {
        tracing::warn!("flags may not survive a power failure: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_waits_until_it_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("dovecot.index.log");
        std::fs::write(&log, b"records").unwrap();
        sync_soon(&log);
        sync_soon(&log);
        let begun = std::time::Instant::now();
        while waiting().logs.contains(&log) {
            assert!(begun.elapsed() < Duration::from_secs(30), "still waiting");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn nobody_waits_for_a_log_that_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("dovecot.index.log");
        sync_soon(&log);
        sync_now(&log);
        assert!(!waiting().logs.contains(&log));
    }
}
