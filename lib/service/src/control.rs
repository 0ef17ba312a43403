//! A running service and systemd: readiness, status, watchdog, signals.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{self, SignalKind};

use crate::Error;
use crate::journal::id;

/// What systemd, or the administrator, wants of a running service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: load the new configuration; then say [`Control::reloaded`].
    Reload,
    /// SIGTERM or SIGINT: accept nothing more, let what runs come to its end, return.
    Drain,
}

/// The line to systemd.
#[derive(Debug)]
pub struct Control {
    name: &'static str,
    hup: unix::Signal,
    term: unix::Signal,
    int: unix::Signal,
}

impl Control {
    pub(crate) fn new(name: &'static str) -> Result<Self, Error> {
        let listen = |kind| {
            unix::signal(kind).map_err(|source| Error::Syscall {
                call: "sigaction",
                source,
            })
        };
        Ok(Self {
            name,
            hup: listen(SignalKind::hangup())?,
            term: listen(SignalKind::terminate())?,
            int: listen(SignalKind::interrupt())?,
        })
    }

    /// Tells systemd that the service serves, and keeps the watchdog fed from this event loop: a
    /// loop that hangs starves it.
    pub fn ready(&self) {
        notify(&[NotifyState::Ready]);
        if let Some(period) = sd_notify::watchdog_enabled() {
            tokio::spawn(feed_watchdog(period / 2));
        }
    }

    /// The one line of `systemctl status`.
    pub fn status(&self, line: &str) {
        notify(&[NotifyState::Status(line)]);
    }

    /// Waits for the next signal. Safe to cancel.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hup.recv() => {
                let now = NotifyState::monotonic_usec_now();
                match now {
                    Ok(now) => notify(&[NotifyState::Reloading, now]),
                    Err(_) => notify(&[NotifyState::Reloading]),
                }
                Signal::Reload
            }
            _ = self.term.recv() => self.drain(),
            _ = self.int.recv() => self.drain(),
        }
    }

    fn drain(&self) -> Signal {
        notify(&[NotifyState::Stopping]);
        Signal::Drain
    }

    /// A reload is over; says in the journal how it went.
    pub fn reloaded<E: std::fmt::Display>(&self, outcome: &Result<(), E>) {
        match outcome {
            Ok(()) => tracing::info!(
                message_id = id::RELOADED,
                "{}: Configuration reloaded",
                self.name
            ),
            Err(error) => tracing::error!(
                message_id = id::RELOAD_FAILED,
                "{}: Error: keeping the old configuration: {error:#}",
                self.name
            ),
        }
        notify(&[NotifyState::Ready]);
    }
}

async fn feed_watchdog(period: Duration) {
    let mut ticks = tokio::time::interval(period);
    loop {
        ticks.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

/// Without systemd there is nobody to tell; with it, a lost notification shows as a timeout there.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("sd_notify failed: {error}");
    }
}
