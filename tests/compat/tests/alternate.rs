//! One store, ours and Dovecot in turns, at random: after every operation both say the same.
//!
//! `COMPAT_SEED=n` plays another game, `COMPAT_STEPS=n` a longer one; a failure prints both.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compat::ours::{self, as_user};
use compat::picture::Mailbox;
use compat::theirs::{self, UID};
use mailbox::{
    Access, FlagChange, Flags, Keyword, MailDate, MailStore, MailboxName, NewMail, Uid, UidSet,
};
use storage::{NamespaceSettings, Settings, Shared, Storage};
use sys::fs::Fs;
use testkit::{Dovecot, Imap};

/// A format, and how its mailboxes may be called.
#[derive(Clone, Copy)]
struct Store {
    location: &'static str,
    boxes: [&'static str; 3],
}

const NESTED: [&str; 3] = ["INBOX", "Archive", "Archive/Ä & B"];
const KEYWORDS: [&str; 4] = ["$Label1", "Work", "later", "$Forwarded"];

/// splitmix64
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// One operation on a mailbox, as either side can do it.
#[derive(Clone, Debug)]
enum Op {
    Append {
        text: String,
        flags: Vec<&'static str>,
        seconds: i64,
    },
    Store {
        uids: Vec<u32>,
        how: &'static str,
        flags: Vec<&'static str>,
    },
    Copy {
        uids: Vec<u32>,
        to: &'static str,
    },
    Move {
        uids: Vec<u32>,
        to: &'static str,
    },
    Expunge,
}

impl Op {
    /// Does it change `mailbox`, when it is done in `at`?
    fn touches(&self, at: &str, mailbox: &str) -> bool {
        match self {
            Op::Copy { to, .. } | Op::Move { to, .. } => *to == mailbox || at == mailbox,
            Op::Append { .. } | Op::Store { .. } | Op::Expunge => at == mailbox,
        }
    }
}

trait Side {
    fn perform(&mut self, mailbox: &str, op: &Op);
    fn picture(&mut self, mailbox: &str) -> Mailbox;
}

struct Ours {
    home: PathBuf,
    settings: Settings,
    shared: Arc<Shared>,
    store: Storage,
}

fn settings(location: &str) -> Settings {
    Settings {
        mail_location: location.to_owned(),
        namespace: vec![NamespaceSettings {
            separator: "/".to_owned(),
            ..NamespaceSettings::default()
        }],
        ..Settings::default()
    }
}

impl Ours {
    fn new(home: &Path, settings: &Settings) -> Self {
        let shared = Shared::new(Fs::real());
        let store = ours::open(&shared, home, settings);
        Self {
            home: home.to_owned(),
            settings: settings.clone(),
            shared,
            store,
        }
    }

    /// As another session of the same process would, or as a new process.
    fn start_over(&mut self, dice: &mut Dice) {
        match dice.roll(12) {
            0 => *self = Self::new(&self.home, &self.settings),
            1 => self.store = ours::open(&self.shared, &self.home, &self.settings),
            _ => {}
        }
    }

    fn run(&mut self, mailbox: &str, op: &Op) {
        let name = MailboxName::new(mailbox).unwrap();
        if let Op::Append {
            text,
            flags,
            seconds,
        } = op
        {
            let (flags, keywords) = split(flags);
            let internal_date = Some(MailDate {
                seconds: *seconds,
                offset_minutes: 0,
            });
            let mut save = self.store.begin_save(&name).unwrap();
            save.save(
                &NewMail {
                    flags,
                    keywords,
                    internal_date,
                    ..NewMail::default()
                },
                &mut text.as_bytes(),
            )
            .unwrap();
            save.commit().unwrap();
            return;
        }
        let mut view = self.store.open(&name, Access::ReadWrite).unwrap();
        match op {
            Op::Append { .. } => {}
            Op::Store { uids, how, flags } => {
                let (flags, keywords) = split(flags);
                let change = match *how {
                    "+" => FlagChange::Add(flags, keywords),
                    "-" => FlagChange::Remove(flags, keywords),
                    _ => FlagChange::Replace(flags, keywords),
                };
                view.store_flags(&set(uids), &change).unwrap();
            }
            Op::Copy { uids, to } => {
                let to = MailboxName::new(to).unwrap();
                self.store.copy(&mut *view, &set(uids), &to).unwrap();
            }
            Op::Move { uids, to } => {
                let to = MailboxName::new(to).unwrap();
                let copied = self.store.copy(&mut *view, &set(uids), &to).unwrap();
                view.remove(&copied.from.into_iter().collect()).unwrap();
            }
            Op::Expunge => view.expunge(None).unwrap(),
        }
    }
}

impl Side for Ours {
    fn perform(&mut self, mailbox: &str, op: &Op) {
        as_user(UID, || self.run(mailbox, op));
    }

