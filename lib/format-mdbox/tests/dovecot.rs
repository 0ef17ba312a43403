//! Real Dovecot on the storage that we change, and we on what it changes: both see the same, and Dovecot
//! has nothing to complain about.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Store, append, keyword, open, seen};
use dbox::Place;
use format_mdbox::rebuild::{Extent, Run};
use format_mdbox::{Mdbox, Settings};
use mailbox::{Access, Expunges, FlagChange, Flags, Keyword, NewMail, StoredMailbox, Uid, UidSet};
use sys::fs::Fs;
use testkit::{Dovecot, Fixture, Imap};

const OWNER: u32 = 5999;
const ROTATE: u64 = 20_000;
const BOXES: [&str; 2] = ["INBOX", "Sub"];

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
mail_location = mdbox:~/mdbox:ALT=~/alt
mdbox_rotate_size = 20000
";

/// A storage that both work on.
struct Shared {
    dovecot: Dovecot,
    share: tempfile::TempDir,
}

impl Shared {
    fn new() -> Self {
        let fixture = Fixture::unpack("mdbox");
        let share = tempfile::tempdir().unwrap();
        let home = share.path().join("mdbox");
        std::fs::rename(fixture.home(), &home).unwrap();
        std::fs::create_dir_all(home.join("alt/storage")).unwrap();
        give(share.path());
        let dovecot = Dovecot::boot_sharing(SETTINGS, share.path());
        let pam = b"auth requisite pam_deny.so nodelay\n";
        dovecot.write_file("/etc/pam.d/dovecot", pam);
        Self { dovecot, share }
    }

    fn root(&self) -> PathBuf {
        self.share.path().join("mdbox/mdbox")
    }

    /// As a process that has just started.
    fn store(&self) -> Store {
        let settings = Settings {
            rotate_size: ROTATE,
            ..Settings::default()
        };
        Store::with(&self.root(), Fs::real(), settings)
    }

    fn login(&self) -> Imap {
        let mut imap = Imap::connect(self.dovecot.connect(143));
        imap.ok("LOGIN mdbox any");
        imap
    }

    /// Both say the same about every mailbox.
    fn agree(&self, what: &str) {
        let mut imap = self.login();
        let store = self.store();
        for name in BOXES {
            let ours = ours(&store.mailbox(name));
            assert_eq!(ours, theirs(&mut imap, name), "{name} after {what}");
        }
    }

    fn is_sound(&self, what: &str) {
        let store = self.store();
        let found = as_user(|| store.storage.rebuild(Extent::Everything, Run::Dry).unwrap());
        assert_eq!(found, [], "{what}");
        let complaints = self.dovecot.complaints();
        assert!(complaints.is_empty(), "{what}: {complaints:#?}");
    }

