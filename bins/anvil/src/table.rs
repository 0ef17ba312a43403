//! Who is logged in, and how many sessions each user has from each address. No I/O.

use std::collections::HashMap;
use std::net::IpAddr;

use ipc::anvil::Session;
use ipc::facts::Protocol;
use ipc::{SessionId, Username};

/// Most sessions of all managers together: some 100 MB.
pub const MAX_SESSIONS: usize = 262_144;

/// What `mail_max_userip_connections` counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    user: Username,
    remote: IpAddr,
    protocol: Protocol,
}

impl Origin {
    fn of(session: &Session) -> Self {
        Self {
            user: session.user.clone(),
            remote: session.remote.to_canonical(),
            protocol: session.protocol,
        }
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Table {
    sessions: HashMap<SessionId, Session>,
    counts: HashMap<Origin, u32>,
}

/// May a session begin?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is counted.
    Counted,
    /// Its user has the most that are allowed from its address.
    UserLimit,
    /// The table is full.
    Full,
}

impl Table {
    /// Checks the limit (0: none) and counts the session, in one step. A session that is known already
    /// is counted anew.
    pub fn connect(&mut self, session: Session, limit: u32) -> Verdict {
        let known = self.disconnect(&session.session);
        let origin = Origin::of(&session);
        let count = self.counts.get(&origin).copied().unwrap_or_default();
        if limit > 0 && count >= limit && known.is_none() {
            return Verdict::UserLimit;
        }
        if self.sessions.len() >= MAX_SESSIONS {
            return Verdict::Full;
        }
        self.counts.insert(origin, count.saturating_add(1));
        self.sessions.insert(session.session.clone(), session);
        Verdict::Counted
    }

    /// Forgets a session; None when it isn't known.
    pub fn disconnect(&mut self, session: &SessionId) -> Option<Session> {
        let session = self.sessions.remove(session)?;
        let origin = Origin::of(&session);
        // A count that reaches zero leaves nothing behind.
        match self.counts.get_mut(&origin) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(self.counts.remove(&origin)),
        }
        Some(session)
    }

    /// What a session speaks, if it is known.
    pub fn protocol_of(&self, session: &SessionId) -> Option<Protocol> {
        self.sessions.get(session).map(|session| session.protocol)
    }

    /// All sessions, in no order.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// How many pairs of a user and an address there are.
    pub fn origins(&self) -> usize {
        self.counts.len()
    }

    /// The names of all sessions of a protocol.
    pub fn of_protocol(&self, protocol: Protocol) -> Vec<SessionId> {
        let mine = self
            .sessions()
            .filter(|session| session.protocol == protocol);
        mine.map(|session| session.session.clone()).collect()
    }

    /// The sessions of users whose name matches, from one of the networks (none given: from anywhere).
    pub fn matching(&self, user: &str, networks: &[(IpAddr, u8)]) -> Vec<Session> {
        let user_matches = |session: &&Session| {
            config::wildcard_matches(user.as_bytes(), session.user.as_str().as_bytes())
        };
        let from = |session: &&Session| {
            networks.is_empty()
                || networks
                    .iter()
                    .any(|network| contains(*network, session.remote))
        };
        self.sessions()
            .filter(user_matches)
            .filter(from)
            .cloned()
            .collect()
    }
}

/// Is `address` in the network of `length` bits?
fn contains((network, length): (IpAddr, u8), address: IpAddr) -> bool {
    match (network.to_canonical(), address.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32_u32.saturating_sub(u32::from(length));
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128_u32.saturating_sub(u32::from(length));
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}
