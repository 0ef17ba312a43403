//! A session that idles leaves its thread, and comes back. What it needs to go on fits into a record.
//!
//! *Invariant:* what happens to its mailbox before it leaves is told before, what happens later wakes it: the watch is older
//! than the last sync.

use std::os::fd::OwnedFd;
use std::time::Instant;

use ipc::hibernate::{Hold, Keepalive};
use ipc::worker::{Back, Rest};
use mailbox::{Access, Expunges, MailboxName};
use serde::{Deserialize, Serialize};
use sys::clock;

use super::picture::{Another, Picture, Since};
use super::recent::StillRecent;
use super::{By, Counters, EndReason, Failure, Selected, Session};

/// A session on its way out.
#[derive(Debug)]
pub struct Parked {
    /// The client's connection.
    pub client: OwnedFd,
    /// Readable when its mailbox may have changed.
    pub watch: Option<OwnedFd>,
    /// A [`State`].
    pub state: Vec<u8>,
    /// What is to be done meanwhile.
    pub hold: Hold,
}

/// When IDLE does something by itself; as [`clock`] tells other processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The client is sent away.
    pub ends_at: u64,
    /// `* OK Still here`; `None`: never.
    pub keepalive: Option<Keepalive>,
}

/// All of a session that is not its user's or its connection's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Of IDLE.
    tag: String,
    times: Times,
    counters: Counters,
    errors: u32,
    mailbox: Option<Open>,
}

/// The selected mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    name: String,
    access: Mode,
    told_recent: u32,
    picture: Picture,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Mode {
    Select,
    Examine,
}

/// A session that was parked, and why it is back.
#[derive(Debug)]
pub struct Returned {
    state: State,
    why: Back,
}

impl Returned {
    /// From what it was parked with. `sent`: bytes that the client was sent meanwhile.
    ///
    /// # Errors
    /// It was not this version of ours who parked it.
    pub fn decode(state: &[u8], sent: u64, why: Back) -> Result<Self, String> {
        let mut state: State = postcard::from_bytes(state)
            .map_err(|error| format!("BUG: not a parked session: {error}"))?;
        state.counters.output = state.counters.output.saturating_add(sent);
        Ok(Self { state, why })
    }

    /// Bytes received and sent so far.
    pub fn traffic(&self) -> (u64, u64) {
        (self.state.counters.input, self.state.counters.output)
    }
}

impl Session<'_> {
    /// Leaves the thread, if everything allows it: `Ok` means that the session stays.
    pub fn park(&mut self, ends: Instant, notify: Option<Keepalive>) -> Result<(), Failure> {
        if self.client.is_amid_a_line() {
            return Ok(());
        }
        let watch = match &self.selected {
            None => None,
            Some(selected) => match self.store.watch(selected.mailbox.name()) {
                Ok(Some(watch)) => Some(watch),
                // In its thread it sees changes as well; what is wrong its next sync says.
                Ok(None) | Err(_) => return Ok(()),
            },
        };
        self.sync(Expunges::Show, By::Seq)?;
        self.client.flush()?;
        let times = Times {
            ends_at: clock::to_monotonic(ends),
            keepalive: notify,
        };
        let state = postcard::to_stdvec(&self.state(times)).unwrap_or_default();
        // One that does not fit stays, as one that knows too much.
        if state.is_empty() || state.len() > Rest::MAX {
            return Ok(());
        }
        let Ok(client) = self.client.descriptor() else {
            return Ok(());
        };
        let hold = Hold {
            keepalive: times.keepalive,
            ends_at: times.ends_at,
            stats: self.counters().summary(&self.settings.imap_logout_format),
        };
        Err(EndReason::Parked(Box::new(Parked {
            client,
            watch,
            state,
            hold,
        }))
        .into())
    }

    fn state(&self, times: Times) -> State {
        State {
            tag: self.tag.clone(),
            times,
            counters: self.counters(),
            errors: self.errors,
            mailbox: self.selected.as_ref().map(|selected| Open {
                name: selected.mailbox.name().as_str().to_owned(),
                access: match selected.mailbox.access() {
                    Access::ReadWrite => Mode::Select,
                    Access::ReadOnly | Access::Upkeep => Mode::Examine,
                },
                told_recent: selected.told_recent(),
                picture: Picture::of(&*selected.mailbox),
            }),
        }
    }

    /// Goes on with IDLE where the session was parked, and to the end of it.
    pub(super) fn go_on(&mut self, returned: Returned) -> Result<(), EndReason> {
        let Returned { state, why } = returned;
        self.counters = state.counters;
        self.errors = state.errors;
        self.tag.clone_from(&state.tag);
        if let Some(open) = &state.mailbox {
            self.reopen(open)?;
        }
        let result = crate::command::go_on_idling(self, state.times, why);
        self.conclude("IDLE", crate::command::After::Show, result)
    }

    /// Opens the mailbox anew, and tells what has become of it.
    fn reopen(&mut self, open: &Open) -> Result<(), EndReason> {
        let access = match open.access {
            Mode::Select => Access::ReadWrite,
            Mode::Examine => Access::ReadOnly,
        };
        let name = MailboxName::new(&open.name).map_err(|_| EndReason::MailboxLost)?;
        let view = match self.store.open(&name, access) {
            Ok(view) => view,
            Err(mailbox::Error::NotFound { .. }) => return Err(EndReason::MailboxDeleted),
            Err(error) => {
                self.who.mailbox_failed(Some(&name), &error);
                return Err(EndReason::MailboxLost);
            }
        };
        let Since { changes, recent } = match open.picture.compare(&*view) {
            Ok(since) => since,
            Err(Another) => return Err(EndReason::MailboxDeleted),
        };
        let view = StillRecent::over(view, recent);
        let told = open.picture.knows_all(view.keywords());
        let mut selected = Selected::again(view, told, open.told_recent);
        selected.tell(&mut self.client, &changes, By::Seq)?;
        self.selected = Some(selected);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