    fn doveadm(&self, command: &str) {
        self.dovecot.run(&format!("doveadm {command}"));
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

/// With the rights of the user, in this thread.
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
fn ours(mailbox: &Arc<Mdbox>) -> Vec<String> {
    as_user(|| {
        let mut view = open(mailbox, Access::ReadOnly);
        let status = view.status();
        let highest = status.highest_modseq.unwrap();
        let head = format!("{} {} {highest}", status.uid_validity, status.uid_next);
        let lines = seen(view.as_mut()).into_iter().map(|seen| {
            let flags: BTreeSet<String> = seen.flags.union(&seen.keywords).cloned().collect();
            let saved = seen.save_date;
            let (date, hash) = (seen.internal_date, seen.sha256);
            let (uid, modseq, size, guid) = (seen.uid, seen.modseq, seen.size, seen.guid);
            format!("{uid} {flags:?} {modseq} {size} {guid} {date} {saved} {hash}")
        });
        std::iter::once(head).chain(lines).collect()
    })
}

fn theirs(imap: &mut Imap, mailbox: &str) -> Vec<String> {
    let examined = imap.ok(&format!("EXAMINE {mailbox} (CONDSTORE)"));
    let code = |code: &str| between(&examined.find(code).text, code, "]").to_owned();
    let mut lines = vec![format!(
        "{} {} {}",
        code("[UIDVALIDITY "),
        code("[UIDNEXT "),
        code("[HIGHESTMODSEQ ")
    )];
    let items = "(UID FLAGS INTERNALDATE SAVEDATE RFC822.SIZE MODSEQ X-GUID BODY.PEEK[])";
    let fetched = imap.ok(&format!("UID FETCH 1:* {items}")).untagged;
    for response in fetched.iter().filter(|r| r.text.contains(" FETCH (UID ")) {
        let text = &response.text;
        let flags = between(text, "FLAGS (", ")").split(' ');
        let flags: BTreeSet<&str> = flags
            .filter(|flag| !flag.is_empty() && *flag != "\\Recent")
            .collect();
        lines.push(format!(
            "{} {flags:?} {} {} {} {} {} {}",
            between(text, "(UID ", " "),
            between(text, "MODSEQ (", ")"),
            between(text, "RFC822.SIZE ", " "),
            between(text, "X-GUID ", " ").trim_matches('"'),
            seconds(between(text, "INTERNALDATE \"", "\"")),
            seconds(between(text, "SAVEDATE \"", "\"")),
            common::hash(response.literals.last().map_or(&[], Vec::as_slice)),
        ));
    }
    lines
}

fn seconds(date: &str) -> i64 {
    let date = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", date.trim()).unwrap();
    date.to_timestamp().unwrap().as_second()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before);
    let rest = rest.unwrap_or_else(|| panic!("{before} in {text}")).1;
    rest.split_once(after).map_or(rest, |(found, _)| found)
}

fn set(uids: &[u32]) -> UidSet {
    uids.iter().filter_map(|&uid| Uid::new(uid)).collect()
}

fn text(number: u32) -> Vec<u8> {
    let body = format!("line of message {number}\r\n").repeat(1 + number as usize % 90);
    format!("Subject: message {number}\r\nMessage-ID: <{number}@x>\r\n\r\n{body}").into_bytes()
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
    Place(&'static str, u32, Place),
    Purge,
    Select(&'static str),
}

fn step(dice: &mut Dice, number: u32) -> Step {
    let name = BOXES[dice.below(2) as usize];
    let uids = (0..=dice.below(3)).map(|_| 1 + dice.below(20 + number / 4));
    let uids: Vec<u32> = uids.collect();
    let bit = Flags::NAMES[dice.below(5) as usize].0;
    let word = keyword(["Work", "$Label1", "New1", "New2"][dice.below(4) as usize]);
    match dice.below(11) {
        0..=2 => Step::Append(name, number),
        3 => Step::Flags(name, uids, FlagChange::Add(bit, vec![word])),
        4 => Step::Flags(name, uids, FlagChange::Remove(bit, vec![word])),
        5 => Step::Flags(name, uids, FlagChange::Replace(bit, vec![word])),
        6 => Step::Copy(name, uids, BOXES[dice.below(2) as usize]),
        7 => Step::Remove(name, uids),
        8 => Step::Purge,
        9 if number.is_multiple_of(2) => Step::Place(name, uids[0], Place::Alt),
        9 => Step::Place(name, uids[0], Place::Primary),
        _ => Step::Select(name),
    }
}

fn do_ours(shared: &Shared, step: &Step) {
    let store = shared.store();
    as_user(|| match step {
        Step::Append(name, number) => {
            let mail = NewMail {
                flags: Flags::SEEN,
                keywords: vec![keyword("Work")],
                ..NewMail::default()
            };
            append(&store.mailbox(name), &[text(*number)], &mail).unwrap();
        }
        Step::Flags(name, uids, change) => {
            let mut view = open(&store.mailbox(name), Access::ReadWrite);
            view.store_flags(&set(uids), change).unwrap();
        }
        Step::Copy(from, uids, to) => {
            let mut view = open(&store.mailbox(from), Access::ReadOnly);
            let to = store.mailbox(to);
            to.copy_from(view.as_mut(), &set(uids)).unwrap();
        }
        Step::Remove(name, uids) => {
            let mut view = open(&store.mailbox(name), Access::ReadWrite);
            view.remove(&set(uids)).unwrap();
        }
        Step::Place(name, uid, place) => {
            store
                .mailbox(name)
                .mark_place(&set(&[*uid]), *place)
                .unwrap();
            store.storage.purge(&mut |_, _| {}).unwrap();
        }
        Step::Purge => drop(store.storage.purge(&mut |_, _| {}).unwrap()),
        Step::Select(name) => drop(open(&store.mailbox(name), Access::ReadWrite)),
    });
}

fn list(uids: &[u32]) -> String {
    let uids: Vec<String> = uids.iter().map(ToString::to_string).collect();
    uids.join(",")
}

fn do_theirs(shared: &Shared, imap: &mut Imap, step: &Step) {
    match step {
        Step::Append(name, number) => {
            assert!(imap.append(name, "(\\Seen Work)", &text(*number)).is_ok());
        }
        Step::Flags(name, uids, change) => {
            imap.ok(&format!("SELECT {name}"));
            let (sign, flags, keywords) = match change {
                FlagChange::Add(flags, keywords) => ("+", flags, keywords),
                FlagChange::Remove(flags, keywords) => ("-", flags, keywords),
                FlagChange::Replace(flags, keywords) => ("", flags, keywords),
            };
            let known = Flags::NAMES.iter();
            let system = known.filter(|(flag, _)| flags.contains(*flag));
            let mut names: Vec<String> = system.map(|(_, name)| (*name).to_owned()).collect();
            names.extend(keywords.iter().map(Keyword::to_string));
            let (uids, names) = (list(uids), names.join(" "));
            imap.ok(&format!("UID STORE {uids} {sign}FLAGS.SILENT ({names})"));
        }
        Step::Copy(from, uids, to) => {
            imap.ok(&format!("EXAMINE {from}"));
            imap.ok(&format!("UID COPY {} {to}", list(uids)));
        }
        Step::Remove(name, uids) => {
            imap.ok(&format!("SELECT {name}"));
            let uids = list(uids);
            imap.ok(&format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)"));
            imap.ok(&format!("UID EXPUNGE {uids}"));
        }
        Step::Place(name, uid, place) => {
            let back = match place {
                Place::Alt => "",
                Place::Primary => "-r ",
            };
            shared.doveadm(&format!("altmove {back}-u mdbox mailbox {name} uid {uid}"));
        }
        Step::Purge => shared.doveadm("purge -u mdbox"),
        Step::Select(name) => drop(imap.ok(&format!("SELECT {name}"))),
    }
}

#[test]
fn in_turns() {
    let shared = Shared::new();
    shared.agree("unpacking");
    let mut imap = shared.login();
    let mut dice = Dice(20_261_123);
    for number in 0..200 {
        let step = step(&mut dice, number);
        match dice.below(2) {
            0 => do_ours(&shared, &step),
            _ => do_theirs(&shared, &mut imap, &step),
        }
        if number % 8 == 7 {
            let what = format!("{number}: {step:?}");
            shared.agree(&what);
            shared.is_sound(&what);
        }
    }
    let before = BOXES.map(|name| ours(&shared.store().mailbox(name)));
    shared.doveadm("force-resync -u mdbox '*'");
    for (name, before) in BOXES.into_iter().zip(before) {
        // A rebuild of Dovecot's raises every modseq.
        let but_modseq = |lines: Vec<String>| -> Vec<String> {
            let lines = lines.into_iter().skip(1);
            lines
                .map(|line| {
                    let (head, tail) = line.split_once("} ").unwrap();
                    format!("{head} {}", tail.split_once(' ').unwrap().1)
                })
                .collect()
        };
        let after = ours(&shared.store().mailbox(name));
        assert_eq!(but_modseq(after), but_modseq(before), "{name}");
    }
    shared.agree("a resync");
}

#[test]
fn at_once() {
    const ROUNDS: u32 = 25;
    let shared = Shared::new();
    let before = ours(&shared.store().mailbox("INBOX")).len();
    std::thread::scope(|scope| {
        for worker in 0..2_u32 {
            let shared = &shared;
            scope.spawn(move || as_user(|| rounds_of_ours(&shared.store(), worker, ROUNDS)));
            scope.spawn(move || rounds_of_theirs(&mut shared.login(), worker, ROUNDS));
        }
        let shared = &shared;
        scope.spawn(move || {
            for round in 0..10 {
                match round % 2 {
                    0 => do_ours(shared, &Step::Purge),
                    _ => shared.doveadm("purge -u mdbox"),
                }
            }
        });
    });
    shared.agree("all at once");
    shared.is_sound("all at once");
    let lines = ours(&shared.store().mailbox("INBOX"));
    assert_eq!(lines.len(), before + 4 * 20);
    let with = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
    assert_eq!((with("ours0"), with("ours1"), with("theirs")), (20, 20, 40));
}

fn rounds_of_ours(store: &Store, worker: u32, rounds: u32) {
    let (inbox, sub) = (store.mailbox("INBOX"), store.mailbox("Sub"));
    let mut view = open(&inbox, Access::ReadWrite);
    for round in 0..rounds {
        let body = text(1000 * (worker + 1) + round);
        let appended = append(&inbox, &[body], &NewMail::default()).unwrap();
        let one = UidSet::from_iter(appended.uids.iter().copied());
        let word = keyword(&format!("ours{worker}"));
        let change = FlagChange::Add(Flags::FLAGGED, vec![word]);
        view.store_flags(&one, &change).unwrap();
        view.sync(Expunges::Show).unwrap();
        assert!(view.seq(appended.uids[0]).is_some());
        if round.is_multiple_of(3) {
            let copied = sub.clone().copy_from(view.as_mut(), &one).unwrap();
            assert_eq!(copied.to.len(), 1);
        }
        if round % 5 == 4 {
            view.remove(&one).unwrap();
        }
    }
}

fn rounds_of_theirs(imap: &mut Imap, worker: u32, rounds: u32) {
    imap.ok("SELECT INBOX");
    for round in 0..rounds {
        let body = text(5000 * (worker + 1) + round);
        let reply = imap.append("INBOX", "(theirs)", &body);
        let uid = between(&reply.tagged, "APPENDUID ", "]");
        let uid = uid.split(' ').nth(1).unwrap().to_owned();
        imap.ok("NOOP");
        imap.ok(&format!("UID STORE {uid} +FLAGS (\\Answered)"));
        if round.is_multiple_of(3) {
            imap.ok(&format!("UID COPY {uid} Sub"));
        }
        if round % 5 == 4 {
            imap.ok(&format!("UID STORE {uid} +FLAGS (\\Deleted)"));
            imap.ok(&format!("UID EXPUNGE {uid}"));
        }
    }
}

/// New storages and mailboxes, deleted ones, what one asks for and the other does.
#[test]
fn what_one_begins_the_other_ends() {
    let shared = Shared::new();
    let mut imap = shared.login();
    let store = shared.store();
    as_user(|| store.mailbox("Ours").create().unwrap());
    do_ours(&shared, &Step::Append("Ours", 7));
    do_theirs(&shared, &mut imap, &Step::Append("Ours", 8));
    let lines = ours(&store.mailbox("Ours"));
    assert_eq!(theirs(&mut imap, "Ours"), lines);
    assert_eq!(lines.len(), 3);
    // A request of ours, done by Dovecot; one as Dovecot leaves it, done by us.
    let ask = |name: &str, uid: u32| {
        let dir = shared.root().join(format!("mailboxes/{name}/dbox-Mails"));
        let options = index::Options::mailbox(&mailbox::Settings::default());
        as_user(|| {
            let index = index::Index::open(&Fs::real(), &dir, options).unwrap();
            let mut asked = index::Transaction::internal();
            asked.expunge(uid, [0; 16]);
            index.commit(&asked).unwrap();
        });
    };
    ask("Ours", 1);
    imap.ok("SELECT Ours");
    imap.ok("SELECT INBOX");
    shared.is_sound("what Dovecot did");
    ask("Ours", 2);
    as_user(|| assert_eq!(open(&store.mailbox("Ours"), Access::ReadWrite).len(), 0));
    shared.is_sound("what we did");
    // Deleted by us, as storage begins it: Dovecot finds it gone.
    do_ours(&shared, &Step::Append("Ours", 9));
    let mut watching = shared.login();
    watching.ok("SELECT Ours");
    as_user(|| store.mailbox("Ours").prepare_delete().unwrap());
    std::fs::remove_dir_all(shared.root().join("mailboxes/Ours")).unwrap();
    assert!(!imap.command("SELECT Ours").is_ok());
    drop(watching);
    shared.is_sound("a deleted mailbox");
    // Deleted by Dovecot: its references are given up, too.
    do_ours(&shared, &Step::Copy("INBOX", vec![1, 3], "Sub"));
    imap.ok("DELETE renamed");
    shared.is_sound("a mailbox deleted by Dovecot");
    do_ours(&shared, &Step::Purge);
    shared.agree("a purge");
    // A whole storage of ours.
    let root = shared.share.path().join("fresh/mdbox");
    std::fs::create_dir(shared.share.path().join("fresh")).unwrap();
    give(&shared.share.path().join("fresh"));
    let fresh = Store::with(&root, Fs::real(), Settings::default());
    as_user(|| {
        fresh.create("INBOX");
        append(
            &fresh.mailbox("INBOX"),
            &[text(1), text(2)],
            &NewMail::default(),
        )
        .unwrap();
    });
    let mut imap = Imap::connect(shared.dovecot.connect(143));
    imap.ok("LOGIN fresh any");
    assert_eq!(theirs(&mut imap, "INBOX"), ours(&fresh.mailbox("INBOX")));
    assert!(imap.append("INBOX", "()", &text(3)).is_ok());
    assert_eq!(theirs(&mut imap, "INBOX"), ours(&fresh.mailbox("INBOX")));
    shared.is_sound("a new storage");
}

/// Writers of ours that were killed at any call: Dovecot does not even notice.
#[test]
fn killed_writers_leave_nothing_to_complain_about() {
    use sys::fs::faulty::{Fault, FaultyFs};
    let shared = Shared::new();
    let steps = [
        Step::Append("INBOX", 85),
        Step::Copy("INBOX", vec![1, 3], "Sub"),
        Step::Remove("Sub", vec![1, 2]),
        Step::Purge,
    ];
    let mut killed = 0;
    for (at, step) in steps.iter().cycle().enumerate().take(60) {
        let nth = 3 + at * 7 % 90;
        let faulty = Arc::new(FaultyFs::new(Fault::From { nth, errno: 5 }));
        let settings = Settings {
            rotate_size: ROTATE,
            ..Settings::default()
        };
        let store = Store::with(&shared.root(), Fs::new(faulty), settings);
        killed += usize::from(as_user(|| attempt(&store, step)).is_err());
        // With a process go its locks.
        drop(store);
        if at % 6 == 5 {
            let mut imap = shared.login();
            do_theirs(
                &shared,
                &mut imap,
                &Step::Append("INBOX", u32::try_from(at).unwrap()),
            );
            do_theirs(&shared, &mut imap, &Step::Copy("INBOX", vec![1, 4], "Sub"));
            do_theirs(&shared, &mut imap, &Step::Purge);
            shared.agree(&format!("{at}: {step:?} killed at {nth}"));
        }
    }
    assert!(killed > 20, "{killed}");
    let complaints = shared.dovecot.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

fn attempt(store: &Store, step: &Step) -> Result<(), mailbox::Error> {
    match step {
        Step::Append(name, number) => {
            let mailbox = store.mailbox(name);
            append(&mailbox, &[text(*number)], &NewMail::default()).map(drop)
        }
        Step::Copy(from, uids, to) => {
            let mut view = common::try_open(&store.mailbox(from))?;
            let to = store.mailbox(to);
            to.copy_from(view.as_mut(), &set(uids)).map(drop)
        }
        Step::Remove(name, uids) => common::try_open(&store.mailbox(name))?.remove(&set(uids)),
        _ => store.storage.purge(&mut |_, _| {}).map(drop),
    }
}
