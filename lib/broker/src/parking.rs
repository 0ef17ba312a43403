//! Sessions that idle, outside of any worker: imap-hibernate holds their clients, this remembers that they are there.
//!
//! A session is parked from the moment when its worker lets go of it to the moment when a worker has it again. At each
//! moment somebody holds its client: the worker, imap-hibernate, or this manager between them. Of what imap-hibernate gives
//! back nothing counts but what this manager, or one before it, has sealed.

mod ledger;
mod link;
mod seal;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use ipc::SessionId;
use ipc::hibernate::{Farewell, Hold, MAX_SEALED, Parked, Request, Slot};
use ipc::worker::{Identity, Rest};
use sys::inherited::Inherited;
use sys::peer;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use self::ledger::Ledger;
pub(crate) use self::ledger::NAME as STORED;
pub(crate) use self::seal::Ticket;
use crate::Manager;

/// Where imap-hibernate listens.
const SOCKET: &str = "/run/culver/imap-hibernate/imap-hibernate";
/// Longest time that it may take for anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// What happens to parked sessions.
#[derive(Debug)]
pub(crate) enum Event {
    /// An earlier manager has parked it.
    Found(Box<Ticket>),
    /// Another process holds it.
    Moved(SessionId),
    /// It is to go on in a worker.
    Woken(Box<Woken>),
    /// Its client is gone.
    Ended(SessionId),
    /// It is nowhere: imap-hibernate lost it.
    Lost(SessionId),
}

/// A session on its way back.
#[derive(Debug)]
pub(crate) struct Woken {
    pub ticket: Ticket,
    pub client: OwnedFd,
    /// Bytes that the client was sent meanwhile.
    pub sent: u64,
}

/// A session that is to be parked.
pub(crate) struct Leaving<'a> {
    pub session: &'a SessionId,
    pub identity: &'a Identity,
    pub rest: Rest,
    pub hold: Hold,
    /// The client's, and perhaps that of its mailbox.
    pub fds: &'a [OwnedFd],
}

