//! CREATE, DELETE, RENAME, SUBSCRIBE by ours and Dovecot in turns, at random, in every layout: both
//! list the same names with the same attributes, and the same mailboxes behind them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use compat::ours::{self, as_user};
use compat::picture::{Mailbox, Picture};
use compat::theirs::{self, UID};
use mailbox::{Access, Error, MailStore, MailboxName, NewMail};
use storage::{NamespaceSettings, Settings, Shared, Storage};
use sys::fs::Fs;
use testkit::Imap;

const NAMES: [&str; 8] = ["A", "A/B", "A/B/C", "D", "D/E", "Ä & x", "two words", "A/F"];

/// Special uses are configured for one side only; what is unread is for another test.
const HINTS: [&str; 5] = ["\\Drafts", "\\Sent", "\\Trash", "\\Marked", "\\UnMarked"];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides as u64).unwrap()
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.roll(NAMES.len())]
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Create(&'static str),
    Delete(&'static str),
    Rename(&'static str, &'static str),
    Subscribe(&'static str),
    Unsubscribe(&'static str),
    Append(&'static str),
}

fn some_op(dice: &mut Dice) -> Op {
    let (one, two) = (dice.name(), dice.name());
    match dice.roll(12) {
        0..4 => Op::Create(one),
        4..6 => Op::Delete(one),
        6..8 => Op::Rename(one, two),
        8 => Op::Subscribe(one),
        9 => Op::Unsubscribe(one),
        _ => Op::Append(one),
    }
}

fn settings(location: &str) -> Settings {
    Settings {
        mail_location: location.to_owned(),
        namespace: vec![NamespaceSettings {
            separator: "/".to_owned(),
            ..Default::default()
        }],
        ..Settings::default()
    }
}

/// Did it work?
fn ours_does(store: &mut Storage, op: Op) -> bool {
    let name = |name: &str| MailboxName::new(name).unwrap();
    let result = match op {
        Op::Create(one) => store.create(&name(one)),
        Op::Delete(one) => store.delete(&name(one)),
        Op::Rename(one, two) => store.rename(&name(one), &name(two)),
        Op::Subscribe(one) => store.subscribe(&name(one)),
        Op::Unsubscribe(one) => store.unsubscribe(&name(one)),
        Op::Append(one) => store.begin_save(&name(one)).and_then(|mut save| {
            save.save(&NewMail::default(), &mut &b"Subject: x\r\n\r\n"[..])?;
            save.commit().map(drop)
        }),
    };
    if let Err(error @ (Error::Syscall { .. } | Error::Corrupted { .. })) = &result {
        panic!("{op:?}: {error}");
    }
    result.is_ok()
}

fn dovecot_does(imap: &mut Imap, op: Op) -> bool {
    let quoted = |name: &str| format!("\"{}\"", storage::mutf7::encode(name));
    let command = match op {
        Op::Create(one) => format!("CREATE {}", quoted(one)),
        Op::Delete(one) => format!("DELETE {}", quoted(one)),
        Op::Rename(one, two) => format!("RENAME {} {}", quoted(one), quoted(two)),
        Op::Subscribe(one) => format!("SUBSCRIBE {}", quoted(one)),
        Op::Unsubscribe(one) => format!("UNSUBSCRIBE {}", quoted(one)),
        Op::Append(one) => return imap.append(&quoted(one), "", b"Subject: x\r\n\r\n").is_ok(),
    };
    imap.command(&command).is_ok()
}

fn play(location: &str, seed: u64) {
    let share = tempfile::tempdir().unwrap();
    let home = theirs::make_home(share.path(), "names");
    let dovecot = theirs::boot(location, share.path());
    let mut dice = Dice(seed);
    let mut shared = Shared::new(Fs::real());
    for step in 0..70 {
        if dice.roll(8) == 0 {
            shared = Shared::new(Fs::real());
        }
        // A session of Dovecot's looks for other people's mailboxes once.
        let mut imap = theirs::login(&dovecot, "names");
        let op = some_op(&mut dice);
        let by_ours = dice.roll(2) == 0;
        let done = if by_ours {
            ours_in(&shared, &home, location, |store| ours_does(store, op))
        } else {
            dovecot_does(&mut imap, op)
        };
        println!(
            "{step} {} {op:?}: {done}",
            if by_ours { "ours" } else { "theirs" }
        );
        if !by_ours && !location.contains("LAYOUT=index") {
            // After its own DELETE of a mailbox with others below it, it still lists it.
            theirs::forget_names(&home);
        }
        imap = theirs::login(&dovecot, "names");
        let mut theirs = theirs::picture(&mut imap);
        let mut found = ours_in(&shared, &home, location, |store| {
            ours::picture(store, Access::ReadOnly)
        });
        for picture in [&mut theirs, &mut found] {
            picture.list.values_mut().for_each(|attributes| {
                attributes.retain(|attribute| !HINTS.contains(&&**attribute));
            });
        }
        assert_eq!(found.list, theirs.list, "LIST: ours, Dovecot");
        assert_eq!(found.subscribed, theirs.subscribed, "LSUB: ours, Dovecot");
        let names: Vec<String> = found.mailboxes.keys().cloned().collect();
        let mailboxes = |picture: Picture| -> Vec<(String, Mailbox)> {
            let mailboxes = picture.mailboxes.into_iter();
            mailboxes
                .map(|(name, mailbox)| (name, mailbox.without_modseqs()))
                .collect()
        };
        assert_eq!(mailboxes(found), mailboxes(theirs), "ours, Dovecot");
        // By the list index, as far as it is up to date, which both write.
        ours_in(&shared, &home, location, |store| {
            names
                .iter()
                .for_each(|name| same_numbers(store, &mut imap, name));
        });
    }
    dumps_are_read(&dovecot, &home);
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
}

fn same_numbers(store: &mut Storage, imap: &mut Imap, name: &str) {
    let ours = store.status(&MailboxName::new(name).unwrap()).unwrap();
    let quoted = format!("\"{}\"", storage::mutf7::encode(name));
    let items = "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)";
    let theirs = imap.ok(&format!("STATUS {quoted} {items}"));
    let told = format!(
        "(MESSAGES {} UIDNEXT {} UIDVALIDITY {} UNSEEN {})",
        ours.messages, ours.uid_next, ours.uid_validity, ours.unseen
    );
    let line = &theirs.find("STATUS").text;
    assert!(line.ends_with(&told), "{line}: ours {told}");
}

/// Dovecot's own reader of list indexes that both wrote.
fn dumps_are_read(dovecot: &testkit::Dovecot, home: &Path) {
    let mut seen = 0;
    for root in theirs::LIST_ROOTS {
        for file in ["dovecot.list.index", "dovecot.list.index.log"] {
            if home.join(root).join(file).exists() {
                let path = format!("/srv/share/names/{root}/{file}");
                let dump = dovecot.run(&format!("doveadm dump {path} 2>&1"));
                assert!(!dump.contains("orrupt") && !dump.contains("rror"), "{dump}");
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "there is no list index");
}

fn ours_in<T>(
    shared: &Arc<Shared>,
    home: &Path,
    location: &str,
    act: impl FnOnce(&mut Storage) -> T,
) -> T {
    as_user(UID, || {
        act(&mut ours::open(shared, home, &settings(location)))
    })
}

#[test]
fn maildir_plus_plus() {
    play("maildir:~/Maildir", 1);
}

#[test]
fn layout_fs() {
    play("maildir:~/Maildir:LAYOUT=fs", 2);
}

#[test]
fn control_and_index_elsewhere() {
    play("maildir:~/Maildir:INDEX=~/index:CONTROL=~/control", 3);
}

#[test]
fn sdbox() {
    play("sdbox:~/sdbox", 4);
}

#[test]
fn sdbox_elsewhere() {
    play("sdbox:~/sdbox:INDEX=~/index:CONTROL=~/control:ALT=~/alt", 5);
}

#[test]
fn mdbox() {
    play("mdbox:~/mdbox", 6);
}

#[test]
fn mdbox_elsewhere() {
    play("mdbox:~/mdbox:INDEX=~/index:CONTROL=~/control:ALT=~/alt", 7);
}

#[test]
fn mdbox_by_list_index() {
    play("mdbox:~/mdbox:LAYOUT=index", 9);
}

/// Not with INDEX=, where Dovecot alone fails to delete what it has made itself.
#[test]
fn sdbox_by_list_index() {
    play("sdbox:~/sdbox:LAYOUT=index:CONTROL=~/control:ALT=~/alt", 10);
}

#[test]
fn mbox() {
    play("mbox:~/mail:INBOX=~/inbox.mbox", 8);
}
