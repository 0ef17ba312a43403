//! The connection to imap-hibernate: what is there when it begins, and what comes while it lasts.
//!
//! A connection that breaks, or that somebody breaks a rule on, is made anew; then imap-hibernate lists what it holds, and
//! both agree again.

use std::collections::HashSet;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::rc::Rc;

use ipc::hibernate::{Reply, Request, Slot};
use ipc::{AsyncChannel, Error, VERSION};
use service::journal::{Clean, id};
use sys::peer;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::{Event, NotHeld, PATIENCE, Parking, Stage, Ticket, Woken, seal};

/// A request with its descriptors.
type Said = (Request, Vec<OwnedFd>);

/// One connection, ready to be used.
#[derive(Clone)]
pub(super) struct Line {
    channel: Rc<AsyncChannel>,
    /// Written by one task, so that things arrive in the order in which they were said.
    outbox: UnboundedSender<Said>,
}

impl Line {
    /// Nobody waits for it: where the connection is gone, the next one begins with what was missed.
    pub fn say(&self, request: Request, fds: Vec<OwnedFd>) {
        let _ = self.outbox.send((request, fds));
    }

    /// Gives the connection up.
    pub fn cut(&self) {
        self.channel.shut_down();
    }
}

/// What imap-hibernate did that it never does.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("broke the protocol")]
    Protocol,
    #[error("gave back a session that is not parked there")]
    NotParked,
    #[error("gave back a record that was not sealed here, or was changed")]
    Seal,
    #[error("gave back another client's connection")]
    Socket,
    #[error(transparent)]
    Ipc(#[from] Error),
}

impl Parking {
    /// The connection, made if there is none.
    ///
    /// # Errors
    /// Nobody listens, or answers.
    pub(super) async fn connection(self: &Rc<Self>) -> Result<Line, NotHeld> {
        let _turn = self.connecting.lock().await;
        if let Some(line) = &*self.link.borrow() {
            return Ok(line.clone());
        }
        let channel = Rc::new(AsyncChannel::connect(&self.path).await?);
        let agreed = timeout(PATIENCE, self.agree(&channel)).await;
        agreed.map_err(|_| NotHeld::Silent)??;
        let (outbox, said) = unbounded_channel();
        let line = Line { channel, outbox };
        *self.link.borrow_mut() = Some(line.clone());
        tokio::task::spawn_local(write(Rc::clone(&line.channel), said));
        tokio::task::spawn_local(Rc::clone(self).listen(line.clone()));
        Ok(line)
    }

    /// Connects, if somebody is parked and there is no connection.
    pub async fn connect(self: &Rc<Self>) {
        if !self.is_needed() {
            return;
        }
        if let Err(error) = self.connection().await {
            tracing::warn!(
                message_id = id::SERVICE_FAILED,
                "{}: Warning: imap-hibernate: {error}; parked sessions are as they are until it is back",
                self.name
            );
        }
    }

    /// Greets, and hears what is held.
    async fn agree(&self, channel: &AsyncChannel) -> Result<(), Error> {
        let hello = Request::Hello { version: VERSION };
        channel.send(&hello, &[]).await?;
        let malformed = |reason: &str| Error::Malformed {
            expected: "a list of sessions",
            reason: reason.to_owned(),
        };
        match channel.recv().await?.0 {
            Reply::Hello { version, pid } => {
                Error::check_version(version)?;
                self.pid.set(pid);
            }
            _ => return Err(malformed("no greeting")),
        }
        let mut here = HashSet::new();
        loop {
            match channel.recv().await?.0 {
                Reply::Holds { slot, sealed } => match self.find(slot, &sealed) {
                    Ok(()) => drop(here.insert(slot)),
                    Err(wrong) => {
                        if let Some(wrong) = wrong {
                            self.refuse(&wrong);
                        }
                        channel.send(&Request::Release { slot }, &[]).await?;
                    }
                },
                Reply::HoldsAll => break,
                _ => return Err(malformed("something else in between")),
            }
        }
        self.lose_all_but(&here);
        channel.send(&Request::Serve, &[]).await
    }

    /// Is this session still parked? If not, it is to be let go of, and perhaps somebody lies.
    fn find(&self, slot: Slot, sealed: &[u8]) -> Result<(), Option<Wrong>> {
        let Some(ticket) = seal::open(self.ledger.borrow().key(), sealed) else {
            return Err(Some(Wrong::Seal));
        };
        if ticket.slot != slot {
            return Err(Some(Wrong::NotParked));
        }
        // It came back, and imap-hibernate ended before it heard so.
        if !self.ledger.borrow().is_out(slot, &ticket.nonce) {
            return Err(None);
        }
        let stage = self
            .entries
            .borrow()
            .get(&slot)
            .map(|entry| match entry.stage {
                Stage::Held => Ok(()),
                Stage::Leaving(_) | Stage::Returning => Err(None),
            });
        if let Some(Ok(())) = stage {
            let _ = self.events.send(Event::Moved(ticket.session.clone()));
        }
        if let Some(known) = stage {
            return known;
        }
        // An earlier manager parked it. It may have been given to a worker, too, and nobody lived to write that down.
        if self.manager.has_job(&ticket.session) {
            self.ledger.borrow_mut().settle(slot);
            return Err(None);
        }
        self.enter(slot, &ticket.session, Stage::Held);
        let _ = self.events.send(Event::Found(Box::new(ticket)));
        Ok(())
    }

