//! What a session costs that is parked in imap-hibernate: memory there, and CPU of systemd, which keeps its descriptors.

use std::fmt;
use std::time::{Duration, Instant};

use testkit::Machine;

use crate::client::Session;
use crate::measure::{cpu_ms_in, pss};
use crate::servers::{USERS, park, user};

/// Longest time until all are parked.
const PATIENCE: Duration = Duration::from_secs(600);

/// Per session.
pub struct Parked {
    sessions: u32,
    hibernate_kb: f64,
    systemd_ms: f64,
}

impl Parked {
    /// Parks so many sessions and looks.
    pub fn measure(machine: &Machine, sessions: u32) -> anyhow::Result<Self> {
        park(machine);
        let look = || {
            let memory = pss(machine, "/culver/imap-hibernate").0;
            (memory, cpu_ms_in(machine, "init.scope"))
        };
        // It starts with the first.
        let first = idling(machine, 0)?;
        wait_until(machine, 1)?;
        let before = look();
        let others = (1..sessions).map(|number| idling(machine, number));
        let others = others.collect::<anyhow::Result<Vec<_>>>()?;
        wait_until(machine, sessions)?;
        let after = look();
        drop((first, others));
        let each = |total: f64| total / f64::from(sessions);
        Ok(Self {
            sessions,
            hibernate_kb: each(after.0.saturating_sub(before.0) as f64),
            systemd_ms: each(after.1 - before.1),
        })
    }
}

impl fmt::Display for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sessions,
            hibernate_kb,
            systemd_ms,
        } = self;
        write!(
            f,
            "culver, {sessions} parked: {hibernate_kb:.1} kB each in imap-hibernate; {systemd_ms:.2} ms of systemd's CPU"
        )
    }
}

fn idling(machine: &Machine, number: u32) -> anyhow::Result<Session> {
    let mut session = Session::open(machine.connect(143), None)?;
    session.login(&user(number % USERS))?;
    session.command("SELECT INBOX")?;
    session.idle()?;
    Ok(session)
}

/// Until the manager's status line says that so many are parked.
fn wait_until(machine: &Machine, sessions: u32) -> anyhow::Result<()> {
    let wanted = format!(" {sessions} parked");
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let status = machine.run("systemctl show --property=StatusText culver-imap.service");
        if status.contains(&wanted) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    anyhow::bail!("not all of {sessions} sessions were parked")
}
