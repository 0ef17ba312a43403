//! Operations, as either side can perform them.

use super::{Dice, Store};
use crate::picture::Mailbox;

const KEYWORDS: [&str; 4] = ["$Label1", "Work", "later", "$Forwarded"];

/// Where bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    Primary,
    Alt,
}

/// One operation.
#[derive(Clone, Debug)]
pub enum Op {
    Append {
        to: String,
        text: String,
        flags: Vec<&'static str>,
        seconds: i64,
    },
    Store {
        at: String,
        uids: Vec<u32>,
        how: &'static str,
        flags: Vec<&'static str>,
    },
    Copy {
        at: String,
        uids: Vec<u32>,
        to: String,
    },
    Move {
        at: String,
        uids: Vec<u32>,
        to: String,
    },
    Expunge {
        at: String,
    },
    Create(String),
    Delete(String),
    Rename(String, String),
    Subscribe(String),
    Unsubscribe(String),
    Purge,
    AltMove {
        at: String,
        uids: Vec<u32>,
        tier: Tier,
    },
}

impl Op {
    /// Does it change what is in `mailbox`?
    #[must_use]
    pub fn touches(&self, mailbox: &str) -> bool {
        match self {
            Op::Append { to, .. } => to == mailbox,
            Op::Store { at, .. } | Op::Expunge { at } | Op::AltMove { at, .. } => at == mailbox,
            Op::Copy { at, to, .. } | Op::Move { at, to, .. } => at == mailbox || to == mailbox,
            Op::Create(name) => name == mailbox,
            Op::Rename(_, to) => mailbox.starts_with(to.as_str()),
            Op::Purge => true,
            Op::Delete(_) | Op::Subscribe(_) | Op::Unsubscribe(_) => false,
        }
    }

    /// Is it about names?
    #[must_use]
    pub fn is_about_names(&self) -> bool {
        matches!(
            self,
            Op::Create(_) | Op::Delete(_) | Op::Rename(..) | Op::Subscribe(_) | Op::Unsubscribe(_)
        )
    }
}

/// One for a store with these mailboxes, of which `at` looks like `now`.
pub fn some_op(
    dice: &mut Dice,
    store: &Store,
    mailboxes: &[String],
    (at, now): (&str, &Mailbox),
    step: usize,
) -> Op {
    let at = at.to_owned();
    match dice.roll(24) {
        0..6 => Op::Append {
            to: at,
            text: some_text(dice, step),
            flags: some_flags(dice),
            seconds: 1_500_000_000 + i64::try_from(dice.roll(100_000_000)).unwrap(),
        },
        6..12 => Op::Store {
            uids: some_uids(dice, now),
            how: dice.pick(&["+", "-", " "]),
            flags: some_flags(dice),
            at,
        },
        12..14 => Op::Copy {
            uids: some_uids(dice, now),
            to: dice.pick(mailboxes),
            at,
        },
        14..16 => Op::Move {
            uids: some_uids(dice, now),
            to: dice.pick(mailboxes),
            at,
        },
        16..19 => Op::Expunge { at },
        19..22 => on_names(dice, store, mailboxes),
        _ if !store.upkeep => Op::Expunge { at },
        22 => Op::Purge,
        _ => Op::AltMove {
            uids: some_uids(dice, now),
            tier: dice.pick(&[Tier::Primary, Tier::Alt]),
            at,
        },
    }
}

fn on_names(dice: &mut Dice, store: &Store, mailboxes: &[String]) -> Op {
    let others: Vec<&String> = mailboxes.iter().filter(|name| *name != "INBOX").collect();
    let name = dice.pick(store.names).to_owned();
    if others.len() < 2 {
        return Op::Create(name);
    }
    let there = dice.pick(&others).clone();
    match dice.roll(8) {
        0..3 => Op::Create(name),
        3 => Op::Delete(there),
        4 | 5 => Op::Rename(there, name),
        6 => Op::Subscribe(there),
        _ => Op::Unsubscribe(there),
    }
}

fn some_text(dice: &mut Dice, step: usize) -> String {
    let lines = (0..dice.roll(20)).map(|n| format!("line {n}\r\n"));
    let body: String = lines.collect();
    format!("Subject: {step}\r\nFrom: a@b\r\n\r\n{body}")
}

fn some_flags(dice: &mut Dice) -> Vec<&'static str> {
    let system = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted"];
    let all = system.iter().chain(&KEYWORDS);
    all.copied().filter(|_| dice.roll(4) == 0).collect()
}

fn some_uids(dice: &mut Dice, now: &Mailbox) -> Vec<u32> {
    let mut uids: Vec<u32> = now.messages.iter().map(|message| message.uid).collect();
    while uids.len() > 6 {
        uids.remove(dice.roll(uids.len()));
    }
    uids.retain(|_| dice.roll(3) > 0);
    // One that is not there: passed over.
    if uids.is_empty() {
        vec![now.uid_next]
    } else {
        uids
    }
}
