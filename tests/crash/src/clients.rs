//! The six who work on the mailboxes until they are stopped or their connection breaks.

use std::io;
use std::sync::atomic::Ordering;

use testkit::{Imap, Lmtp, Reply};

use crate::ledger::{Claim, Flags, MAILBOXES, text};
use crate::stage::USER;
use crate::{Dice, Stage};

const INBOX: usize = 0;
const NAMES: [&str; 7] = [
    "\\Seen",
    "\\Answered",
    "\\Flagged",
    "\\Draft",
    "$Label1",
    "Work",
    "later",
];

/// What became of a request.
enum Outcome {
    Done(Reply),
    /// It was refused, and nothing was done.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Logs everybody in. Each that is returned works until told to stop.
#[must_use]
pub fn all<'s>(stage: &'s Stage, dice: &mut Dice) -> Vec<Box<dyn FnOnce() + Send + 's>> {
    let mut works: Vec<Box<dyn FnOnce() + Send + 's>> = Vec::new();
    let lmtp = stage.lmtp();
    works.push(Box::new(move || deliver(stage, lmtp)));
    let jobs: [fn(&mut Client<'s>) -> Option<()>; 4] =
        [Client::append, Client::copy, Client::store, Client::expunge];
    for job in jobs {
        let mut client = Client {
            stage,
            dice: dice.split(),
            imap: stage.log_in(),
            selected: None,
        };
        works.push(Box::new(move || {
            while !client.is_over() && job(&mut client).is_some() {}
        }));
    }
    works.push(Box::new(move || purge(stage)));
    works
}

fn is_over(stage: &Stage) -> bool {
    stage.stop.load(Ordering::SeqCst)
}

/// Judges what came back. Before the disaster, there is no excuse.
fn outcome(stage: &Stage, what: &str, reply: io::Result<Reply>) -> Outcome {
    let begun = stage.begun.load(Ordering::SeqCst);
    let may_refuse = stage.may_refuse.load(Ordering::SeqCst);
    let complain = |how: String| stage.ledger().complaints.push(format!("{what}: {how}"));
    match reply {
        Ok(_) if stage.dark.load(Ordering::SeqCst) => Outcome::Unknown,
        Ok(reply) if reply.is_ok() => Outcome::Done(reply),
        Ok(reply) if may_refuse => {
            if !reply.tagged.starts_with("NO [OVERQUOTA] ") && !reply.tagged.starts_with("452 ") {
                complain(format!("not clear: {}", reply.tagged));
            }
            stage.ledger().refusals += 1;
            Outcome::Refused
        }
        Ok(_) if begun => Outcome::Unknown,
        Ok(reply) => {
            complain(reply.tagged);
            Outcome::Unknown
        }
        Err(error) => {
            let hung = matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            );
            if !begun || hung || may_refuse {
                complain(error.to_string());
            }
            Outcome::Unknown
        }
    }
}

fn deliver(stage: &Stage, mut lmtp: Lmtp) {
    while !is_over(stage) {
        let (key, id) = {
            let mut ledger = stage.ledger();
            let key = ledger.new_key(true);
            (key, ledger.appearing(key, INBOX, Flags::new(), None))
        };
        let replies = lmtp.try_deliver("sender@crash.test", &[USER], &text(key));
        let reply = replies.map(|replies| {
            let reply = replies.into_iter().next().unwrap_or_default();
            // As IMAP would say it.
            let tagged = match reply.starts_with("250") {
                true => format!("OK {reply}"),
                false => reply,
            };
            Reply {
                untagged: Vec::new(),
                tagged,
            }
        });
        match outcome(stage, "LMTP", reply) {
            Outcome::Done(_) => stage.ledger().arrived(id, None),
            Outcome::Refused => stage.ledger().refused(id),
            Outcome::Unknown => return,
        }
    }
}

