//! What all connections share. One thread: never borrowed across an await.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use auth_db::{AuthDb, Settings};
use config::{Facts, Snapshot};
use sasl::Mech;
use service::Callers;
use service::journal::id;
use tokio::time::Instant;

use crate::Error;
use crate::delay::Delay;
use crate::pam::Workers;
use crate::threads::Threads;
use crate::tokens::Tokens;

/// Where auth-worker listens.
const AUTH_WORKER: &str = "/run/culver/auth-worker/auth-worker";

/// What a configuration makes.
#[derive(Debug)]
pub struct Live {
    /// All databases.
    pub db: AuthDb,
    /// Mechanisms that are offered, in their order.
    pub mechs: Vec<Mech>,
    /// `auth_failure_delay`.
    pub failure_delay: Duration,
    /// `auth_verbose`.
    pub verbose: bool,
    /// `auth_worker_max_count`.
    pub workers: usize,
    /// Who may call.
    pub callers: Callers,
}

impl Live {
    /// As the snapshot says.
    pub fn load() -> Result<Self, Error> {
        let snapshot = Snapshot::load("auth")?;
        let settings: Settings = snapshot.settings(&Facts::default())?;
        Self::new(&settings, Callers::of(&snapshot))
    }

    /// As these settings say. What is wrong with databases is logged line by line.
    pub fn new(settings: &Settings, callers: Callers) -> Result<Self, Error> {
        let db = AuthDb::new(settings).map_err(|problems| {
            for problem in &problems {
                tracing::error!(
                    message_id = id::AUTH_MISCONFIGURED,
                    "auth: Error: {problem}"
                );
            }
            Error::Settings("passdb and userdb blocks have errors".to_owned())
        })?;
        if !db.has_passdbs() {
            return Err(Error::Settings(
                "No passdbs specified in configuration file".to_owned(),
            ));
        }
        Ok(Self {
            db,
            mechs: mechs(&settings.auth_mechanisms)?,
            failure_delay: settings.auth_failure_delay.duration(),
            verbose: settings.auth_verbose,
            workers: usize::try_from(settings.auth_worker_max_count.max(1)).unwrap_or(1),
            callers,
        })
    }
}

/// The mechanisms that we have of those that are wanted.
fn mechs(wanted: &[String]) -> Result<Vec<Mech>, Error> {
    let mut found = Vec::new();
    for name in wanted {
        match Mech::from_name(name) {
            Some(mech) if found.contains(&mech) => {}
            Some(mech) => found.push(mech),
            None => tracing::error!(
                message_id = id::AUTH_MISCONFIGURED,
                "auth: Error: auth_mechanisms: {name} is not supported and is not offered"
            ),
        }
    }
    if found.is_empty() {
        return Err(Error::Settings(
            "auth_mechanisms: none of them is supported".to_owned(),
        ));
    }
    Ok(found)
}

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    live: RefCell<Rc<Live>>,
    /// Tokens that were issued.
    pub tokens: RefCell<Tokens>,
    /// Threads for what waits or computes.
    pub threads: Threads,
    /// Connections to auth-worker.
    pub workers: Workers,
    /// When failures are told.
    pub delay: Delay,
    /// Exchanges and requests under way.
    pub running: Cell<usize>,
    next_connection: Cell<u64>,
}

impl Shared {
    /// With a configuration.
    pub fn new(live: Live) -> Self {
        Self::with_workers(live, PathBuf::from(AUTH_WORKER))
    }

    /// With an auth-worker that listens elsewhere.
    pub fn with_workers(live: Live, path: PathBuf) -> Self {
        Self {
            tokens: RefCell::default(),
            threads: Threads::default(),
            workers: Workers::new(path, live.workers),
            delay: Delay::new(Instant::now()),
            running: Cell::new(0),
            next_connection: Cell::new(0),
            live: RefCell::new(Rc::new(live)),
        }
    }

    /// The configuration as it is now. Whoever holds it keeps it to the end of a request.
    pub fn live(&self) -> Rc<Live> {
        Rc::clone(&self.live.borrow())
    }

    /// From now on another configuration.
    pub fn replace(&self, live: Live) {
        self.live.replace(Rc::new(live));
    }

    /// A number for a connection, never used again.
    pub fn next_connection(&self) -> u64 {
        self.next_connection.replace(self.next_connection.get() + 1)
    }

    /// Counts something that is under way while the result lives.
    pub fn count(self: &Rc<Self>) -> Running {
        self.running.set(self.running.get() + 1);
        Running(Rc::clone(self))
    }
}

/// Something under way.
pub struct Running(Rc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get().saturating_sub(1));
    }
}
