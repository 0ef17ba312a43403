//! What the server says after a disaster, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::ledger::{Entry, Flags, Ledger, MAILBOXES, Presence};

/// One mailbox as it is found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// UIDVALIDITY.
    pub validity: u32,
    /// UIDNEXT.
    pub next: u32,
    /// By UID.
    pub messages: BTreeMap<u32, Seen>,
}

/// One message as it is found.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which one it is, by its subject.
    pub key: u32,
    /// Without `\Recent`.
    pub flags: Flags,
    /// Its text is what it was.
    pub intact: bool,
}

/// What a disaster may take along.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// When it happened.
    pub at: Instant,
    /// Flags may be as they were so long before.
    pub window: Duration,
}

impl Rules {
    /// What was acknowledged holds.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            at: Instant::now(),
            window: Duration::ZERO,
        }
    }
}

impl Entry {
    fn allows(&self, flags: &Flags, rules: &Rules) -> bool {
        if self.asked.as_ref() == Some(flags) || self.lacks_only_keywords(flags) {
            return true;
        }
        self.flags.iter().enumerate().any(|(number, (_, version))| {
            let until = self.flags.get(number + 1).map(|(since, _)| *since);
            let is_recent = until
                .is_none_or(|until| !rules.window.is_zero() && until + rules.window >= rules.at);
            is_recent && version == flags
        })
    }

    /// Nobody was told of it, and nothing went for it. An mbox whose index was not told either has it, but
    /// believes X-Keywords only if it knows them all, as Dovecot does: others may have come with the mail.
    fn lacks_only_keywords(&self, flags: &Flags) -> bool {
        let is_flag = |name: &&String| name.starts_with('\\');
        self.presence == Presence::Appearing
            && self.moved_from.is_none()
            && (self.flags.iter()).any(|(_, version)| version.iter().filter(is_flag).eq(flags))
    }
}

impl Ledger {
    /// Compares; what was uncertain is from now on what was found. Empty: all is well.
    pub fn settle(&mut self, found: &[Found; 2], rules: &Rules) -> Vec<String> {
        let mut wrong = std::mem::take(&mut self.complaints);
        wrong.extend(self.moves(found));
        for (mailbox, found) in found.iter().enumerate() {
            self.numbers(mailbox, found, &mut wrong);
            let mut left = found.messages.clone();
            let entries = self.entries.values_mut();
            let mut entries: Vec<&mut Entry> =
                entries.filter(|entry| entry.mailbox == mailbox).collect();
            // Those that must be there before those that may.
            entries.sort_by_key(|entry| entry.presence != Presence::There);
            identify(&mut entries, &left, rules);
            for entry in entries {
                settle(entry, &mut left, rules, &mut wrong);
            }
            self.strangers(mailbox, &left, &mut wrong);
            let graves = &mut self.graves[mailbox];
            self.entries.retain(|_, entry| {
                let is_gone = entry.mailbox == mailbox && entry.presence == Presence::Gone;
                if is_gone {
                    graves.extend(entry.uid);
                }
                !is_gone
            });
            self.known[mailbox].extend(found.messages.iter().map(|(uid, seen)| (*uid, seen.key)));
            self.last[mailbox] = Some((found.validity, found.next));
        }
        wrong
    }

    /// UIDVALIDITY, UIDNEXT, and which message has which UID.
    fn numbers(&self, mailbox: usize, found: &Found, wrong: &mut Vec<String>) {
        let name = MAILBOXES[mailbox];
        let (validity, next) = self.last[mailbox].unwrap_or((found.validity, 0));
        if validity != found.validity {
            let now = found.validity;
            wrong.push(format!("{name}: UIDVALIDITY {validity} is now {now}"));
        }
        let highest = self.known[mailbox].keys().next_back().copied().unwrap_or(0);
        if found.next <= highest || found.next < next {
            let now = found.next;
            wrong.push(format!(
                "{name}: UIDNEXT {now} after {next} and UID {highest}"
            ));
        }
        for (uid, seen) in &found.messages {
            if !seen.intact {
                wrong.push(format!("{name} {uid}: wrong bytes in message {}", seen.key));
            }
            match self.known[mailbox].get(uid) {
                Some(key) if *key == seen.key => {}
                Some(key) => {
                    wrong.push(format!(
                        "{name} {uid}: is message {}, was message {key}",
                        seen.key
                    ));
                }
                None if *uid < next => {
                    wrong.push(format!("{name} {uid}: new, and UIDNEXT was {next}"));
                }
                None => {}
            }
            if *uid >= found.next {
                wrong.push(format!("{name} {uid}: UIDNEXT is {}", found.next));
            }
        }
    }

