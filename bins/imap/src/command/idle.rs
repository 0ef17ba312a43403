//! IDLE: tells news as they happen, until DONE. RFC 2177 §3.

use std::time::{Duration, Instant};

use imap_proto::{Args, Event};
use mailbox::Expunges;

use super::{After, Command, State};
use crate::session::{By, EndReason, Failure, IDLE_TIMEOUT, Reply, Session, Wake};

pub const COMMAND: Command = Command {
    name: "IDLE",
    valid_in: State::Authenticated,
    after: After::Show,
    run,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    session.client.line("+ idling")?;
    // Listens first: what happens from here on wakes the session.
    let mut clock = Clock::start(session);
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
            Wake::Other => session.sync(Expunges::Show, By::Seq)?,
            Wake::Timeout => clock.tick(session)?,
        }
    }
}

/// What happens in IDLE without anybody's doing.
struct Clock {
    ends: Instant,
    notify: Timer,
    look: Timer,
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
        let Some(interval) = self.interval.filter(|_| Instant::now() >= self.next) else {
            return false;
        };
        self.next = Instant::now() + interval;
        true
    }
}

impl Clock {
    fn start(session: &Session<'_>) -> Self {
        let has_fd = session
            .selected
            .as_ref()
            .is_some_and(|selected| selected.mailbox.change_fd().is_some());
        let look = session.settings.mailbox_idle_check_interval.duration();
        let look = Some(look)
            .filter(|interval| session.selected.is_some() && !has_fd && !interval.is_zero());
        Self {
            ends: Instant::now() + IDLE_TIMEOUT,
            notify: Timer::new(session.settings.notify_interval()),
            look: Timer::new(look),
        }
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
