//! What clients asked for and what they were told: by it, everything that a mailbox holds is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::Dice;

/// The two that clients work on.
pub const MAILBOXES: [&str; 2] = ["INBOX", "Other"];

/// Flags and keywords without `\Recent`.
pub type Flags = BTreeSet<String>;

/// Whether a message is in its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It was to come, and nobody was told that it did.
    Appearing,
    /// It is there.
    There,
    /// It was to go, and nobody was told that it did.
    Leaving,
    /// It went.
    Gone,
}

/// One message in one mailbox.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which message.
    pub key: u32,
    /// Index into [`MAILBOXES`].
    pub mailbox: usize,
    /// `None`: not told yet.
    pub uid: Option<u32>,
    /// Whether it is there.
    pub presence: Presence,
    /// What its flags were from when on; the last one holds.
    pub flags: Vec<(Instant, Flags)>,
    /// Flags that were asked for and not acknowledged.
    pub asked: Option<Flags>,
    /// Where a MOVE takes it from, which goes only when this one is there.
    pub moved_from: Option<u64>,
    /// Somebody works on it.
    pub claimed: bool,
}

/// A message that a client may work on: nobody else does until it is released.
#[derive(Clone, Debug)]
pub struct Claim {
    /// In the ledger.
    pub id: u64,
    /// In its mailbox.
    pub uid: u32,
    /// What it has now.
    pub flags: Flags,
}

/// Everything that was asked and told.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(crate) entries: BTreeMap<u64, Entry>,
    /// Which message a UID has ever been given to, and which were expunged, by mailbox.
    pub(crate) known: [BTreeMap<u32, u32>; 2],
    pub(crate) graves: [BTreeSet<u32>; 2],
    /// UIDVALIDITY and UIDNEXT when last seen.
    pub(crate) last: [Option<(u32, u32)>; 2],
    next_id: u64,
    next_key: u32,
    /// Changes that were acknowledged.
    pub acknowledged: u64,
    /// Requests that were refused when they might be.
    pub refusals: u64,
    /// What cannot be, whatever happens.
    pub complaints: Vec<String>,
}

impl Ledger {
    /// A message that nobody has seen yet. Those that LMTP delivers have even keys: it adds to the header.
    pub fn new_key(&mut self, delivered: bool) -> u32 {
        self.next_key += 2;
        self.next_key + u32::from(!delivered)
    }

    /// A message is to come; `moved_from` says by MOVE from where.
    pub fn appearing(
        &mut self,
        key: u32,
        mailbox: usize,
        flags: Flags,
        moved_from: Option<u64>,
    ) -> u64 {
        self.next_id += 1;
        let entry = Entry {
            key,
            mailbox,
            uid: None,
            presence: Presence::Appearing,
            flags: vec![(Instant::now(), flags)],
            asked: None,
            moved_from,
            claimed: false,
        };
        self.entries.insert(self.next_id, entry);
        self.next_id
    }

    /// It is acknowledged, if `uid` is told under that one.
    pub fn arrived(&mut self, id: u64, uid: Option<u32>) {
        self.acknowledged += 1;
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.presence = Presence::There;
        entry.moved_from = None;
        if let Some(uid) = uid {
            let (mailbox, key) = (entry.mailbox, entry.key);
            entry.uid = Some(uid);
            if let Some(other) = self.known[mailbox].insert(uid, key) {
                let name = MAILBOXES[mailbox];
                self.complaints.push(format!(
                    "{name} {uid}: told for message {key}, was message {other}"
                ));
            }
        }
    }

    /// It was refused: it is not there.
    pub fn refused(&mut self, id: u64) {
        self.entries.remove(&id);
    }

    /// Up to `count` messages that nobody works on.
    pub fn claim(&mut self, mailbox: usize, count: usize, dice: &mut Dice) -> Vec<Claim> {
        let is_free = |entry: &Entry| {
            entry.mailbox == mailbox
                && entry.presence == Presence::There
                && entry.uid.is_some()
                && !entry.claimed
        };
        let mut free: Vec<u64> = self
            .entries
            .iter()
            .filter(|(_, entry)| is_free(entry))
            .map(|(id, _)| *id)
            .collect();
        let mut claims = Vec::new();
        while claims.len() < count && !free.is_empty() {
            let id = free.swap_remove(dice.roll(free.len()));
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            entry.claimed = true;
            if let (Some(uid), Some((_, flags))) = (entry.uid, entry.flags.last()) {
                let flags = flags.clone();
                claims.push(Claim { id, uid, flags });
            }
        }
        claims
    }

    /// Others may work on them again.
    pub fn release(&mut self, claims: &[Claim]) {
        for claim in claims {
            self.change(claim, |entry| entry.claimed = false);
        }
    }

    /// These flags are asked for.
    pub fn asking(&mut self, claim: &Claim, flags: &Flags) {
        self.change(claim, |entry| entry.asked = Some(flags.clone()));
    }

    /// What was asked for is acknowledged.
    pub fn stored(&mut self, claim: &Claim) {
        self.acknowledged += 1;
        self.change(claim, |entry| {
            let asked = entry.asked.take();
            entry
                .flags
                .extend(asked.map(|flags| (Instant::now(), flags)));
        });
    }

    /// Its removal is asked for.
    pub fn leaving(&mut self, claim: &Claim) {
        self.change(claim, |entry| entry.presence = Presence::Leaving);
    }

    /// Its removal is acknowledged.
    pub fn gone(&mut self, claim: &Claim) {
        self.acknowledged += 1;
        self.change(claim, |entry| entry.presence = Presence::Gone);
    }

    /// What message it is.
    #[must_use]
    pub fn key(&self, claim: &Claim) -> u32 {
        self.entries.get(&claim.id).map_or(0, |entry| entry.key)
    }

    fn change(&mut self, claim: &Claim, how: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&claim.id) {
            how(entry);
        }
    }
}

/// What message `key` says; it ends with a line that only it has. From a few bytes to some blocks.
#[must_use]
pub fn text(key: u32) -> Vec<u8> {
    let mut dice = Dice::of(u64::from(key));
    let mut text = format!(
        "Subject: crash {key}\r\nMessage-ID: <{key}@crash.test>\r\nFrom: ann@crash.test\r\n\r\n"
    );
    let lines = match dice.roll(10) {
        0 => 0,
        1 => 400,
        _ => dice.roll(40),
    };
    for line in 0..lines {
        let word = dice.number();
        text.push_str(&format!("From line {line} of {key}: {word:016x} .\r\n"));
    }
    text.push_str(&format!("the end of {key}\r\n"));
    text.into_bytes()
}