/// mdbox is purged; the other formats have nothing to do for it.
fn purge(stage: &Stage) {
    while !is_over(stage) {
        let purged = stage.machine.enter(&["doveadm", "purge", "-u", USER]);
        let is_excused =
            stage.begun.load(Ordering::SeqCst) || stage.may_refuse.load(Ordering::SeqCst);
        if !purged.status.success() && !is_excused {
            let words = String::from_utf8_lossy(&purged.stderr).into_owned();
            stage
                .ledger()
                .complaints
                .push(format!("doveadm purge: {}: {words}", purged.status));
        }
    }
}

struct Client<'s> {
    stage: &'s Stage,
    dice: Dice,
    imap: Imap,
    selected: Option<usize>,
}

impl Client<'_> {
    fn is_over(&self) -> bool {
        is_over(self.stage)
    }

    /// Says it; `None`: nobody knows what became of it.
    fn ask(&mut self, command: &str) -> Outcome {
        let reply = self.imap.try_command(command);
        outcome(self.stage, command, reply)
    }

    /// Up to `count` messages of a mailbox that is selected and up to date then. None of them: try again.
    fn claim(&mut self, count: usize) -> Option<(usize, Vec<Claim>)> {
        let mailbox = self.dice.roll(2);
        let count = 1 + self.dice.roll(count);
        let claims = self.stage.ledger().claim(mailbox, count, &mut self.dice);
        if claims.is_empty() {
            // Others have yet to bring some.
            std::thread::yield_now();
            return Some((mailbox, claims));
        }
        let command = match self.selected == Some(mailbox) {
            true => "NOOP".to_owned(),
            false => format!("SELECT {}", MAILBOXES[mailbox]),
        };
        self.selected = Some(mailbox);
        match self.ask(&command) {
            Outcome::Done(_) => Some((mailbox, claims)),
            Outcome::Refused => {
                self.selected = None;
                self.stage.ledger().release(&claims);
                Some((mailbox, Vec::new()))
            }
            Outcome::Unknown => None,
        }
    }

    fn some_flags(&mut self) -> Flags {
        let dice = &mut self.dice;
        let some = NAMES.iter().filter(|_| dice.roll(3) == 0);
        some.map(|name| (*name).to_owned()).collect()
    }

    fn append(&mut self) -> Option<()> {
        let mailbox = usize::from(self.dice.roll(4) == 0);
        let flags = self.some_flags();
        let (key, id) = {
            let mut ledger = self.stage.ledger();
            let key = ledger.new_key(false);
            (key, ledger.appearing(key, mailbox, flags.clone(), None))
        };
        let options = format!("({}) ", words(&flags));
        let reply = self
            .imap
            .try_append(MAILBOXES[mailbox], &options, &text(key));
        match outcome(self.stage, "APPEND", reply) {
            Outcome::Done(reply) => {
                let uid =
                    code(&reply, "APPENDUID").and_then(|numbers| numbers.get(1)?.first().copied());
                let mut ledger = self.stage.ledger();
                if uid.is_none() {
                    ledger
                        .complaints
                        .push(format!("APPEND: no UID in {}", reply.tagged));
                }
                ledger.arrived(id, uid);
            }
            Outcome::Refused => self.stage.ledger().refused(id),
            Outcome::Unknown => return None,
        }
        Some(())
    }

    /// COPY or MOVE.
    fn copy(&mut self) -> Option<()> {
        let (mailbox, claims) = self.claim(4)?;
        if claims.is_empty() {
            return Some(());
        }
        let is_move = self.dice.roll(2) == 0;
        let target = 1 - mailbox;
        let mut coming = Vec::new();
        {
            let mut ledger = self.stage.ledger();
            for claim in &claims {
                let key = ledger.key(claim);
                let from = is_move.then_some(claim.id);
                coming.push(ledger.appearing(key, target, claim.flags.clone(), from));
                if is_move {
                    ledger.leaving(claim);
                }
            }
        }
        let verb = if is_move { "MOVE" } else { "COPY" };
        let command = format!("UID {verb} {} {}", set(&claims), MAILBOXES[target]);
        let outcome = self.ask(&command);
        let mut ledger = self.stage.ledger();
        match outcome {
            Outcome::Done(reply) => {
                let numbers = code(&reply, "COPYUID").unwrap_or_default();
                let told = |uid: u32| {
                    let at = numbers.get(1)?.iter().position(|from| *from == uid)?;
                    numbers.get(2)?.get(at).copied()
                };
                for (claim, id) in claims.iter().zip(coming) {
                    let uid = told(claim.uid);
                    if uid.is_none() {
                        ledger
                            .complaints
                            .push(format!("{command}: not {} in {reply:?}", claim.uid));
                    }
                    ledger.arrived(id, uid);
                    if is_move {
                        ledger.gone(claim);
                    }
                }
            }
            // A MOVE may have come to its second half.
            Outcome::Refused if !is_move => coming.into_iter().for_each(|id| ledger.refused(id)),
            Outcome::Refused => return Some(()),
            Outcome::Unknown => return None,
        }
        ledger.release(&claims);
        Some(())
    }

    fn store(&mut self) -> Option<()> {
        let (_, claims) = self.claim(8)?;
        if claims.is_empty() {
            return Some(());
        }
        let flags = self.some_flags();
        let how = ["+", "-", ""][self.dice.roll(3)];
        {
            let mut ledger = self.stage.ledger();
            for claim in &claims {
                let after = match how {
                    "+" => claim.flags.union(&flags).cloned().collect(),
                    "-" => claim.flags.difference(&flags).cloned().collect(),
                    _ => flags.clone(),
                };
                ledger.asking(claim, &after);
            }
        }
        let command = format!("UID STORE {} {how}FLAGS ({})", set(&claims), words(&flags));
        let outcome = self.ask(&command);
        let mut ledger = self.stage.ledger();
        match outcome {
            Outcome::Done(_) => claims.iter().for_each(|claim| ledger.stored(claim)),
            // Some of them may have it: nobody works on them again before that is known.
            Outcome::Refused => return Some(()),
            Outcome::Unknown => return None,
        }
        ledger.release(&claims);
        Some(())
    }

    fn expunge(&mut self) -> Option<()> {
        let (_, claims) = self.claim(3)?;
        if claims.is_empty() {
            return Some(());
        }
        let uids = set(&claims);
        {
            let mut ledger = self.stage.ledger();
            for claim in &claims {
                let mut after = claim.flags.clone();
                after.insert("\\Deleted".to_owned());
                ledger.asking(claim, &after);
            }
        }
        match self.ask(&format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)")) {
            Outcome::Done(_) => {}
            Outcome::Refused => return Some(()),
            Outcome::Unknown => return None,
        }
        {
            let mut ledger = self.stage.ledger();
            for claim in &claims {
                ledger.stored(claim);
                ledger.leaving(claim);
            }
        }
        let outcome = self.ask(&format!("UID EXPUNGE {uids}"));
        let mut ledger = self.stage.ledger();
        match outcome {
            Outcome::Done(_) => claims.iter().for_each(|claim| ledger.gone(claim)),
            Outcome::Refused => {}
            Outcome::Unknown => return None,
        }
        Some(())
    }
}

/// As a sequence set.
#[must_use]
pub fn set(claims: &[Claim]) -> String {
    let uids: Vec<String> = claims.iter().map(|claim| claim.uid.to_string()).collect();
    uids.join(",")
}

fn words(flags: &Flags) -> String {
    flags
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The sets of numbers in a response code, each in its order. RFC 4315 §3.
fn code(reply: &Reply, name: &str) -> Option<Vec<Vec<u32>>> {
    let untagged = reply.untagged.iter().map(|response| &response.text);
    let mut lines = untagged.chain([&reply.tagged]);
    let rest = lines
        .find_map(|line| line.split_once(&format!("[{name} ")))?
        .1;
    let sets = rest.split(']').next()?.split(' ');
    Some(sets.map(numbers).collect())
}

fn numbers(set: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    for part in set.split(',') {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            numbers.extend(first..=last);
        }
    }
    numbers
}
