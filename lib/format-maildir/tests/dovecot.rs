//! Real Dovecot on the mailboxes that we change, and we on what it changes: both see the same, and
//! Dovecot has nothing to complain about.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Read;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Counter, place, set, sha256, with_crlf};
use format_maildir::Maildir;
use format_maildir::settings::Options;
use mailbox::{
    Access, Context, FlagChange, Flags, Keyword, MailboxName, NewMail, Seq, Settings, StoredMailbox,
};
use sys::fs::Fs;
use testkit::{Dovecot, Fixture, Imap};

const OWNER: u32 = 5999;

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
mail_location = maildir:~/Maildir
";

/// Checkpoints and rotations all the time.
const RESTLESS: &str = "
mail_index_rewrite_min_log_bytes = 64
mail_index_rewrite_max_log_bytes = 128
mail_index_log_rotate_min_size = 4k
mail_index_log_rotate_max_size = 8k
mail_index_log_rotate_min_age = 0
mail_cache_purge_min_size = 256
";

/// Dovecot's word for a log that came and went between two looks of a session.
const MISSED: &str = "Missing middle file seq=";

const BOXES: [&str; 2] = ["INBOX", "Sub"];

struct Store {
    dovecot: Dovecot,
    share: tempfile::TempDir,
    user: &'static str,
    is_restless: bool,
}

impl Store {
    fn new(user: &'static str, settings: &str) -> Self {
        let fixture = Fixture::unpack(user);
        let share = tempfile::tempdir().unwrap();
        std::fs::rename(fixture.home(), share.path().join(user)).unwrap();
        give(share.path());
        let dovecot = Dovecot::boot_sharing(&format!("{SETTINGS}{settings}"), share.path());
        let pam = b"auth requisite pam_deny.so nodelay\n";
        dovecot.write_file("/etc/pam.d/dovecot", pam);
        Self {
            dovecot,
            share,
            user,
            is_restless: settings == RESTLESS,
        }
    }

    fn home(&self) -> PathBuf {
        self.share.path().join(self.user)
    }

    fn path(&self, mailbox: &str) -> PathBuf {
        let root = self.home().join("Maildir");
        match mailbox {
            "INBOX" => root,
            _ => root.join(format!(".{mailbox}")),
        }
    }

    /// As a process that has just started.
    fn maildir(&self, mailbox: &str) -> Arc<Maildir> {
        let thresholds = match self.is_restless {
            true => index::Thresholds {
                rewrite_min: 64,
                rewrite_max: 128,
                rotate_min: 4096,
                rotate_max: 8192,
                rotate_age: 0,
                log2_age: 3600,
            },
            false => index::Thresholds::default(),
        };
        let context = Context {
            fs: Fs::real(),
            place: place(self.path(mailbox)),
            name: MailboxName::new("INBOX").unwrap(),
            settings: Settings::default(),
            uid_validities: Arc::new(Counter::default()),
        };
        Arc::new(Maildir::new(context, Options::default()).rotated_as(thresholds))
    }

    fn login(&self) -> Imap {
        let mut imap = Imap::connect(self.dovecot.connect(143));
        imap.ok(&format!("LOGIN {} any", self.user));
        imap
    }

