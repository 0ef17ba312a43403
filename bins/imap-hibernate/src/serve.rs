//! The event loop, and what all of it shares.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use config::Snapshot;
use ipc::AsyncListener;
use ipc::hibernate::{Farewell, Parked, Reply, Slot};
use service::journal::id;
use service::{Callers, Control, Signal};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::held::{Happened, Held};
use crate::manager;
use crate::shelf::{self, Found, Member, Shelf};

/// How often `systemctl status` shows new numbers.
const STATUS_PERIOD: Duration = Duration::from_secs(5);

/// A reply with its descriptor.
pub type Said = (Reply, Option<OwnedFd>);

/// Names one connection of a manager; a later one has a greater number. 0: none.
pub type Generation = u64;

/// What all connections share. One thread: never borrowed across an await.
pub struct Shared {
    shelf: Shelf,
    clients: RefCell<HashMap<Slot, Rc<Held>>>,
    pub callers: RefCell<Callers>,
    /// Of the newest connection.
    newest: Cell<Generation>,
    /// Of the manager that takes clients back; while there is none, nobody says a word to any.
    serving: watch::Sender<Generation>,
    manager: RefCell<Option<UnboundedSender<Said>>>,
}

impl Shared {
    /// With the clients that an earlier process left.
    pub fn new(shelf: Shelf, found: Vec<Found>, callers: Callers) -> Rc<Self> {
        let shared = Rc::new(Self {
            shelf,
            clients: RefCell::default(),
            callers: RefCell::new(callers),
            newest: Cell::new(0),
            serving: watch::Sender::new(0),
            manager: RefCell::default(),
        });
        for found in found {
            let fds = (found.client, found.watch);
            if let Err(error) = shared.enter(found.slot, &found.parked, fds) {
                tracing::error!(
                    message_id = id::SESSION_FAILED,
                    culver_session = found.parked.session.as_str(),
                    "imap-hibernate: Error: session {} cannot be held on: {error}",
                    found.parked.session
                );
            }
        }
        shared
    }

    /// A manager takes the place of the one before. Nobody is waited for until it serves.
    pub fn arrive(&self) -> Generation {
        self.newest.set(self.newest.get() + 1);
        self.serving.send_replace(0);
        self.manager.take();
        self.newest.get()
    }

    /// Is this the newest manager?
    pub fn is_newest(&self, generation: Generation) -> bool {
        self.newest.get() == generation
    }

    /// The manager takes clients back from now on.
    pub fn serve(&self, generation: Generation, outbox: UnboundedSender<Said>) {
        self.manager.replace(Some(outbox));
        self.serving.send_replace(generation);
    }

    /// The manager is gone.
    pub fn depart(&self, generation: Generation) {
        if self.is_newest(generation) {
            self.serving.send_replace(0);
            self.manager.take();
        }
    }

    /// Everybody who is held: where, and what came with it.
    pub fn list(&self) -> Vec<Slot> {
        self.clients.borrow().keys().copied().collect()
    }

    /// What came with a client.
    pub fn sealed(&self, slot: Slot) -> Option<Vec<u8>> {
        self.shelf.read(slot).map(|parked| parked.sealed)
    }

    /// Is somebody in this slot?
    pub fn has(&self, slot: Slot) -> bool {
        self.clients.borrow().contains_key(&slot)
    }

    /// Holds a client from now on, whatever becomes of this process.
    ///
    /// # Errors
    /// No memory or descriptors for it.
    pub fn hold(
        self: &Rc<Self>,
        slot: Slot,
        parked: &Parked,
        fds: (OwnedFd, Option<OwnedFd>),
    ) -> io::Result<()> {
        let others = self.neighbours(slot);
        let mut members: Vec<_> = others.iter().map(|held| held.member()).collect();
        members.push(Member {
            slot,
            client: fds.0.as_fd(),
            watch: fds.1.as_ref().map(OwnedFd::as_fd),
        });
        let held = self.shelf.put(slot, parked, &members);
        held.and_then(|()| self.enter(slot, parked, fds))
            .inspect_err(|_| self.empty(slot))
    }

    /// Those whose descriptors are kept together with those of this slot.
    fn neighbours(&self, slot: Slot) -> Vec<Rc<Held>> {
        let clients = self.clients.borrow();
        let others = shelf::neighbours(slot).filter(|other| *other != slot.0);
        others
            .filter_map(|other| clients.get(&Slot(other)).cloned())
            .collect()
    }