    fn picture(&mut self, mailbox: &str) -> Mailbox {
        let name = MailboxName::new(mailbox).unwrap();
        as_user(UID, || {
            ours::mailbox(&mut self.store, &name, Access::ReadWrite)
        })
    }
}

impl Side for Imap {
    fn perform(&mut self, mailbox: &str, op: &Op) {
        let quoted = quoted(mailbox);
        if let Op::Append {
            text,
            flags,
            seconds,
        } = op
        {
            let date = jiff::Timestamp::from_second(*seconds).unwrap();
            let date = date.strftime("%d-%b-%Y %H:%M:%S +0000");
            let options = format!("({}) \"{date}\" ", flags.join(" "));
            assert!(self.append(&quoted, &options, text.as_bytes()).is_ok());
            return;
        }
        self.ok(&format!("SELECT {quoted}"));
        let list = |uids: &[u32]| {
            uids.iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(",")
        };
        match op {
            Op::Append { .. } => {}
            Op::Store { uids, how, flags } => {
                let how = how.trim();
                self.ok(&format!(
                    "UID STORE {} {how}FLAGS ({})",
                    list(uids),
                    flags.join(" ")
                ));
            }
            Op::Copy { uids, to } => {
                self.ok(&format!("UID COPY {} {}", list(uids), self::quoted(to)));
            }
            Op::Move { uids, to } => {
                self.ok(&format!("UID MOVE {} {}", list(uids), self::quoted(to)));
            }
            Op::Expunge => {
                self.ok("EXPUNGE");
            }
        }
    }

