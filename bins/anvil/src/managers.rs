//! Managers that own sessions: the connection that speaks for each protocol now, and what it has not claimed yet.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use ipc::facts::Protocol;
use ipc::{AsyncChannel, SessionId};
use tokio::sync::Notify;

/// Names one connection of a manager; a later one has a greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

/// The manager of one protocol.
struct Manager {
    generation: Generation,
    /// None while it is away.
    channel: Option<Rc<AsyncChannel>>,
    /// Sessions from before this connection that it has not named. None once it said that it is done.
    unclaimed: Option<HashSet<SessionId>>,
}

/// All managers.
#[derive(Default)]
pub struct Managers {
    managers: HashMap<Protocol, Manager>,
    last: u64,
    news: Rc<Notify>,
}

impl Managers {
    /// A manager came, or came back: from now on it speaks for the sessions of its protocol, which are `known`.
    pub fn arrived(
        &mut self,
        protocol: Protocol,
        channel: Rc<AsyncChannel>,
        known: Vec<SessionId>,
    ) -> Generation {
        self.enter(protocol, Some(channel), known)
    }

    /// Sessions were found after a restart, their manager is not here yet.
    pub fn expected(&mut self, protocol: Protocol) -> Generation {
        self.enter(protocol, None, Vec::new())
    }

    fn enter(
        &mut self,
        protocol: Protocol,
        channel: Option<Rc<AsyncChannel>>,
        known: Vec<SessionId>,
    ) -> Generation {
        self.last = self.last.saturating_add(1);
        let generation = Generation(self.last);
        let unclaimed = Some(known.into_iter().collect());
        self.managers.insert(
            protocol,
            Manager {
                generation,
                channel,
                unclaimed,
            },
        );
        generation
    }

    /// The connection ended. True when no later one had taken its place: its sessions may be lost.
    pub fn left(&mut self, protocol: Protocol, generation: Generation) -> bool {
        match self.managers.get_mut(&protocol) {
            Some(manager) if manager.generation == generation => {
                manager.channel = None;
                true
            }
            _ => false,
        }
    }

    /// Is the manager still away since that connection?
    pub fn is_away(&self, protocol: Protocol, generation: Generation) -> bool {
        self.managers
            .get(&protocol)
            .is_some_and(|manager| manager.generation == generation && manager.channel.is_none())
    }

    /// Does this connection speak for its protocol?
    pub fn speaks(&self, protocol: Protocol, generation: Generation) -> bool {
        self.managers
            .get(&protocol)
            .is_some_and(|manager| manager.generation == generation)
    }

    /// The manager named a session as surviving or new: it is not to be forgotten.
    pub fn claimed(&mut self, protocol: Protocol, session: &SessionId) {
        let unclaimed = self
            .managers
            .get_mut(&protocol)
            .and_then(|manager| manager.unclaimed.as_mut());
        if let Some(unclaimed) = unclaimed {
            unclaimed.remove(session);
            self.news.notify_waiters();
        }
    }

    /// The manager named all survivors: what it did not name is gone.
    pub fn unclaimed(&mut self, protocol: Protocol) -> HashSet<SessionId> {
        self.news.notify_waiters();
        let manager = self.managers.get_mut(&protocol);
        manager
            .and_then(|manager| manager.unclaimed.take())
            .unwrap_or_default()
    }

    /// Where to send words for the manager that has this session. `None`: it is away, or has not yet
    /// named what it has.
    pub fn owner(&self, protocol: Protocol, session: &SessionId) -> Option<Rc<AsyncChannel>> {
        let manager = self.managers.get(&protocol)?;
        let is_claimed = match &manager.unclaimed {
            Some(unclaimed) => !unclaimed.contains(session),
            None => true,
        };
        manager.channel.clone().filter(|_| is_claimed)
    }

    /// Tells when [`Managers::owner`] may have another answer.
    pub fn news(&self) -> Rc<Notify> {
        Rc::clone(&self.news)
    }
}