    fn enter(
        self: &Rc<Self>,
        slot: Slot,
        parked: &Parked,
        fds: (OwnedFd, Option<OwnedFd>),
    ) -> io::Result<()> {
        let held = Held::new(slot, parked, fds)?;
        let task = tokio::task::spawn_local(Rc::clone(self).attend(Rc::clone(&held)));
        held.set_task(task.abort_handle());
        self.clients.borrow_mut().insert(slot, held);
        Ok(())
    }

    /// Waits for one client as long as it is here.
    async fn attend(self: Rc<Self>, held: Rc<Held>) {
        let mut serving = self.serving.subscribe();
        let mut told = 0;
        loop {
            // A manager that was told and goes away without taking the client has a successor.
            let Ok(now) = serving.wait_for(|now| *now > told).await.map(|now| *now) else {
                return;
            };
            let happened = tokio::select! {
                _ = serving.wait_for(|then| *then != now) => continue,
                happened = held.wait() => happened,
            };
            match happened {
                Happened::Work => {
                    self.wake(&held);
                    told = now;
                }
                Happened::Gone => return self.end(held.slot, None),
            }
        }
    }

    fn wake(&self, held: &Held) {
        let (sealed, client) = (self.sealed(held.slot), held.client().try_clone());
        match (sealed, client) {
            (Some(sealed), Ok(client)) => {
                let woken = Reply::Woken {
                    slot: held.slot,
                    sealed,
                    sent: held.sent(),
                };
                self.say((woken, Some(client)));
            }
            // Out of descriptors, or of memory: there is no other way to go on.
            _ => self.end(held.slot, Some(Farewell::Failed)),
        }
    }

    fn say(&self, said: Said) {
        if let Some(manager) = &*self.manager.borrow() {
            // One that is gone hears from the next list.
            let _ = manager.send(said);
        }
    }

    /// Somebody else has the client.
    pub fn release(&self, slot: Slot) {
        let held = self.clients.borrow_mut().remove(&slot);
        if let Some(held) = held {
            self.empty(slot);
            held.release();
        }
    }

    /// The client ends here.
    pub fn end(&self, slot: Slot, why: Option<Farewell>) {
        let held = self.clients.borrow_mut().remove(&slot);
        if let Some(held) = held {
            self.empty(slot);
            self.say((Reply::Ended { slot }, None));
            // Last: it may be its own task that is here.
            held.end(why);
        }
    }

    fn empty(&self, slot: Slot) {
        let left = self.neighbours(slot);
        let left: Vec<_> = left.iter().map(|held| held.member()).collect();
        if let Err(error) = self.shelf.clear(slot, &left) {
            tracing::error!(
                message_id = id::SERVICE_FAILED,
                "imap-hibernate: Error: {error}"
            );
        }
    }

    fn status(&self) -> String {
        format!("{} sessions", self.clients.borrow().len())
    }

    fn reload(&self) -> Result<(), config::Error> {
        let snapshot = Snapshot::load("imap-hibernate")?;
        self.callers.replace(Callers::of(&snapshot));
        Ok(())
    }
}

/// Serves until systemd says that it is enough.
///
/// # Errors
/// The listening socket can't be used.
pub async fn serve(
    mut control: Control,
    listener: OwnedFd,
    shelf: Shelf,
    (found, callers): (Vec<Found>, Callers),
) -> Result<(), crate::Error> {
    let listener = AsyncListener::new(listener)?;
    let shared = Shared::new(shelf, found, callers);
    control.ready();
    tokio::task::spawn_local(accept(listener, Rc::clone(&shared)));
    let mut ticks = tokio::time::interval(STATUS_PERIOD);
    loop {
        tokio::select! {
            signal = control.next() => match signal {
                // The clients are in the store: the next process has them, or systemd closes them.
                Signal::Drain => return Ok(()),
                Signal::Reload => control.reloaded(&shared.reload()),
            },
            _ = ticks.tick() => control.status(&shared.status()),
        }
    }
}

async fn accept(listener: AsyncListener, shared: Rc<Shared>) {
    loop {
        match listener.accept().await {
            Ok(channel) => {
                tokio::task::spawn_local(manager::serve(channel, Rc::clone(&shared)));
            }
            Err(error) => {
                tracing::error!(
                    message_id = id::LIMIT_REACHED,
                    "imap-hibernate: Error: {error}"
                );
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