/// Why a session cannot be parked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHeld {
    #[error(transparent)]
    Ipc(#[from] ipc::Error),
    #[error("{0}")]
    Syscall(#[from] std::io::Error),
    #[error("the session came without a client")]
    NoClient,
    #[error("imap-hibernate holds no more")]
    Refused,
    #[error("imap-hibernate does not answer")]
    Silent,
    #[error("the service is about to end")]
    Ending,
}

/// Where a parked session stands.
enum Stage {
    /// On its way to imap-hibernate.
    Leaving(oneshot::Sender<()>),
    Held,
    /// On its way to a worker.
    Returning,
}

struct Entry {
    session: SessionId,
    stage: Stage,
    /// An administrator wants it to end.
    is_kicked: bool,
}

pub(crate) struct Parking {
    name: &'static str,
    path: PathBuf,
    manager: Manager,
    ledger: RefCell<Ledger>,
    entries: RefCell<HashMap<Slot, Entry>>,
    slots: RefCell<HashMap<SessionId, Slot>>,
    link: RefCell<Option<link::Line>>,
    connecting: tokio::sync::Mutex<()>,
    events: mpsc::UnboundedSender<Event>,
    fewer: Notify,
    is_closed: Cell<bool>,
    /// The administrator knows that nobody can be parked.
    has_complained: Cell<bool>,
    /// Of imap-hibernate, as it says.
    pid: Cell<u32>,
}

impl Parking {
    /// Goes on where an earlier manager was; [`Self::connect`] tells what it had.
    ///
    /// # Errors
    /// No memory that outlives this process.
    pub fn open(
        name: &'static str,
        manager: Manager,
        stored: Option<Inherited>,
    ) -> std::io::Result<(Rc<Self>, mpsc::UnboundedReceiver<Event>)> {
        let ledger = Ledger::open(stored.map(|stored| stored.fd))?;
        Ok(Self::at(SOCKET.into(), name, manager, ledger))
    }

    fn at(
        path: PathBuf,
        name: &'static str,
        manager: Manager,
        ledger: Ledger,
    ) -> (Rc<Self>, mpsc::UnboundedReceiver<Event>) {
        let (events, receiver) = mpsc::unbounded_channel();
        let parking = Self {
            name,
            path,
            manager,
            ledger: RefCell::new(ledger),
            entries: RefCell::default(),
            slots: RefCell::default(),
            link: RefCell::default(),
            connecting: tokio::sync::Mutex::default(),
            events,
            fewer: Notify::new(),
            is_closed: Cell::new(false),
            has_complained: Cell::new(false),
            pid: Cell::new(0),
        };
        (Rc::new(parking), receiver)
    }

    /// Is a session of this name parked?
    pub fn has(&self, session: &SessionId) -> bool {
        self.slots.borrow().contains_key(session)
    }

    /// How many are.
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Who holds them.
    pub fn pid(&self) -> u32 {
        self.pid.get()
    }

    /// Has this manager, or one before it, parked anybody who has not come back?
    pub fn is_needed(&self) -> bool {
        !self.ledger.borrow().taken().is_empty()
    }

    /// Gives a session to imap-hibernate, which holds it when this returns.
    ///
    /// # Errors
    /// [`NotHeld`]: nobody has it but the caller.
    pub async fn hold(self: &Rc<Self>, leaving: Leaving<'_>) -> Result<(), NotHeld> {
        let line = self.connection().await?;
        if self.is_closed.get() {
            return Err(NotHeld::Ending);
        }
        let fds = leaving.fds.iter().map(OwnedFd::try_clone);
        let fds = fds.collect::<Result<Vec<_>, _>>()?;
        let (slot, parked) = self.seal(&leaving)?;
        let (held, answer) = oneshot::channel();
        self.enter(slot, leaving.session, Stage::Leaving(held));
        line.say(Request::Hold { slot, parked }, fds);
        let outcome = match timeout(PATIENCE, answer).await {
            Ok(Ok(())) => Ok(()),
            // The sender is dropped where nobody holds it.
            Ok(Err(_)) => Err(NotHeld::Refused),
            Err(_) => {
                // Whether it holds the client nobody knows: the next connection will tell, and let go of it.
                line.cut();
                Err(NotHeld::Silent)
            }
        };
        match outcome {
            Ok(()) => self.has_complained.set(false),
            Err(_) => drop(self.leave(slot)),
        }
        outcome
    }

    /// Is it the first time since somebody could be parked that somebody cannot?
    pub fn is_news(&self) -> bool {
        !self.has_complained.replace(true)
    }

    fn seal(&self, leaving: &Leaving<'_>) -> Result<(Slot, Parked), NotHeld> {
        let client = leaving.fds.first().ok_or(NotHeld::NoClient)?;
        let cookie = peer::socket_cookie(client)?;
        let mut ledger = self.ledger.borrow_mut();
        let (slot, nonce) = ledger.take()?;
        let remote = leaving.rest.facts.remote.ip();
        let ticket = Ticket {
            slot,
            nonce,
            cookie,
            session: leaving.session.clone(),
            remote,
            identity: leaving.identity.clone(),
            rest: leaving.rest.clone(),
        };
        let sealed = seal::seal(ledger.key(), &ticket);
        match sealed {
            Ok(sealed) if sealed.len() <= MAX_SEALED => Ok((
                slot,
                Parked {
                    session: leaving.session.clone(),
                    user: leaving.identity.user.clone(),
                    remote,
                    hold: leaving.hold.clone(),
                    sealed,
                },
            )),
            sealed => {
                ledger.settle(slot);
                Err(sealed.err().map_or(NotHeld::Refused, NotHeld::Ipc))
            }
        }
    }

    fn enter(&self, slot: Slot, session: &SessionId, stage: Stage) {
        let entry = Entry {
            session: session.clone(),
            stage,
            is_kicked: false,
        };
        self.slots.borrow_mut().insert(session.clone(), slot);
        self.entries.borrow_mut().insert(slot, entry);
    }

    /// It is parked no more. Its name, if it was.
    fn leave(&self, slot: Slot) -> Option<SessionId> {
        self.ledger.borrow_mut().settle(slot);
        let entry = self.entries.borrow_mut().remove(&slot)?;
        self.slots.borrow_mut().remove(&entry.session);
        self.fewer.notify_waiters();
        Some(entry.session)
    }

    /// A worker has it again. Returns whether an administrator wants it to end.
    pub fn returned(self: &Rc<Self>, ticket: &Ticket) -> bool {
        let is_kicked = {
            let entries = self.entries.borrow();
            entries.get(&ticket.slot).is_some_and(|e| e.is_kicked)
        };
        self.leave(ticket.slot);
        let slot = ticket.slot;
        self.tell(Request::Release { slot });
        is_kicked
    }

    /// No worker takes it: it ends where it is.
    pub fn fail(self: &Rc<Self>, ticket: &Ticket) {
        self.end(ticket.slot, Farewell::Failed);
    }

    /// Ends a parked session (`doveadm kick`). Returns whether there is such a session.
    pub fn kick(self: &Rc<Self>, session: &SessionId) -> bool {
        let Some(slot) = self.slots.borrow().get(session).copied() else {
            return false;
        };
        let is_held = {
            let mut entries = self.entries.borrow_mut();
            let Some(entry) = entries.get_mut(&slot) else {
                return false;
            };
            entry.is_kicked = true;
            matches!(entry.stage, Stage::Held)
        };
        // Where it is on its way, whoever gets it is told.
        if is_held {
            self.end(slot, Farewell::Kicked);
        }
        true
    }

    fn end(self: &Rc<Self>, slot: Slot, why: Farewell) {
        self.tell(Request::End { slot, why });
    }

    /// Says something that nobody waits for, in the order in which it is said; while the connection is down there is
    /// nothing to say: it will be told what is held no more.
    fn tell(self: &Rc<Self>, request: Request) {
        if let Some(line) = &*self.link.borrow() {
            line.say(request, Vec::new());
        }
    }

    /// Sends all away, and takes no more.
    pub async fn drain(self: &Rc<Self>) {
        self.is_closed.set(true);
        let all: Vec<Slot> = self.entries.borrow().keys().copied().collect();
        for slot in all {
            self.end(slot, Farewell::Shutdown);
        }
        let ended = async {
            while self.len() > 0 {
                self.fewer.notified().await;
            }
        };
        // Who remains ends with imap-hibernate.
        let _ = timeout(PATIENCE, ended).await;
    }
}

#[cfg(test)]
mod tests;
