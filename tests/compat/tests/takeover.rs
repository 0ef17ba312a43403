//! Ours takes a store over from Dovecot, uses it for a thousand operations, and hands it back: Dovecot
//! finds nothing to repair, and a client of the first day learns what changed and nothing else.
//!
//! `COMPAT_SEED=n` plays another game, `COMPAT_STEPS=n` a longer one; a failure prints both.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use compat::game::{
    self, Dice, Op, Ours, RESTLESS, Side, Store, Theirs, assert_same, number, some_op,
};
use compat::picture::Mailbox;
use compat::theirs;
use testkit::Imap;

/// Flags and keywords by UID: what a client keeps of a mailbox.
type Known = BTreeMap<u32, BTreeSet<String>>;

/// What a client keeps for QRESYNC.
struct Day {
    uid_validity: u32,
    highest_modseq: u64,
    known: Known,
}

impl Day {
    fn of(mailbox: &Mailbox) -> Self {
        Self {
            uid_validity: mailbox.uid_validity,
            highest_modseq: mailbox.highest_modseq.unwrap(),
            known: known(mailbox),
        }
    }

    /// RFC 7162 §3.2.5: everything that the server tells, and how many messages it told of.
    fn resync(&mut self, imap: &mut Imap, name: &str) -> usize {
        let quoted = format!("\"{}\"", storage::mutf7::encode(name));
        let (validity, modseq) = (self.uid_validity, self.highest_modseq);
        let reply = imap.ok(&format!("SELECT {quoted} (QRESYNC ({validity} {modseq}))"));
        let validity = format!("[UIDVALIDITY {validity}]");
        assert!(reply.find("[UIDVALIDITY ").text.contains(&validity));
        let mut told = 0;
        for line in &reply.untagged {
            if let Some(gone) = line.text.strip_prefix("* VANISHED (EARLIER) ") {
                let gone = ranges(gone);
                self.known
                    .retain(|uid, _| !gone.iter().any(|(a, b)| (a..=b).contains(&uid)));
            } else if line.text.contains(" FETCH (") {
                let number = |after: &str| word_after(&line.text, after).parse::<u64>().unwrap();
                assert!(number("MODSEQ (") > modseq, "{name}: {}", line.text);
                let flags = line.text.split_once("FLAGS (").unwrap().1;
                let flags = flags.split(')').next().unwrap().split(' ');
                let flags = flags.filter(|flag| !["", "\\Recent"].contains(flag));
                let uid = u32::try_from(number("UID ")).unwrap();
                self.known.insert(uid, flags.map(str::to_owned).collect());
                told += 1;
            }
        }
        told
    }
}

fn known(mailbox: &Mailbox) -> Known {
    let messages = mailbox.messages.iter();
    messages
        .map(|message| {
            let all = message.flags.union(&message.keywords);
            (message.uid, all.cloned().collect())
        })
        .collect()
}

fn word_after<'t>(text: &'t str, before: &str) -> &'t str {
    let after = text.split_once(before).unwrap().1;
    after.split([' ', ')']).next().unwrap()
}

fn ranges(set: &str) -> Vec<(u32, u32)> {
    let range = |range: &str| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        (first.parse().unwrap(), last.parse().unwrap())
    };
    set.split(',').map(range).collect()
}

#[test]
fn maildir() {
    there_and_back(game::MAILDIR, "maildir");
}

#[test]
fn sdbox() {
    there_and_back(game::SDBOX, "sdbox");
}

#[test]
fn mdbox() {
    there_and_back(game::MDBOX, "mdbox");
}

#[test]
fn mbox() {
    there_and_back(game::MBOX, "mbox");
}

/// Names stay in this game: a client of the first day knows its mailboxes by them.
fn play(dice: &mut Dice, store: &Store, player: &mut dyn Side, steps: usize) {
    for step in 0..steps {
        let names = player.names().mailboxes();
        let at = dice.pick(&names);
        let now = player.picture(&at);
        let op = loop {
            let op = some_op(dice, store, &names, (&at, &now), step);
            if !op.is_about_names() {
                break op;
            }
        };
        player.perform(&op);
    }
}

fn there_and_back(store: Store, user: &str) {
    let (seed, steps) = (number("COMPAT_SEED", 1), number("COMPAT_STEPS", 1_000));
    println!("{user}: COMPAT_SEED={seed} COMPAT_STEPS={steps}");
    let mut dice = Dice(seed);
    let share = tempfile::tempdir().unwrap();
    let home = theirs::make_home(share.path(), user);
    let dovecot = theirs::boot_with(store.location, RESTLESS, share.path());

    let mut theirs = Theirs::new(&dovecot, user);
    for name in &store.names[..3] {
        theirs.perform(&Op::Create((*name).to_owned()));
    }
    theirs.imap().ok("ENABLE QRESYNC");
    play(&mut dice, &store, &mut theirs, 100);
    let names = theirs.names().mailboxes();
    let mut days: BTreeMap<&String, Day> = names
        .iter()
        .map(|name| (name, Day::of(&theirs.picture(name))))
        .collect();
    drop(theirs);

    let mut ours = Ours::new(&home, store.location);
    let steps = usize::try_from(steps).unwrap();
    for _ in 0..steps / 20 {
        play(&mut dice, &store, &mut ours, 20);
        ours.start_over(&mut dice);
    }
    let left: BTreeMap<&String, Mailbox> = names
        .iter()
        .map(|name| (name, ours.picture(name)))
        .collect();
    ours.end();

    let mut client = theirs::login(&dovecot, user);
    client.ok("ENABLE QRESYNC");
    for (name, day) in &mut days {
        let before = day.highest_modseq;
        let told = day.resync(&mut client, name);
        assert_eq!(day.known, known(&left[name]), "{name} after QRESYNC");
        if left[name].highest_modseq.is_some() {
            let changed = left[name].messages.iter();
            let changed = changed.filter(|message| message.modseq.unwrap() > before);
            assert_eq!(told, changed.count(), "{name}: what changed, and no more");
        }
    }
    let mut theirs = Theirs::new(&dovecot, user);
    for (name, mailbox) in &left {
        assert_same(name, mailbox, &theirs.picture(name), &dovecot);
    }
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
    theirs.unselect();
    theirs.doveadm("force-resync", "'*'");
    for (name, mailbox) in left {
        // dbox gives every message a new one, whatever it finds.
        let mailbox = mailbox.without_modseqs();
        assert_same(name, &mailbox, &theirs.picture(name), &dovecot);
    }
    let complaints = dovecot.complaints();
    // mdbox says so whenever it is told to.
    let repairs = complaints
        .iter()
        .filter(|line| !line.contains("rebuilding indexes"));
    assert_eq!(repairs.collect::<Vec<_>>(), Vec::<&String>::new());
}
