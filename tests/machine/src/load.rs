//! Logins and deliveries that go on while something is done to the server.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};

use testkit::{Imap, Lmtp, Machine};

/// What the load saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Subjects of the messages that were acknowledged.
    pub acknowledged: Vec<String>,
    /// Logins that worked.
    pub logins: u32,
    /// Connections that were refused: there must be none.
    pub refused: Vec<String>,
}

/// Runs `work` while one client delivers to `user` and another logs in as it, both without pause.
pub fn under_load(machine: &Machine, user: &str, work: impl FnOnce()) -> Seen {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let deliveries = scope.spawn(|| deliver(machine, user, &stop));
        let logins = scope.spawn(|| log_in(machine, user, &stop));
        // The clients stop also after a panic in `work`.
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        let mut seen = joined(deliveries);
        let logins = joined(logins);
        seen.logins = logins.logins;
        seen.refused.extend(logins.refused);
        if let Err(panic) = worked {
            std::panic::resume_unwind(panic);
        }
        seen
    })
}

fn joined(thread: ScopedJoinHandle<'_, Seen>) -> Seen {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn deliver(machine: &Machine, user: &str, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let stream = match machine.try_connect(Ipv4Addr::LOCALHOST, 24) {
            Ok(stream) => stream,
            Err(error) => {
                seen.refused.push(format!("lmtp: {error}"));
                continue;
            }
        };
        count += 1;
        let subject = format!("load-{count}");
        let message = format!("Subject: {subject}\r\n\r\n{subject}\r\n");
        // A service that is killed may break off a conversation: then nothing was promised.
        let replies = quietly(|| {
            Lmtp::connect(stream).deliver("load@example.org", &[user], message.as_bytes())
        });
        if replies.is_some_and(|replies| replies.iter().all(|reply| reply.starts_with("250"))) {
            seen.acknowledged.push(subject);
        }
    }
    seen
}

fn log_in(machine: &Machine, user: &str, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        match machine.try_connect(Ipv4Addr::LOCALHOST, 143) {
            Ok(stream) => {
                let worked = quietly(|| {
                    let mut imap = Imap::connect(stream);
                    imap.ok(&format!("LOGIN {user} secret"));
                    imap.ok("SELECT INBOX");
                    imap.ok("LOGOUT");
                });
                seen.logins += u32::from(worked.is_some());
            }
            Err(error) => seen.refused.push(format!("imap: {error}")),
        }
    }
    seen
}

/// What `work` returns; `None` if it panicked, as the kit's clients do when a connection breaks.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}
