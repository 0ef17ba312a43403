//! Real Dovecot on the mailboxes that we change, and we on what it changes, with mail delivered by others
//! in between: both see the same, and Dovecot has nothing to complain about.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{mbox_at, place, uids};
use format_mbox::{LockMethod, Mbox, Settings, Syncs, Writes};
use mailbox::{
    Access, Expunges, FlagChange, Flags, Keyword, MailboxName, NewMail, Seq, StoredMailbox,
};
use sha2::{Digest, Sha256};
use sys::fs::Fs;
use testkit::{Dovecot, Fixture, Imap};

const OWNER: u32 = 5999;
const USER: &str = "mbox";

const SETTINGS: &str = "
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=5999 gid=5999 home=/srv/share/%u
}
mail_max_userip_connections = 100
namespace inbox {
  separator = /
}
mail_location = mbox:~/mail:INBOX=~/inbox.mbox
mbox_write_locks = fcntl dotlock
";

const BOXES: [&str; 2] = ["INBOX", "Trash"];

struct Store {
    dovecot: Dovecot,
    share: tempfile::TempDir,
    settings: Settings,
}

impl Store {
    fn new(more: &str, settings: Settings) -> Self {
        let fixture = Fixture::unpack(USER);
        let share = tempfile::tempdir().unwrap();
        std::fs::rename(fixture.home(), share.path().join(USER)).unwrap();
        give(share.path());
        let dovecot = Dovecot::boot_sharing(&format!("{SETTINGS}{more}"), share.path());
        dovecot.write_file(
            "/etc/pam.d/dovecot",
            b"auth requisite pam_deny.so nodelay\n",
        );
        Self {
            dovecot,
            share,
            settings,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        let home = self.share.path().join(USER);
        match name {
            "INBOX" => home.join("inbox.mbox"),
            name => home.join("mail").join(name),
        }
    }

    /// As a process that has just started.
    fn mbox(&self, name: &str) -> Arc<Mbox> {
        let index = self.share.path().join(USER).join("mail/.imap").join(name);
        mbox_at(
            Fs::real(),
            place(self.file(name), index),
            self.settings.clone(),
        )
    }

    fn login(&self) -> Imap {
        let mut imap = Imap::connect(self.dovecot.connect(143));
        imap.ok(&format!("LOGIN {USER} any"));
        imap
    }

    fn has_no_complaints(&self, when: &str) {
        let complaints = self.dovecot.complaints();
        assert!(complaints.is_empty(), "{when}: {complaints:#?}");
    }

    /// Both say the same about every mailbox.
    fn agree(&self, what: &str) {
        let mut imap = self.login();
        for name in BOXES {
            let ours = ours(&self.mbox(name));
            let asked = std::panic::AssertUnwindSafe(|| theirs(&mut imap, name));
            let Ok(theirs) = std::panic::catch_unwind(asked) else {
                panic!(
                    "{name} after {what}: {:#?}\n{ours:#?}",
                    self.dovecot.complaints()
                );
            };
            assert!(
                ours == theirs,
                "{name} after {what}\nours {ours:#?}\ntheirs {theirs:#?}\n{}",
                String::from_utf8_lossy(&std::fs::read(self.file(name)).unwrap())
            );
        }
    }

    /// As procmail with a lock would. From_ lines in bodies are quoted: what they make of a message without
    /// Content-Length is rewritten wrongly by Dovecot itself.
    fn deliver(&self, name: &str, message: &str) {
        let message = message.replace("\r\n", "\n").replace("\nFrom ", "\n>From ");
        let path = self.file(name);
        let lock = path.with_file_name(format!("{}.lock", path.file_name().unwrap().display()));
        while std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&lock)
            .is_err()
        {
            std::thread::yield_now();
        }
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap();
        write!(file, "From x@y  Thu Nov 29 22:33:52 2001\n{message}\n").unwrap();
        std::fs::remove_file(&lock).unwrap();
    }
}

fn give(path: &Path) {
    lchown(path, Some(OWNER), Some(OWNER)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).unwrap().flatten() {
            give(&entry.path());
        }
    }
}