    fn picture(&mut self, mailbox: &str) -> Mailbox {
        theirs::mailbox(self, mailbox)
    }
}

fn quoted(mailbox: &str) -> String {
    format!("\"{}\"", storage::mutf7::encode(mailbox))
}

fn set(uids: &[u32]) -> UidSet {
    uids.iter().filter_map(|&uid| Uid::new(uid)).collect()
}

fn split(names: &[&str]) -> (Flags, Vec<Keyword>) {
    let (system, user): (Vec<&str>, Vec<&str>) =
        names.iter().partition(|name| name.starts_with('\\'));
    let flag = |name: &&str| {
        Flags::NAMES
            .iter()
            .find(|(_, known)| known == name)
            .unwrap()
            .0
    };
    let flags = system.iter().map(flag).fold(Flags::empty(), Flags::with);
    (
        flags,
        user.iter()
            .map(|name| Keyword::new(name).unwrap())
            .collect(),
    )
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

fn some_op(dice: &mut Dice, boxes: &[&'static str], step: usize, now: &Mailbox) -> Op {
    let lines: String = (0..dice.roll(20))
        .map(|n| format!("line {n}\r\n"))
        .collect();
    match dice.roll(10) {
        0..3 => Op::Append {
            text: format!("Subject: {step}\r\nFrom: a@b\r\n\r\n{lines}"),
            flags: some_flags(dice),
            seconds: 1_500_000_000 + i64::try_from(dice.roll(100_000_000)).unwrap(),
        },
        3..6 => Op::Store {
            uids: some_uids(dice, now),
            how: dice.pick(&["+", "-", " "]),
            flags: some_flags(dice),
        },
        6 => Op::Copy {
            uids: some_uids(dice, now),
            to: dice.pick(boxes),
        },
        7 => Op::Move {
            uids: some_uids(dice, now),
            to: dice.pick(boxes),
        },
        _ => Op::Expunge,
    }
}

/// What other software does to a Maildir: delivers, removes, renames.
fn meddle(dice: &mut Dice, step: usize, inbox: &Path) {
    let cur = inbox.join("cur");
    let files: Vec<PathBuf> = std::fs::read_dir(&cur)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    match dice.roll(4) {
        0 | 1 => {
            let text = format!("Subject: from outside {step}\n\nbody\n");
            let tmp = inbox.join(format!("tmp/{}.M{step}P1.mta", 1_600_000_000 + step));
            std::fs::write(&tmp, text).unwrap();
            std::fs::rename(&tmp, inbox.join("new").join(tmp.file_name().unwrap())).unwrap();
        }
        2 if !files.is_empty() => std::fs::remove_file(&files[dice.roll(files.len())]).unwrap(),
        _ if !files.is_empty() => {
            let file = &files[dice.roll(files.len())];
            let name = file.file_name().unwrap().to_str().unwrap();
            let base = name.split(':').next().unwrap();
            let flags = dice.pick(&["", "S", "FS", "RS", "FRST"]);
            std::fs::rename(file, cur.join(format!("{base}:2,{flags}"))).unwrap();
        }
        _ => {}
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn maildir() {
    let game = Store {
        location: "maildir:~/Maildir",
        boxes: NESTED,
    };
    both_always_say_the_same(game, "maildir", |dice, step, home| {
        meddle(dice, step, &home.join("Maildir"));
    });
}

#[test]
fn sdbox() {
    let game = Store {
        location: "sdbox:~/sdbox",
        boxes: NESTED,
    };
    both_always_say_the_same(game, "sdbox", |_, _, _| {});
}

#[test]
fn mdbox() {
    let game = Store {
        location: "mdbox:~/mdbox",
        boxes: NESTED,
    };
    both_always_say_the_same(game, "mdbox", |_, _, _| {});
}

#[test]
fn mbox() {
    let game = Store {
        location: "mbox:~/mail:INBOX=~/inbox",
        // A file is no directory.
        boxes: ["INBOX", "Archive", "Old/Ä & B"],
    };
    both_always_say_the_same(game, "mbox", |_, _, _| {});
}

fn both_always_say_the_same(
    game: Store,
    user: &str,
    meddle: impl Fn(&mut Dice, usize, &Path) + Sync,
) {
    let (seed, steps) = (number("COMPAT_SEED", 1), number("COMPAT_STEPS", 300));
    println!("{user}: COMPAT_SEED={seed} COMPAT_STEPS={steps}");
    let mut dice = Dice(seed);
    let share = tempfile::tempdir().unwrap();
    let home = share.path().join(user);
    prepare(share.path(), &home);
    let dovecot = theirs::boot(game.location, share.path());
    let mut theirs = theirs::login(&dovecot, user);
    let mut ours = Ours::new(&home, &settings(game.location));
    for name in &game.boxes[1..] {
        theirs.ok(&format!("CREATE {}", quoted(name)));
    }
    for step in 0..usize::try_from(steps).unwrap() {
        as_user(UID, || ours.start_over(&mut dice));
        if dice.roll(10) == 0 {
            theirs = theirs::login(&dovecot, user);
        }
        if dice.roll(6) == 0 {
            as_user(UID, || meddle(&mut dice, step, &home));
        }
        let at = dice.pick(&game.boxes);
        let ours_first = dice.roll(2) == 0;
        let now = if ours_first {
            ours.picture(at)
        } else {
            theirs.picture(at)
        };
        let op = some_op(&mut dice, &game.boxes, step, &now);
        println!(
            "{step} {} {at}: {op:?}",
            if ours_first { "ours" } else { "theirs" }
        );
        if ours_first {
            ours.perform(at, &op)
        } else {
            theirs.perform(at, &op)
        }
        let elsewhere = dice.pick(&game.boxes);
        for name in game.boxes {
            let touched = name == elsewhere || op.touches(at, name);
            if !touched && step % 10 != 0 {
                continue;
            }
            let (a, b) = if dice.roll(2) == 0 {
                let a = ours.picture(name);
                (a, theirs.picture(name))
            } else {
                let b = theirs.picture(name);
                (ours.picture(name), b)
            };
            assert_same(name, &a, &b, &dovecot);
        }
    }
    let mut complaints = dovecot.complaints();
    // Dovecot's own doing: it gives copies names that dead lines have (seen in steps that are all
    // theirs), and then wonders.
    complaints.retain(|complaint| !complaint.contains("Duplicate file entry at line"));
    assert_eq!(complaints, Vec::<String>::new());
}

fn assert_same(name: &str, ours: &Mailbox, theirs: &Mailbox, dovecot: &Dovecot) {
    if ours.messages == theirs.messages
        && (ours.uid_validity, ours.uid_next, ours.unseen)
            == (theirs.uid_validity, theirs.uid_next, theirs.unseen)
    {
        return;
    }
    println!("{name}: {:#?}", dovecot.complaints());
    for (a, b) in ours.messages.iter().zip(&theirs.messages) {
        assert_eq!(a, b, "ours, Dovecot: message in {name}");
    }
    let numbers = |mailbox: &Mailbox| (mailbox.uid_validity, mailbox.uid_next, mailbox.unseen);
    assert_eq!(
        numbers(ours),
        numbers(theirs),
        "ours, Dovecot: numbers of {name}"
    );
    assert_eq!(ours.messages, theirs.messages, "ours, Dovecot: {name}");
}

fn prepare(share: &Path, home: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir(home).unwrap();
    std::os::unix::fs::chown(home, Some(UID), Some(UID)).unwrap();
    std::fs::set_permissions(share, std::fs::Permissions::from_mode(0o755)).unwrap();
}