    /// Who is moved is here or there. Where the source is still there, it is a copy so far.
    fn moves(&mut self, found: &[Found; 2]) -> Vec<String> {
        let (mut wrong, mut copies) = (Vec::new(), Vec::new());
        for (id, entry) in &self.entries {
            let Some(from) = entry.moved_from.and_then(|id| self.entries.get(&id)) else {
                continue;
            };
            let is_source = from
                .uid
                .is_some_and(|uid| found[from.mailbox].messages.contains_key(&uid));
            let mut there = found[entry.mailbox].messages.values();
            if !is_source && !there.any(|seen| seen.key == entry.key) {
                wrong.push(format!("message {}: lost in a move", entry.key));
            }
            copies.extend(is_source.then_some(*id));
        }
        for id in copies {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.moved_from = None;
            }
        }
        wrong
    }

    /// What is there and was never acknowledged.
    fn strangers(&self, mailbox: usize, left: &BTreeMap<u32, Seen>, wrong: &mut Vec<String>) {
        let name = MAILBOXES[mailbox];
        for (uid, seen) in left {
            let key = seen.key;
            let is_known = |entry: &Entry| {
                entry.mailbox == mailbox && entry.key == key && entry.presence == Presence::There
            };
            let what = if self.graves[mailbox].contains(uid) {
                "expunged before"
            } else if self.entries.values().any(is_known) {
                "a duplicate"
            } else {
                "refused, or never asked for"
            };
            wrong.push(format!("{name} {uid}: message {key} is there, {what}"));
        }
    }
}

/// Gives those whose UID was never told the one they have. There may be several copies of one message, some of
/// them not there: each takes the one with its flags before another takes what is left.
fn identify(entries: &mut [&mut Entry], found: &BTreeMap<u32, Seen>, rules: &Rules) {
    let told: BTreeSet<u32> = entries.iter().filter_map(|entry| entry.uid).collect();
    let mut free: Vec<(&u32, &Seen)> = found
        .iter()
        .filter(|(uid, _)| !told.contains(uid))
        .collect();
    for by_flags in [true, false] {
        for entry in entries.iter_mut().filter(|entry| entry.uid.is_none()) {
            let at = free.iter().position(|(_, seen)| {
                seen.key == entry.key && (!by_flags || entry.allows(&seen.flags, rules))
            });
            entry.uid = at.map(|at| *free.remove(at).0);
        }
    }
}

/// Takes what `entry` stands for out of `left`.
fn settle(
    entry: &mut Entry,
    left: &mut BTreeMap<u32, Seen>,
    rules: &Rules,
    wrong: &mut Vec<String>,
) {
    let name = MAILBOXES[entry.mailbox];
    let (key, uid) = (entry.key, entry.uid);
    let seen = uid.and_then(|uid| left.remove(&uid));
    let shown = uid.map_or_else(|| "?".to_owned(), |uid| uid.to_string());
    let Some(seen) = seen else {
        if entry.presence == Presence::There {
            wrong.push(format!("{name} {shown}: message {key} is lost"));
        }
        entry.presence = Presence::Gone;
        return;
    };
    if entry.presence == Presence::Gone {
        wrong.push(format!(
            "{name} {shown}: message {key} is back, expunged before"
        ));
    }
    if !entry.allows(&seen.flags, rules) {
        wrong.push(format!(
            "{name} {shown}: message {key}, {:?}, has {:?}; it had {:?}, asked for {:?}",
            entry.presence, seen.flags, entry.flags, entry.asked
        ));
    }
    entry.presence = Presence::There;
    entry.flags = vec![(Instant::now(), seen.flags)];
    (entry.asked, entry.moved_from, entry.claimed) = (None, None, false);
}