    fn has_no_complaints(&self) {
        let mut complaints = self.dovecot.complaints();
        complaints.retain(|complaint| !(self.is_restless && complaint.contains(MISSED)));
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// Both say the same about every mailbox.
    fn agree(&self, what: &str) {
        let mut imap = self.login();
        for name in BOXES {
            let (ours, theirs) = (ours(&self.maildir(name)), theirs(&mut imap, name));
            assert_eq!(ours, theirs, "{name} after {what}");
        }
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
fn ours(maildir: &Arc<Maildir>) -> Vec<String> {
    as_user(|| {
        let name = MailboxName::new("x").unwrap();
        let mut view = Arc::clone(maildir).open(&name, Access::ReadOnly).unwrap();
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
            let hash = sha256(&with_crlf(&body));
            lines.push(format!(
                "{uid} {flags:?} {modseq} {size} {guid} {date} {hash}"
            ));
        }
        lines
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
    let items = "(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ X-GUID BODY.PEEK[])";
    let fetched = imap.ok(&format!("UID FETCH 1:* {items}")).untagged;
    for response in fetched.iter().filter(|r| r.text.contains(" FETCH (UID ")) {
        let text = &response.text;
        let flags = between(text, "FLAGS (", ")").split(' ');
        let mut flags: Vec<&str> = flags
            .filter(|flag| !flag.is_empty() && *flag != "\\Recent")
            .collect();
        flags.sort_unstable();
        let date = between(text, "INTERNALDATE \"", "\"");
        let date = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", date.trim()).unwrap();
        let date = date.to_timestamp().unwrap().as_second();
        let hash = sha256(response.literals.last().map_or(&[], Vec::as_slice));
        lines.push(format!(
            "{} {flags:?} {} {} {} {date} {hash}",
            between(text, "(UID ", " "),
            between(text, "MODSEQ (", ")"),
            between(text, "RFC822.SIZE ", " "),
            between(text, "X-GUID ", " ").trim_matches('"'),
        ));
    }
    lines
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before} in {text}"))
        .1;
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
    /// By somebody who knows of directories alone.
    Deliver(&'static str, u32),
    Rename(&'static str, u32),
    Unlink(&'static str, u32),
}

fn step(dice: &mut Dice, number: u32) -> Step {
    let name = BOXES[dice.below(2) as usize];
    let uids = (0..=dice.below(3))
        .map(|_| 1 + dice.below(20 + number / 4))
        .collect();
    let bit = Flags::NAMES[dice.below(5) as usize].0;
    // More than file names have letters for.
    let keyword = Keyword::new(&format!("word{}", dice.below(40))).unwrap();
    match dice.below(12) {
        0..=2 => Step::Append(name, number),
        3 => Step::Flags(name, uids, FlagChange::Add(bit, vec![keyword])),
        4 => Step::Flags(name, uids, FlagChange::Remove(bit, vec![keyword])),
        5 => Step::Flags(name, uids, FlagChange::Replace(bit, vec![keyword])),
        6 => Step::Copy(name, uids, BOXES[dice.below(2) as usize]),
        7 => Step::Remove(name, uids),
        8 => Step::Deliver(name, number),
        9 => Step::Rename(name, dice.below(100)),
        10 => Step::Unlink(name, dice.below(100)),
        _ => Step::Select(name),
    }
}

/// Not by either server. Tells whether it was one of these.
fn do_files(store: &Store, step: &Step) -> bool {
    let nth_file = |name: &str, nth: u32| {
        let cur = store.path(name).join("cur");
        let names = common::names_in(&cur);
        let at = (nth as usize).checked_rem(names.len())?;
        Some((cur.join(&names[at]), cur, names[at].clone()))
    };
    let dir = as_user(|| match step {
        Step::Deliver(name, number) => {
            let new = store.path(name).join("new");
            let file = format!("17{number:08}.M{number}P1.mta");
            std::fs::write(new.join(file), text(*number).replace("\r\n", "\n")).unwrap();
            Some(new)
        }
        Step::Rename(name, nth) => {
            let (path, cur, file) = nth_file(name, *nth)?;
            let (base, flags) = file.split_once(":2,")?;
            let to = match flags.contains('S') {
                true => format!("{base}:2,{}", flags.replace('S', "")),
                false => format!("{base}:2,S{}", flags.replace(['D', 'F', 'R'], "")),
            };
            std::fs::rename(path, cur.join(to)).unwrap();
            Some(cur)
        }
        Step::Unlink(name, nth) => {
            let (path, cur, _) = nth_file(name, *nth)?;
            std::fs::remove_file(path).unwrap();
            Some(cur)
        }
        _ => None,
    });
    if let Some(dir) = &dir {
        // Time stamps are coarser than we are quick.
        let dir = std::fs::File::open(dir).unwrap();
        dir.set_modified(std::time::SystemTime::now()).unwrap();
    }
    matches!(
        step,
        Step::Deliver(..) | Step::Rename(..) | Step::Unlink(..)
    )
}

fn text(number: u32) -> String {
    let body = format!("line of message {number}\r\n").repeat(1 + number as usize % 40);
    format!("Subject: message {number}\r\nMessage-ID: <{number}@x>\r\n\r\n{body}")
}

fn do_ours(store: &Store, step: &Step) {
    as_user(|| {
        let open = |name: &str, access| {
            let named = MailboxName::new("x").unwrap();
            store.maildir(name).open(&named, access).unwrap()
        };
        match step {
            Step::Append(name, number) => {
                let mut saving = store.maildir(name).begin_save().unwrap();
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
            Step::Flags(name, uids, change) => {
                open(name, Access::ReadWrite)
                    .store_flags(&set(uids), change)
                    .unwrap();
            }
            Step::Copy(from, uids, to) => {
                let mut from = open(from, Access::ReadOnly);
                store
                    .maildir(to)
                    .copy_from(from.as_mut(), &set(uids))
                    .unwrap();
            }
            Step::Remove(name, uids) => {
                open(name, Access::ReadWrite).remove(&set(uids)).unwrap();
            }
            Step::Select(name) => drop(open(name, Access::ReadWrite)),
            Step::Deliver(..) | Step::Rename(..) | Step::Unlink(..) => {}
        }
    });
}

fn list(uids: &[u32]) -> String {
    uids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn do_theirs(imap: &mut Imap, step: &Step) {
    match step {
        Step::Append(name, number) => {
            let flags = if number % 2 == 0 {
                "(\\Seen Work)"
            } else {
                "(Work)"
            };
            assert!(imap.append(name, flags, text(*number).as_bytes()).is_ok());
        }
        Step::Flags(name, uids, change) => {
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
            let names = names.join(" ");
            imap.ok(&format!(
                "UID STORE {} {sign}FLAGS.SILENT ({names})",
                list(uids)
            ));
        }
        Step::Copy(from, uids, to) => {
            imap.ok(&format!("EXAMINE {from}"));
            imap.ok(&format!("UID COPY {} {to}", list(uids)));
        }
        Step::Remove(name, uids) => {
            imap.ok(&format!("SELECT {name}"));
            imap.ok(&format!(
                "UID STORE {} +FLAGS.SILENT (\\Deleted)",
                list(uids)
            ));
            imap.ok(&format!("UID EXPUNGE {}", list(uids)));
        }
        Step::Select(name) => drop(imap.ok(&format!("SELECT {name}"))),
        Step::Deliver(..) | Step::Rename(..) | Step::Unlink(..) => {}
    }
}

#[test]
fn in_turns() {
    take_turns(&Store::new("maildir", ""));
}

#[test]
fn in_turns_with_rotations() {
    let store = Store::new("maildir", RESTLESS);
    take_turns(&store);
    let inbox = store.path("INBOX");
    let log = std::fs::read(inbox.join("dovecot.index.log")).unwrap();
    assert!(log[8] > 5, "log number {}", log[8]);
}

fn take_turns(store: &Store) {
    store.agree("unpacking");
    let mut imap = store.login();
    // For longer runs by hand.
    let given = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
    };
    let mut dice = Dice(given("MAILDIR_SEED").unwrap_or(20_261_123));
    let steps = given("MAILDIR_STEPS").and_then(|steps| u32::try_from(steps).ok());
    for number in 0..steps.unwrap_or(160) {
        let step = step(&mut dice, number);
        match dice.below(2) {
            _ if do_files(store, &step) => {}
            0 => do_ours(store, &step),
            _ => do_theirs(&mut imap, &step),
        }
        if number % 8 == 7 {
            store.agree(&format!("{number}: {step:?}"));
        }
    }
    store.agree("all of it");
    store.has_no_complaints();
    // Dovecot's own dumper reads our logs.
    for name in BOXES {
        let log = store.path(name).join("dovecot.index.log");
        let log = Path::new("/srv/share").join(log.strip_prefix(store.share.path()).unwrap());
        store
            .dovecot
            .run(&format!("doveadm dump {} > /dev/null", log.display()));
    }
    // Nothing is left to be repaired.
    let before: Vec<_> = BOXES.map(|name| ours(&store.maildir(name))).to_vec();
    store
        .dovecot
        .run(&format!("doveadm force-resync -u {} '*'", store.user));
    for (name, before) in BOXES.into_iter().zip(before) {
        assert_eq!(ours(&store.maildir(name)), before, "{name}");
    }
    store.agree("a resync");
    store.has_no_complaints();
}

#[test]
fn at_once() {
    work_together(&Store::new("maildir", ""));
}

#[test]
fn at_once_with_rotations() {
    work_together(&Store::new("maildir", RESTLESS));
}

/// That it tells this is no matter of ours: without us it does, too.
#[test]
fn dovecot_alone_misses_logs_with_rotations() {
    let store = Store::new("maildir", RESTLESS);
    let (mut idle, mut busy) = (store.login(), store.login());
    idle.ok("SELECT INBOX");
    busy.ok("SELECT INBOX");
    for sign in ["+", "-"].repeat(100) {
        busy.ok(&format!("UID STORE 1:15 {sign}FLAGS.SILENT (\\Flagged)"));
    }
    idle.ok("NOOP");
    let complaints = store.dovecot.complaints();
    assert!(
        complaints
            .iter()
            .any(|complaint| complaint.contains(MISSED)),
        "{complaints:#?}"
    );
    store.has_no_complaints();
}

fn work_together(store: &Store) {
    let before = ours(&store.maildir("INBOX")).len();
    let rounds = std::env::var("MAILDIR_ROUNDS").map_or(25, |n| n.parse().unwrap());
    std::thread::scope(|scope| {
        for worker in 0..2_u32 {
            scope.spawn(move || {
                let maildir = store.maildir("INBOX");
                as_user(|| {
                    let named = MailboxName::new("x").unwrap();
                    let open = || {
                        Arc::clone(&maildir)
                            .open(&named, Access::ReadWrite)
                            .unwrap()
                    };
                    let mut view = open();
                    for round in 0..rounds {
                        let mut saving = Arc::clone(&maildir).begin_save().unwrap();
                        let body = text(1000 * (worker + 1) + round);
                        saving
                            .save(&NewMail::default(), &mut body.as_bytes())
                            .unwrap();
                        let uid = saving.commit().unwrap().uids[0];
                        let keyword = Keyword::new(&format!("ours{worker}")).unwrap();
                        let change = FlagChange::Add(Flags::FLAGGED, vec![keyword]);
                        view.store_flags(&set(&[uid.get()]), &change).unwrap();
                        view.sync(mailbox::Expunges::Show).unwrap();
                        assert!(view.seq(uid).is_some());
                        if round % 5 == 4 {
                            view.remove(&set(&[uid.get()])).unwrap();
                        }
                    }
                });
            });
            scope.spawn(move || {
                let mut imap = store.login();
                imap.ok("SELECT INBOX");
                for round in 0..rounds {
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
    store.has_no_complaints();
    store.agree("all at once");
    let kept = rounds as usize * 4 / 5;
    let lines = ours(&store.maildir("INBOX"));
    assert_eq!(lines.len(), before + 4 * kept);
    let with = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
    let letters = std::fs::read_to_string(store.path("INBOX").join("dovecot-keywords")).unwrap();
    assert_eq!(
        (with("ours0"), with("ours1"), with("theirs")),
        (kept, kept, 2 * kept),
        "{letters}{:#?} {:#?}",
        lines,
        common::names_in(&store.path("INBOX").join("cur"))
    );
}

/// Dovecot tells by the second of the file's last change whether there are new names.
#[test]
fn letters_are_given_in_turns_within_a_second() {
    let store = Store::new("maildir", "");
    let lines = ours(&store.maildir("INBOX"));
    let uid = |at: usize| -> u32 { lines[at].split(' ').next().unwrap().parse().unwrap() };
    let mut imap = store.login();
    imap.ok("SELECT INBOX");
    for round in 0..7 {
        let ours = |uid: u32, word: &str| {
            let keyword = Keyword::new(&format!("{word}{round}")).unwrap();
            let change = FlagChange::Add(Flags::empty(), vec![keyword]);
            do_ours(&store, &Step::Flags("INBOX", vec![uid], change));
        };
        let mut theirs = |uid: u32, word: &str| {
            imap.ok(&format!("UID STORE {uid} +FLAGS.SILENT ({word}{round})"));
        };
        ours(uid(1), "first");
        // It reads the names and has no new one.
        theirs(uid(2), "first");
        ours(uid(3), "second");
        theirs(uid(4), "third");
    }
    store.agree("all letters");
    let names = std::fs::read_to_string(store.path("INBOX").join("dovecot-keywords")).unwrap();
    for round in 0..7 {
        for word in ["first", "second", "third"] {
            let name = format!(" {word}{round}\n");
            assert!(names.contains(&name), "{name:?} in {names}");
        }
    }
    store.has_no_complaints();
}

/// Dovecot notes how a directory looks when it has saved something in it, whatever else happened there.
#[test]
fn what_dovecot_overlooks_is_found() {
    let store = Store::new("maildir", "");
    let mut imap = store.login();
    let maildir = store.maildir("INBOX");
    for number in 0..6 {
        assert!(do_files(&store, &Step::Unlink("INBOX", number)));
        do_theirs(&mut imap, &Step::Append("INBOX", 2 * number));
        let (told, there) = as_user(|| {
            let told = maildir.status().unwrap().messages;
            let view = Arc::clone(&maildir).open(&MailboxName::new("x").unwrap(), Access::ReadOnly);
            (told, view.unwrap().len())
        });
        assert_eq!(told, there);
    }
}

/// Requests without their end, refused renames, a new mailbox and its deletion.
#[test]
fn what_one_begins_the_other_ends() {
    let store = Store::new("maildir", "");
    let mut imap = store.login();
    let inbox = store.path("INBOX");
    let lines = ours(&store.maildir("INBOX"));
    let uids = lines.iter().skip(1);
    let uids: Vec<u32> = uids
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect();
    let options = || index::Options::mailbox(&Settings::default());
    let index = as_user(|| index::Index::open(&Fs::real(), &inbox, options()).unwrap());
    let ask = |uid: u32, flags: u8| {
        as_user(|| {
            let mut asked = index::Transaction::internal();
            match flags {
                0 => asked.expunge(uid, [0; 16]),
                flags => asked.update_flags(&set(&[uid]), flags, 0),
            }
            index.commit(&asked).unwrap();
        });
    };
    let files = || common::names_in(&inbox.join("cur")).len();
    let drafts = || {
        let names = common::names_in(&inbox.join("cur"));
        let drafts = names.iter().filter(|name| name.contains(":2,D"));
        drafts.count()
    };
    // Requests of ours, done by Dovecot.
    let (before, draft) = (files(), drafts());
    ask(uids[0], 0);
    ask(uids[1], Flags::DRAFT.index_bits());
    imap.ok("SELECT INBOX");
    assert_eq!((files(), drafts()), (before - 1, draft + 1));
    store.agree("what Dovecot did");
    // Requests as Dovecot leaves them, done by us.
    ask(uids[2], 0);
    ask(uids[3], Flags::DRAFT.index_bits());
    as_user(|| store.maildir("INBOX").status().unwrap());
    assert_eq!((files(), drafts()), (before - 2, draft + 2));
    store.agree("what we did");
    // A flag that no file can be given is kept by the index, whoever looks.
    let cur = inbox.join("cur");
    let may_write = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&cur, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    may_write(0o500);
    let draft = FlagChange::Add(Flags::DRAFT, vec![]);
    as_user(|| {
        store
            .maildir("INBOX")
            .store_flags(&set(&[uids[4]]), &draft)
            .unwrap()
    });
    assert_eq!(drafts(), draft_count(&ours(&store.maildir("INBOX"))) - 1);
    store.agree("a refused rename");
    may_write(0o700);
    as_user(|| {
        store
            .maildir("INBOX")
            .store_flags(&set(&[uids[5]]), &draft)
            .unwrap()
    });
    assert_eq!(drafts(), draft_count(&ours(&store.maildir("INBOX"))));
    store.agree("its end");
    the_index_is_lost(&store);
    // A mailbox of ours.
    as_user(|| store.maildir("Ours").create().unwrap());
    do_ours(&store, &Step::Append("Ours", 7));
    let lines = ours(&store.maildir("Ours"));
    assert_eq!(theirs(&mut imap, "Ours"), lines);
    imap.ok("SELECT Ours");
    do_theirs(&mut imap, &Step::Append("Ours", 8));
    assert_eq!(theirs(&mut imap, "Ours"), ours(&store.maildir("Ours")));
    // Deleted by us, as storage begins it: Dovecot finds it gone.
    let mut watching = store.login();
    watching.ok("SELECT Ours");
    as_user(|| store.maildir("Ours").prepare_delete().unwrap());
    std::fs::remove_dir_all(store.path("Ours")).unwrap();
    assert!(!imap.command("SELECT Ours").is_ok());
    drop(watching);
    store.has_no_complaints();
}

fn draft_count(lines: &[String]) -> usize {
    let drafts = lines.iter().filter(|line| line.contains("Draft"));
    drafts.count()
}

/// Costs modseqs and nothing else.
fn the_index_is_lost(store: &Store) {
    let without_modseq = |lines: Vec<String>| -> Vec<String> {
        let lines = lines.into_iter().skip(1);
        lines
            .map(|line| {
                let (flags, rest) = line.split_once("] ").unwrap();
                format!("{flags} {}", rest.split_once(' ').unwrap().1)
            })
            .collect()
    };
    let before = ours(&store.maildir("INBOX"));
    for name in common::names_in(&store.path("INBOX")) {
        if name.starts_with("dovecot.index") {
            std::fs::remove_file(store.path("INBOX").join(name)).unwrap();
        }
    }
    let after = ours(&store.maildir("INBOX"));
    assert_eq!(without_modseq(after), without_modseq(before));
    store.agree("an index anew");
}
