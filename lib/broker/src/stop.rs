//! Telling a running session to end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Why a session is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// An administrator said so (`doveadm kick`).
    Kicked,
    /// The service stops.
    Drain,
}

/// The session's end of the string: wait on it together with the client. Clones are the same.
#[derive(Debug, Clone)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    event: OwnedFd,
    reason: AtomicU8,
}

impl Stop {
    /// A session that may run.
    ///
    /// # Errors
    /// What eventfd(2) says.
    pub fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            shared: Arc::new(Shared {
                event,
                reason: AtomicU8::new(0),
            }),
        })
    }

    /// `Some`: the session is to tell its client and end.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        match self.shared.reason.load(Ordering::Acquire) {
            0 => None,
            1 => Some(StopReason::Kicked),
            _ => Some(StopReason::Drain),
        }
    }

    /// Is it the same session's?
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// For another session: nobody else has it, and it was never used.
    pub(crate) fn unused(self) -> Option<Self> {
        let is_alone = Arc::strong_count(&self.shared) == 1;
        (is_alone && self.reason().is_none()).then_some(self)
    }

    /// Tells the session to end; the first reason stays.
    pub fn stop(&self, reason: StopReason) {
        let reason = match reason {
            StopReason::Kicked => 1,
            StopReason::Drain => 2,
        };
        let first =
            self.shared
                .reason
                .compare_exchange(0, reason, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            // Any number but 0 wakes the reader. A counter that is 0 can neither block nor overflow.
            let _ = rustix::io::write(&self.shared.event, &[1; 8]);
        }
    }
}

impl AsFd for Stop {
    /// Readable from the moment when the session is to end.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let stop = Stop::new().unwrap();
        assert_eq!(stop.reason(), None);
        stop.stop(StopReason::Kicked);
        stop.stop(StopReason::Drain);
        assert_eq!(stop.reason(), Some(StopReason::Kicked));
        assert!(stop.unused().is_none());
    }

    #[test]
    fn another_session_gets_what_nobody_has_used() {
        let stop = Stop::new().unwrap();
        let other = stop.clone();
        assert!(stop.unused().is_none(), "another has it");
        assert!(other.unused().is_some());
    }
}