    fn lose_all_but(&self, here: &HashSet<Slot>) {
        let taken = self.ledger.borrow().taken();
        for slot in taken.into_iter().filter(|slot| !here.contains(slot)) {
            let is_on_its_way =
                self.entries.borrow().get(&slot).is_some_and(|entry| {
                    matches!(entry.stage, Stage::Leaving(_) | Stage::Returning)
                });
            if !is_on_its_way && let Some(session) = self.leave(slot) {
                let _ = self.events.send(Event::Lost(session));
            }
        }
    }

    async fn listen(self: Rc<Self>, line: Line) {
        let wrong = loop {
            let heard = match line.channel.recv::<Reply>().await {
                Ok((reply, fds)) => self.hear(reply, fds),
                Err(error) => Err(error.into()),
            };
            if let Err(wrong) = heard {
                break wrong;
            }
        };
        if !matches!(wrong, Wrong::Ipc(Error::Closed)) {
            self.refuse(&wrong);
        }
        line.cut();
        *self.link.borrow_mut() = None;
        // Who waits for an answer gets none.
        for entry in self.entries.borrow_mut().values_mut() {
            if matches!(entry.stage, Stage::Leaving(_)) {
                entry.stage = Stage::Returning;
            }
        }
        self.connect().await;
    }

    fn hear(&self, reply: Reply, fds: Vec<OwnedFd>) -> Result<(), Wrong> {
        match reply {
            Reply::Held { slot } => self.held(slot),
            Reply::NotHeld { slot } => {
                let mut entries = self.entries.borrow_mut();
                let entry = entries.get_mut(&slot).ok_or(Wrong::NotParked)?;
                // Drops the sender, for which the one who asked waits.
                entry.stage = Stage::Returning;
                Ok(())
            }
            Reply::Woken { slot, sealed, sent } => {
                let woken = self.take_back(slot, &sealed, fds)?;
                let sent = sent.min(u64::from(u32::MAX));
                let _ = self
                    .events
                    .send(Event::Woken(Box::new(Woken { sent, ..woken })));
                Ok(())
            }
            Reply::Ended { slot } => {
                // One that a worker has is not parked any more.
                if let Some(session) = self.leave(slot) {
                    let _ = self.events.send(Event::Ended(session));
                }
                Ok(())
            }
            Reply::Hello { .. } | Reply::Holds { .. } | Reply::HoldsAll => Err(Wrong::Protocol),
        }
    }

    fn is_held(&self, slot: Slot) -> bool {
        let entries = self.entries.borrow();
        entries
            .get(&slot)
            .is_some_and(|entry| matches!(entry.stage, Stage::Held))
    }

    fn held(&self, slot: Slot) -> Result<(), Wrong> {
        let mut entries = self.entries.borrow_mut();
        let entry = entries.get_mut(&slot).ok_or(Wrong::NotParked)?;
        match std::mem::replace(&mut entry.stage, Stage::Held) {
            // Whoever asked may have given up at this very moment: then the connection is gone too.
            Stage::Leaving(asked) => drop(asked.send(())),
            Stage::Held | Stage::Returning => return Err(Wrong::Protocol),
        }
        Ok(())
    }

    /// The one place where a session comes back.
    fn take_back(&self, slot: Slot, sealed: &[u8], mut fds: Vec<OwnedFd>) -> Result<Woken, Wrong> {
        let (Some(client), true) = (fds.pop(), fds.is_empty()) else {
            return Err(Wrong::Protocol);
        };
        let ticket: Ticket = seal::open(self.ledger.borrow().key(), sealed).ok_or(Wrong::Seal)?;
        let is_out = self.ledger.borrow().is_out(slot, &ticket.nonce);
        if ticket.slot != slot || !is_out || !self.is_held(slot) {
            return Err(Wrong::NotParked);
        }
        if !peer::socket_cookie(&client).is_ok_and(|cookie| cookie == ticket.cookie) {
            return Err(Wrong::Socket);
        }
        if let Some(entry) = self.entries.borrow_mut().get_mut(&slot) {
            entry.stage = Stage::Returning;
        }
        Ok(Woken {
            ticket,
            client,
            sent: 0,
        })
    }

    fn refuse(&self, wrong: &Wrong) {
        let wrong = wrong.to_string();
        tracing::error!(
            message_id = id::UNPARK_REFUSED,
            "{}: Error: Couldn't unhibernate client: imap-hibernate {}",
            self.name,
            Clean(&wrong)
        );
    }
}

async fn write(channel: Rc<AsyncChannel>, mut said: UnboundedReceiver<Said>) {
    while let Some((request, fds)) = said.recv().await {
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
        if channel.send(&request, &fds).await.is_err() {
            // Whoever reads sees it too.
            return channel.shut_down();
        }
    }
}