/// Does something with the rights of the user, in this thread.
fn as_user<T>(act: impl FnOnce() -> T) -> T {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
    let (user, group) = (Uid::from_raw(OWNER), Gid::from_raw(OWNER));
    set_thread_res_gid(Gid::ROOT, group, Gid::ROOT).unwrap();
    set_thread_res_uid(Uid::ROOT, user, Uid::ROOT).unwrap();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).unwrap();
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).unwrap();
    match result {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Everything about a mailbox, a line for each message.
fn ours(mbox: &Arc<Mbox>) -> Vec<String> {
    as_user(|| {
        let name = MailboxName::new("x").unwrap();
        let mut view = Arc::clone(mbox).open(&name, Access::ReadOnly).unwrap();
        let status = view.status();
        let highest = status.highest_modseq.unwrap();
        let mut lines = vec![format!(
            "{} {} {highest}",
            status.uid_validity, status.uid_next
        )];
        let known: Vec<String> = view.keywords().iter().map(ToString::to_string).collect();
        for seq in (1..=view.len()).filter_map(Seq::new) {
            let state = view.flags(seq).unwrap();
            let stored = Flags::NAMES
                .iter()
                .filter(|(flag, _)| *flag != Flags::RECENT);
            let system = stored.filter(|(flag, _)| state.flags.contains(*flag));
            let mut flags: Vec<&str> = system.map(|(_, name)| *name).collect();
            flags.extend(state.keywords.iter().map(|bit| known[bit].as_str()));
            flags.sort_unstable();
            let (uid, modseq) = (view.uid(seq).unwrap(), view.modseq(seq).unwrap());
            let mut mail = view.mail(seq).unwrap();
            let (size, guid) = (mail.size().unwrap(), mail.guid().unwrap());
            let date = mail.internal_date().unwrap().seconds;
            let mut body = Vec::new();
            mail.body().unwrap().read_to_end(&mut body).unwrap();
            let text = String::from_utf8(body)
                .unwrap()
                .replace("\r\n", "\n")
                .replace('\n', "\r\n");
            let hash = sha256(text.as_bytes());
            lines.push(format!(
                "{uid} {flags:?} {modseq} {size} {guid} {date} {hash}"
            ));
        }
        lines
    })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn theirs(imap: &mut Imap, mailbox: &str) -> Vec<String> {
    let examined = imap.ok(&format!("EXAMINE {mailbox} (CONDSTORE)"));
    let code = |code: &str| between(&examined.find(code).text, code, "]").to_owned();
    let validity = code("[UIDVALIDITY ");
    let items = "(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ X-GUID BODY.PEEK[])";
    let fetched = imap.ok(&format!("UID FETCH 1:* {items}")).untagged;
    let mut lines = vec![format!(
        "{validity} {} {}",
        code("[UIDNEXT "),
        code("[HIGHESTMODSEQ ")
    )];
    for response in fetched.iter().filter(|r| r.text.contains(" FETCH (UID ")) {
        let text = &response.text;
        let flags = between(text, "FLAGS (", ")").split(' ');
        let mut flags: Vec<&str> = flags
            .filter(|flag| !flag.is_empty() && *flag != "\\Recent")
            .collect();
        flags.sort_unstable();
        let hash = sha256(response.literals.last().map_or(&[], Vec::as_slice));
        lines.push(format!(
            "{} {flags:?} {} {} {} {} {hash}",
            between(text, "(UID ", " "),
            between(text, "MODSEQ (", ")"),
            between(text, "RFC822.SIZE ", " "),
            between(text, "X-GUID ", " ").trim_matches('"'),
            seconds(between(text, "INTERNALDATE \"", "\"")),
        ));
    }
    lines
}

/// `09-Feb-2024 07:08:56 +0000`
fn seconds(date: &str) -> i64 {
    let parts: Vec<&str> = date.trim().split(['-', ' ']).collect();
    let (day, month, year, clock) = (parts[0], parts[1], parts[2], parts[3]);
    let zone = date.rsplit(' ').next().unwrap();
    let line = format!("From x Thu {month} {day} {clock} {year} {zone}");
    format_mbox::from_line::parse(line.as_bytes())
        .unwrap()
        .received
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let found = text.split_once(before);
    let rest = found.unwrap_or_else(|| panic!("{before} in {text}")).1;
    rest.split_once(after).map_or(rest, |(found, _)| found)
}

/// Numbers that are the same at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(end)).unwrap()
    }
}

