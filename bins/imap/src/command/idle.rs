//! IDLE: tells news as they happen, until DONE. RFC 2177 §3.

use std::time::{Duration, Instant};

use imap_proto::{Args, Event};
use ipc::hibernate::Keepalive;
use ipc::worker::Back;
use mailbox::Expunges;

use super::{After, Command, State};
use crate::session::{By, EndReason, Failure, IDLE_TIMEOUT, Reply, Session, Times, Wake};

pub const COMMAND: Command = Command {
    name: "IDLE",
    valid_in: State::Authenticated,
    after: After::Show,
    run,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    session.client.line("+ idling")?;
    let clock = Clock::start(session);
    idle(session, clock)
}

/// The same, in a session that was parked.
pub fn go_on(session: &mut Session<'_>, times: Times, why: Back) -> Result<Reply, Failure> {
    let mut clock = Clock::start(session);
    clock.ends = sys::clock::from_monotonic(times.ends_at);
    if let Some(keepalive) = times.keepalive {
        clock.notify.next = sys::clock::from_monotonic(keepalive.next_at);
    }
    if why == Back::NotHeld {
        clock.park = Timer::new(None);
    }
    idle(session, clock)
}

/// The clock has listened already: what happens from then on wakes the session.
fn idle(session: &mut Session<'_>, mut clock: Clock) -> Result<Reply, Failure> {
    // News from before: the client may not ask for them again.
    session.sync(Expunges::Show, By::Seq)?;
    loop {
        match session.client.try_line() {
            None => {}
            Some(Event::Command(line)) if line.bytes().eq_ignore_ascii_case(b"DONE") => {
                return Ok(Reply::ok("Idle completed."));
            }
            Some(_) => return Ok(Reply::bad("Expected DONE.")),
        }
        match wait(session, clock.until_next()?)? {
            Wake::Input => {}
            Wake::Other => {
                session.sync(Expunges::Show, By::Seq)?;
                clock.park.start_over();
            }
            Wake::Timeout => clock.tick(session)?,
        }
    }
}

/// What happens in IDLE without anybody's doing.
struct Clock {
    ends: Instant,
    notify: Timer,
    look: Timer,
    /// The session leaves its thread.
    park: Timer,
}

/// Comes back every `interval`; never, if there is none.
struct Timer {
    interval: Option<Duration>,
    next: Instant,
}

impl Timer {
    fn new(interval: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            interval,
            next: now + interval.unwrap_or_default(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.interval.map(|_| self.next)
    }

    /// Is it time? Then the next time is set.
    fn rings(&mut self) -> bool {
        let rings = self.interval.is_some() && Instant::now() >= self.next;
        if rings {
            self.start_over();
        }
        rings
    }

    fn start_over(&mut self) {
        self.next = Instant::now() + self.interval.unwrap_or_default();
    }
}

impl Clock {
    fn start(session: &Session<'_>) -> Self {
        let has_fd = session
            .selected
            .as_ref()
            .is_some_and(|selected| selected.mailbox.change_fd().is_some());
        let look = session.settings.mailbox_idle_check_interval.duration();
        // What cannot be waited for here, can be waited for nowhere.
        let looks = session.selected.is_some() && !has_fd;
        let look = Some(look).filter(|interval| looks && !interval.is_zero());
        let park = session.settings.hibernate_timeout().filter(|_| !looks);
        Self {
            ends: Instant::now() + IDLE_TIMEOUT,
            notify: Timer::new(session.settings.notify_interval()),
            look: Timer::new(look),
            park: Timer::new(park),
        }
    }

    /// The next `* OK Still here`, for whoever holds the session meanwhile.
    fn keepalive(&self) -> Option<Keepalive> {
        let interval = self.notify.interval?;
        Some(Keepalive {
            interval: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
            next_at: sys::clock::to_monotonic(self.notify.next),
        })
    }

    fn until_next(&self) -> Result<Duration, EndReason> {
        let now = Instant::now();
        if now >= self.ends {
            return Err(EndReason::Inactive);
        }
        let deadlines = [
            Some(self.ends),
            self.notify.deadline(),
            self.look.deadline(),
            self.park.deadline(),
        ];
        let next = deadlines.into_iter().flatten().min().unwrap_or(self.ends);
        Ok(next.saturating_duration_since(now))
    }

    fn tick(&mut self, session: &mut Session<'_>) -> Result<(), Failure> {
        if self.look.rings() {
            session.sync(Expunges::Show, By::Seq)?;
        }
        if self.notify.rings() {
            session.client.line("* OK Still here")?;
        }
        if self.park.rings() {
            session.park(self.ends, self.keepalive())?;
        }
        Ok(())
    }
}

fn wait(session: &mut Session<'_>, timeout: Duration) -> Result<Wake, EndReason> {
    let changes = session
        .selected
        .as_ref()
        .and_then(|selected| selected.mailbox.change_fd());
    session.client.wait(changes, timeout)
}
