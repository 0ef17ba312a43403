//! One store, ours and Dovecot in turns, at random: after every operation both say the same.
//!
//! `COMPAT_SEED=n` plays another game, `COMPAT_STEPS=n` a longer one; a failure prints both.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use compat::game::{self, Dice, Op, Ours, Side, Store, Theirs, assert_same, number, some_op};
use compat::ours::as_user;
use compat::theirs::{self, UID};
use testkit::Dovecot;

/// What other software does to a Maildir: delivers, removes, renames.
fn meddle(dice: &mut Dice, step: usize, inbox: &Path) {
    let cur = inbox.join("cur");
    let Ok(entries) = std::fs::read_dir(&cur) else {
        // Nobody has opened it yet.
        return;
    };
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    match dice.roll(4) {
        0 | 1 => {
            let text = format!("Subject: from outside {step}\n\nbody\n");
            let tmp = inbox.join(format!("tmp/{}.M{step}P1.mta", 1_600_000_000 + step));
            std::fs::write(&tmp, text).unwrap();
            std::fs::rename(&tmp, inbox.join("new").join(tmp.file_name().unwrap())).unwrap();
        }
        2 if !files.is_empty() => std::fs::remove_file(dice.pick(&files)).unwrap(),
        _ if !files.is_empty() => {
            let file = dice.pick(&files);
            let name = file.file_name().unwrap().to_str().unwrap();
            let base = name.split(':').next().unwrap();
            let flags = dice.pick(&["", "S", "FS", "RS", "FRST"]);
            std::fs::rename(&file, cur.join(format!("{base}:2,{flags}"))).unwrap();
        }
        _ => {}
    }
}

#[test]
fn maildir() {
    both_always_say_the_same(game::MAILDIR, "maildir", |dice, step, home| {
        meddle(dice, step, &home.join("Maildir"));
    });
}

#[test]
fn sdbox() {
    both_always_say_the_same(game::SDBOX, "sdbox", |_, _, _| {});
}

#[test]
fn mdbox() {
    both_always_say_the_same(game::MDBOX, "mdbox", |_, _, _| {});
}

#[test]
fn mbox() {
    both_always_say_the_same(game::MBOX, "mbox", |_, _, _| {});
}

fn both_always_say_the_same(
    store: Store,
    user: &str,
    meddle: impl Fn(&mut Dice, usize, &Path) + Sync,
) {
    let (seed, steps) = (number("COMPAT_SEED", 1), game::steps(300));
    println!("{user}: COMPAT_SEED={seed} COMPAT_STEPS={steps}");
    let mut dice = Dice(seed);
    let share = tempfile::tempdir().unwrap();
    let home = theirs::make_home(share.path(), user);
    let dovecot = theirs::boot_with(store.location, game::RESTLESS, share.path());
    let mut players = Players {
        theirs: Theirs::new(&dovecot, user),
        ours: Ours::new(&home, store.location),
        dovecot: &dovecot,
    };
    let mut names = players.names(&mut dice);
    for step in 0..steps {
        players.ours.start_over(&mut dice);
        players.theirs.start_over(&mut dice);
        if dice.roll(6) == 0 {
            as_user(UID, || meddle(&mut dice, step, &home));
        }
        let at = dice.pick(&names);
        let ours_is_first = dice.roll(2) == 0;
        let player: &mut dyn Side = match ours_is_first {
            true => &mut players.ours,
            false => &mut players.theirs,
        };
        let now = player.picture(&at);
        let op = some_op(&mut dice, &store, &names, (&at, &now), step);
        println!(
            "{step} {}: {op:?}",
            if ours_is_first { "ours" } else { "theirs" }
        );
        if ours_is_first && op.is_about_names() {
            players.theirs.unselect();
        }
        players.perform(ours_is_first, &op);
        if op.is_about_names() {
            // After its own DELETE of a mailbox with others below it, it still lists it.
            theirs::forget_names(&home);
            players.theirs.log_in_again();
        }
        if op.is_about_names() || step % 10 == 0 {
            names = players.names(&mut dice);
        }
        let elsewhere = dice.pick(&names);
        for name in &names {
            if *name == elsewhere || op.touches(name) || step % 10 == 0 {
                players.compare(&mut dice, name);
            }
        }
    }
    let mut complaints = dovecot.complaints();
    // Dovecot's own doing: it gives copies names that dead lines have (seen in steps that are all
    // theirs), and then wonders.
    complaints.retain(|complaint| !complaint.contains("Duplicate file entry at line"));
    // Its RENAME to a name that is free meets the mailboxes below it in its last step.
    complaints.retain(|complaint| {
        !(complaint.contains("Error: rename(") && complaint.contains("Directory not empty"))
    });
    assert_eq!(complaints, Vec::<String>::new());
}

struct Players<'d> {
    ours: Ours,
    theirs: Theirs<'d>,
    dovecot: &'d Dovecot,
}

impl Players<'_> {
    fn perform(&mut self, ours_is_first: bool, op: &Op) {
        match ours_is_first {
            true => self.ours.perform(op),
            false => self.theirs.perform(op),
        }
    }

    /// Both list the same, whoever is asked first.
    fn names(&mut self, dice: &mut Dice) -> Vec<String> {
        let (a, b) = if dice.roll(2) == 0 {
            let a = self.ours.names();
            (a, self.theirs.names())
        } else {
            let b = self.theirs.names();
            (self.ours.names(), b)
        };
        assert_eq!(a, b, "ours, Dovecot: LIST and LSUB");
        a.mailboxes()
    }

    fn compare(&mut self, dice: &mut Dice, name: &str) {
        let (a, b) = if dice.roll(2) == 0 {
            let a = self.ours.picture(name);
            (a, self.theirs.picture(name))
        } else {
            let b = self.theirs.picture(name);
            (self.ours.picture(name), b)
        };
        assert_same(name, &a, &b, self.dovecot);
    }
}
