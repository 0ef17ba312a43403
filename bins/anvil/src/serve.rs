//! The event loop: accepts peers, and forgets the sessions of managers that do not come back.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::Snapshot;
use ipc::anvil::Session;
use ipc::facts::Protocol;
use ipc::{AsyncListener, SessionId};
use service::journal::id;
use service::{Callers, Control, Signal};
use tokio::sync::Semaphore;

use crate::log::{self, Log};
use crate::managers::{Generation, Managers};
use crate::peer;
use crate::table::{Table, Verdict};

/// How long the sessions of a manager that is away still count: a restart takes less.
pub const AWAY: Duration = Duration::from_secs(10);
/// Most peers at once; more wait in the socket's queue.
const MAX_PEERS: usize = 256;
/// How often `systemctl status` shows new numbers.
const STATUS_PERIOD: Duration = Duration::from_secs(5);

/// What all connections share. One thread: never borrowed across an await.
pub struct State {
    pub table: Table,
    pub managers: Managers,
    pub callers: Callers,
    log: Log,
}

/// The state, shared.
pub type Shared = Rc<RefCell<State>>;

impl State {
    /// With the sessions that an earlier process left.
    pub fn new(log: Log, sessions: log::Sessions, callers: Callers) -> Self {
        let mut table = Table::default();
        for session in sessions.into_values() {
            table.connect(session, 0);
        }
        Self {
            table,
            managers: Managers::default(),
            callers,
            log,
        }
    }

    /// Counts a session, unless a limit is reached.
    ///
    /// # Errors
    /// [`log::Error`]: out of memory; the session isn't counted.
    pub fn connect(&mut self, session: Session, limit: u32) -> Result<Verdict, log::Error> {
        self.managers.claimed(session.protocol, &session.session);
        let verdict = self.table.connect(session.clone(), limit);
        if verdict == Verdict::Counted
            && let Err(error) = self.log.connected(&session)
        {
            self.table.disconnect(&session.session);
            return Err(error);
        }
        self.tidy()?;
        Ok(verdict)
    }

    /// Forgets a session.
    ///
    /// # Errors
    /// [`log::Error`]: out of memory; after a restart the session would count again until its manager says otherwise.
    pub fn disconnect(&mut self, session: &SessionId) -> Result<(), log::Error> {
        if self.table.disconnect(session).is_some() {
            self.log.disconnected(session)?;
        }
        self.tidy()
    }

    fn tidy(&mut self) -> Result<(), log::Error> {
        if self.log.is_stale() {
            self.log.rewrite(self.table.sessions())
        } else {
            Ok(())
        }
    }

    /// Forgets all of these.
    pub fn forget(&mut self, sessions: impl IntoIterator<Item = SessionId>) {
        for session in sessions {
            if let Err(error) = self.disconnect(&session) {
                tracing::error!(message_id = id::SERVICE_FAILED, "anvil: Error: {error}");
            }
        }
    }
}

/// Serves until systemd says that it is enough.
///
/// # Errors
/// The listening socket can't be used.
pub async fn serve(
    mut control: Control,
    listener: OwnedFd,
    state: State,
) -> Result<(), crate::Error> {
    let listener = AsyncListener::new(listener)?;
    let state = Rc::new(RefCell::new(state));
    wait_for_owners(&state);
    control.ready();
    tokio::task::spawn_local(accept(listener, Rc::clone(&state)));
    let mut ticks = tokio::time::interval(STATUS_PERIOD);
    loop {
        tokio::select! {
            signal = control.next() => match signal {
                // Whoever is connected comes back to the next process, and the sessions are in the store.
                Signal::Drain => return Ok(()),
                Signal::Reload => control.reloaded(&reload(&state)),
            },
            _ = ticks.tick() => control.status(&status(&state)),
        }
    }
}

fn reload(state: &Shared) -> Result<(), config::Error> {
    let snapshot = Snapshot::load("anvil")?;
    state.borrow_mut().callers = Callers::of(&snapshot);
    Ok(())
}

fn status(state: &Shared) -> String {
    let state = state.borrow();
    format!(
        "{} sessions, {} users and addresses",
        state.table.len(),
        state.table.origins()
    )
}

async fn accept(listener: AsyncListener, state: Shared) {
    let places = Arc::new(Semaphore::new(MAX_PEERS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok(channel) => {
                let state = Rc::clone(&state);
                tokio::task::spawn_local(async move {
                    peer::serve(channel, state).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::error!(message_id = id::LIMIT_REACHED, "anvil: Error: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// After a restart: managers that don't come back lose their sessions.
fn wait_for_owners(state: &Shared) {
    let mut found: Vec<Protocol> = state
        .borrow()
        .table
        .sessions()
        .map(|session| session.protocol)
        .collect();
    found.sort_unstable();
    found.dedup();
    for protocol in found {
        let generation = state.borrow_mut().managers.expected(protocol);
        forget_unless_back(Rc::clone(state), protocol, generation);
    }
}

/// Forgets a manager's sessions when it has stayed away for [`AWAY`].
pub fn forget_unless_back(state: Shared, protocol: Protocol, generation: Generation) {
    tokio::task::spawn_local(async move {
        tokio::time::sleep(AWAY).await;
        let mut state = state.borrow_mut();
        if state.managers.is_away(protocol, generation) {
            let lost = state.table.of_protocol(protocol);
            if !lost.is_empty() {
                tracing::warn!(
                    message_id = id::SESSION_FAILED,
                    "anvil: Warning: the {} manager did not come back: {} sessions are no longer counted",
                    protocol.name(),
                    lost.len()
                );
            }
            state.forget(lost);
        }
    });
}
