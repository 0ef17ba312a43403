//! LOG-01: who cannot log goes on with the work.

use std::time::{Duration, Instant};

use attacks::{Honest, Site, Wire};

/// Stops the journal while it is dropped full; it goes on afterwards whatever happens.
struct Stopped<'a>(&'a Site);

impl<'a> Stopped<'a> {
    fn now(site: &'a Site) -> Stopped<'a> {
        site.machine
            .run("systemctl kill --signal=STOP systemd-journald.service");
        Stopped(site)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0
            .machine
            .run("systemctl kill --signal=CONT systemd-journald.service");
    }
}

/// A flood of records, and nobody who takes them: nobody waits for more than a second.
#[test]
fn a_journal_that_does_not_read() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let mut session = site.log_in("alice");
    session.ok("SELECT INBOX");
    let mut look = |site: &Site| {
        let asked = Instant::now();
        session.ok("STORE 1 +FLAGS (\\Flagged)");
        site.log_in("bob").ok("LOGOUT");
        asked.elapsed()
    };
    // This host may be busy with other things.
    let calm = (0..20).map(|_| look(&site)).max().unwrap_or_default();
    let mut slowest = Duration::ZERO;
    let stopped = Stopped::now(&site);
    let started = Instant::now();
    for round in 0..400 {
        let mut wire = Wire::connect(&site.machine, Site::address(), 143);
        let deadline = Instant::now() + Duration::from_secs(10);
        // Each is a record of login, and one of auth.
        wire.send(b"a LOGIN eve wrong\r\nb LOGIN eve wrong\r\n", deadline);
        let answered = wire.hears("^b NO", deadline);
        assert!(
            answered,
            "round {round}: {}",
            String::from_utf8_lossy(&wire.received)
        );
        drop(wire);
        if round % 20 == 0 {
            slowest = slowest.max(look(&site));
        }
    }
    println!(
        "400 rounds in {:?}; a session and a login took {slowest:?} at most, {calm:?} before",
        started.elapsed()
    );
    drop(stopped);
    assert!(
        slowest < Duration::from_secs(1) + calm,
        "{slowest:?}, {calm:?} before"
    );
    site.deliver("alice", b"Subject: x\r\n\r\nx\r\n");
    site.calm(&honest).unwrap();
}