/// What both can do.
#[derive(Clone, Debug)]
enum Step {
    Append(&'static str, u32),
    Flags(&'static str, Vec<u32>, FlagChange),
    Copy(&'static str, Vec<u32>, &'static str),
    Remove(&'static str, Vec<u32>),
    Select(&'static str),
    Deliver(&'static str, u32),
}

fn step(dice: &mut Dice, number: u32) -> Step {
    let name = BOXES[dice.below(2) as usize];
    let uids = (0..=dice.below(3))
        .map(|_| 1 + dice.below(20 + number / 4))
        .collect();
    let bit = Flags::NAMES[dice.below(5) as usize].0;
    let keyword = ["Work", "$Label1", "New1", "New2"][dice.below(4) as usize];
    let keyword = Keyword::new(keyword).unwrap();
    match dice.below(10) {
        0..=1 => Step::Append(name, number),
        2 => Step::Deliver(name, number),
        3 => Step::Flags(name, uids, FlagChange::Add(bit, vec![keyword])),
        4 => Step::Flags(name, uids, FlagChange::Remove(bit, vec![keyword])),
        5 => Step::Flags(name, uids, FlagChange::Replace(bit, vec![keyword])),
        // Copying into the same mbox is a panic of Dovecot's, if it has to be synced first.
        6 if name == BOXES[0] => Step::Copy(name, uids, BOXES[1]),
        6 => Step::Copy(name, uids, BOXES[0]),
        7 => Step::Remove(name, uids),
        _ => Step::Select(name),
    }
}

/// Some bodies have a From_ line, though not as their first line: that one Dovecot's own rewriting damages.
fn text(number: u32) -> String {
    let body = format!("line of message {number}\r\n").repeat(1 + number as usize % 40);
    let from =
        "From x@y  Thu Nov 29 22:33:52 2001\r\n".repeat(usize::from(number.is_multiple_of(7)));
    format!("Subject: message {number}\r\nMessage-ID: <{number}@x>\r\n\r\n{body}{from}{body}")
}

fn do_ours(store: &Store, step: &Step) {
    as_user(|| {
        let open = |name: &str, access| {
            let named = MailboxName::new("x").unwrap();
            store.mbox(name).open(&named, access).unwrap()
        };
        match step {
            Step::Append(name, number) => {
                let mut saving = store.mbox(name).begin_save().unwrap();
                let mail = NewMail {
                    flags: if number % 2 == 0 {
                        Flags::SEEN
                    } else {
                        Flags::empty()
                    },
                    keywords: vec![Keyword::new("Work").unwrap()],
                    ..NewMail::default()
                };
                saving.save(&mail, &mut text(*number).as_bytes()).unwrap();
                saving.commit().unwrap();
            }
            Step::Flags(name, of, change) => {
                open(name, Access::ReadWrite)
                    .store_flags(&uids(of), change)
                    .unwrap();
            }
            Step::Copy(from, of, to) => {
                let mut from = open(from, Access::ReadOnly);
                store.mbox(to).copy_from(from.as_mut(), &uids(of)).unwrap();
            }
            Step::Remove(name, of) => open(name, Access::ReadWrite).remove(&uids(of)).unwrap(),
            Step::Select(name) => drop(open(name, Access::ReadWrite)),
            Step::Deliver(name, number) => {
                store.deliver(name, &text(*number));
                // Dovecot looks at seconds; so does whoever shares an index with it.
                store.mbox(name).status().unwrap();
            }
        }
    });
}

fn list(uids: &[u32]) -> String {
    uids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn do_theirs(store: &Store, imap: &mut Imap, step: &Step) {
    match step {
        Step::Append(name, number) => {
            let flags = if number % 2 == 0 {
                "(\\Seen Work)"
            } else {
                "(Work)"
            };
            assert!(imap.append(name, flags, text(*number).as_bytes()).is_ok());
        }
        Step::Flags(name, of, change) => {
            imap.ok(&format!("SELECT {name}"));
            let (sign, flags, keywords) = match change {
                FlagChange::Add(flags, keywords) => ("+", flags, keywords),
                FlagChange::Remove(flags, keywords) => ("-", flags, keywords),
                FlagChange::Replace(flags, keywords) => ("", flags, keywords),
            };
            let system = Flags::NAMES
                .iter()
                .filter(|(flag, _)| flags.contains(*flag));
            let mut names: Vec<String> = system.map(|(_, name)| (*name).to_owned()).collect();
            names.extend(keywords.iter().map(ToString::to_string));
            imap.ok(&format!(
                "UID STORE {} {sign}FLAGS.SILENT ({})",
                list(of),
                names.join(" ")
            ));
        }
        Step::Copy(from, of, to) => {
            imap.ok(&format!("EXAMINE {from}"));
            imap.ok(&format!("UID COPY {} {to}", list(of)));
        }
        Step::Remove(name, of) => {
            imap.ok(&format!("SELECT {name}"));
            imap.ok(&format!("UID STORE {} +FLAGS.SILENT (\\Deleted)", list(of)));
            imap.ok(&format!("UID EXPUNGE {}", list(of)));
        }
        Step::Select(name) => drop(imap.ok(&format!("SELECT {name}"))),
        Step::Deliver(name, number) => {
            as_user(|| store.deliver(name, &text(*number)));
            imap.ok(&format!("STATUS {name} (MESSAGES)"));
        }
    }
    // Dovecot keeps a mailbox that is selected in step with itself only: leave it.
    imap.ok("UNSELECT");
}

fn in_turns(seed: u64, more: &str, settings: Settings) {
    let store = Store::new(more, settings);
    store.agree("unpacking");
    let mut imap = store.login();
    let mut dice = Dice(seed);
    for number in 0..160 {
        let step = step(&mut dice, number);
        let whose = match dice.below(2) {
            0 => {
                do_ours(&store, &step);
                "ours"
            }
            _ => {
                imap.ok("SELECT INBOX");
                let act = std::panic::AssertUnwindSafe(|| do_theirs(&store, &mut imap, &step));
                if std::panic::catch_unwind(act).is_err() {
                    panic!("{number}: {step:?}: {:#?}", store.dovecot.complaints());
                }
                "theirs"
            }
        };
        let told = format!("{number}: {whose} {step:?}");
        store.has_no_complaints(&told);
        if number % 4 == 3 {
            store.agree(&told);
            store.has_no_complaints(&format!("looking after {told}"));
        }
    }
    store.agree("all of it");
    drop(imap);
    let before: Vec<_> = BOXES.map(|name| ours(&store.mbox(name))).to_vec();
    store
        .dovecot
        .run(&format!("doveadm force-resync -u {USER} '*'"));
    let after: Vec<_> = BOXES.map(|name| ours(&store.mbox(name))).to_vec();
    for (after, before) in after.iter().flatten().zip(before.iter().flatten()) {
        let uid_and_flags = |line: &str| line.split(']').next().map(str::to_owned);
        assert_eq!(uid_and_flags(after), uid_and_flags(before));
    }
    store.has_no_complaints("force-resync");
}

#[test]
fn in_turns_as_configured_by_default() {
    in_turns(20_261_123, "", Settings::default());
}

#[test]
fn in_turns_without_laziness() {
    let more = "mbox_lazy_writes = no\nmbox_dirty_syncs = no\nmbox_write_locks = dotlock fcntl\n";
    let settings = Settings {
        writes: Writes::Prompt,
        syncs: Syncs::Clean,
        write_locks: vec![LockMethod::Dotlock, LockMethod::Fcntl],
        ..Settings::default()
    };
    in_turns(3, more, settings);
}

#[test]
fn at_once() {
    const ROUNDS: u32 = 20;
    let store = Store::new("", Settings::default());
    std::thread::scope(|scope| {
        for worker in 0..2_u32 {
            let store = &store;
            scope.spawn(move || {
                let mbox = store.mbox("INBOX");
                as_user(|| {
                    let named = MailboxName::new("x").unwrap();
                    let mut view = Arc::clone(&mbox).open(&named, Access::ReadWrite).unwrap();
                    for round in 0..ROUNDS {
                        let mut saving = Arc::clone(&mbox).begin_save().unwrap();
                        let body = text(1000 * (worker + 1) + round);
                        saving
                            .save(&NewMail::default(), &mut body.as_bytes())
                            .unwrap();
                        let uid = saving.commit().unwrap().uids[0];
                        let change = FlagChange::Add(Flags::FLAGGED, Vec::new());
                        view.store_flags(&uids(&[uid.get()]), &change).unwrap();
                        view.sync(Expunges::Show).unwrap();
                        assert!(view.seq(uid).is_some());
                        if round % 5 == 4 {
                            view.remove(&uids(&[uid.get()])).unwrap();
                        }
                    }
                });
            });
            scope.spawn(move || {
                let mut imap = store.login();
                imap.ok("SELECT INBOX");
                for round in 0..ROUNDS {
                    let body = text(5000 * (worker + 1) + round);
                    let reply = imap.append("INBOX", "(theirs)", body.as_bytes());
                    let uid = between(&reply.tagged, "APPENDUID ", "]");
                    let uid = uid.split(' ').nth(1).unwrap().to_owned();
                    imap.ok("NOOP");
                    imap.ok(&format!("UID STORE {uid} +FLAGS (\\Answered)"));
                    if round % 5 == 4 {
                        imap.ok(&format!("UID STORE {uid} +FLAGS (\\Deleted)"));
                        imap.ok(&format!("UID EXPUNGE {uid}"));
                    }
                }
            });
        }
    });
    store.agree("working at once");
    let found = ours(&store.mbox("INBOX"));
    // Dovecot's UID EXPUNGE is sometimes OK and does nothing: so it is with four sessions of Dovecot alone.
    let left_by_dovecot = |line: &&String| line.contains("Deleted") && line.contains("theirs");
    let left = found.iter().filter(left_by_dovecot).count();
    // 13 of the fixture and four workers' rounds, a fifth of which went again.
    assert_eq!(
        found.len() - 1 - left,
        13 + 4 * (ROUNDS as usize - ROUNDS as usize / 5),
        "{found:#?}"
    );
    store.has_no_complaints("working at once");
}
