//! Real Dovecot on the mailboxes that we change, and we on what it changes: both see the same, and
//! Dovecot has nothing to complain about.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Read;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{all, place, sdbox_at, set, sha256, with_crlf};
use compress::{Encoding, Method};
use format_sdbox::rebuild::Mode;
use format_sdbox::{Options, Sdbox};
use mailbox::{Access, FlagChange, Flags, Keyword, MailboxName, NewMail, Seq, StoredMailbox};
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
mail_location = sdbox:~/sdbox:ALT=~/alt
";

/// Checkpoints and rotations all the time.
const RESTLESS: &str = "
mail_index_rewrite_min_log_bytes = 64
mail_index_rewrite_max_log_bytes = 128
mail_index_log_rotate_min_size = 512
mail_index_log_rotate_max_size = 1k
mail_index_log_rotate_min_age = 0
mail_cache_purge_min_size = 256
";

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

    /// As a process that has just started.
    fn sdbox(&self, mailbox: &str) -> Arc<Sdbox> {
        let below = format!("mailboxes/{mailbox}/dbox-Mails");
        let mut place = place(&self.home().join("sdbox").join(&below));
        place.alt = Some(self.home().join("alt").join(&below));
        let options = Options {
            attachments: Some(self.home().join("attachments")),
            ..Options::default()
        };
        let thresholds = match self.is_restless {
            true => index::Thresholds {
                rewrite_min: 64,
                rewrite_max: 128,
                rotate_min: 512,
                rotate_max: 1024,
                rotate_age: 0,
                log2_age: 3600,
            },
            false => index::Thresholds::default(),
        };
        let sdbox = Arc::into_inner(sdbox_at(Fs::real(), place, options)).unwrap();
        Arc::new(sdbox.rotated_as(thresholds))
    }

    fn login(&self) -> Imap {
        let mut imap = Imap::connect(self.dovecot.connect(143));
        imap.ok(&format!("LOGIN {} any", self.user));
        imap
    }

    fn has_no_complaints(&self) {
        let complaints = self.dovecot.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// Both say the same about every mailbox.
    fn agree(&self, what: &str) {
        let mut imap = self.login();
        for name in BOXES {
            let (ours, theirs) = (ours(&self.sdbox(name)), theirs(&mut imap, name));
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
fn ours(sdbox: &Arc<Sdbox>) -> Vec<String> {
    as_user(|| {
        let name = MailboxName::new("x").unwrap();
        let mut view = Arc::clone(sdbox).open(&name, Access::ReadOnly).unwrap();
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
}

fn step(dice: &mut Dice, number: u32) -> Step {
    let name = BOXES[dice.below(2) as usize];
    let uids = (0..=dice.below(3))
        .map(|_| 1 + dice.below(20 + number / 4))
        .collect();
    let bit = Flags::NAMES[dice.below(5) as usize].0;
    let keyword =
        Keyword::new(["Work", "$Label1", "New1", "New2"][dice.below(4) as usize]).unwrap();
    match dice.below(9) {
        0..=2 => Step::Append(name, number),
        3 => Step::Flags(name, uids, FlagChange::Add(bit, vec![keyword])),
        4 => Step::Flags(name, uids, FlagChange::Remove(bit, vec![keyword])),
        5 => Step::Flags(name, uids, FlagChange::Replace(bit, vec![keyword])),
        6 => Step::Copy(name, uids, BOXES[dice.below(2) as usize]),
        7 => Step::Remove(name, uids),
        _ => Step::Select(name),
    }
}

fn text(number: u32) -> String {
    let body = format!("line of message {number}\r\n").repeat(1 + number as usize % 40);
    format!("Subject: message {number}\r\nMessage-ID: <{number}@x>\r\n\r\n{body}")
}

fn do_ours(store: &Store, step: &Step) {
    as_user(|| {
        let open = |name: &str, access| {
            let named = MailboxName::new("x").unwrap();
            store.sdbox(name).open(&named, access).unwrap()
        };
        match step {
            Step::Append(name, number) => {
                let mut saving = store.sdbox(name).begin_save().unwrap();
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
                    .sdbox(to)
                    .copy_from(from.as_mut(), &set(uids))
                    .unwrap();
            }
            Step::Remove(name, uids) => {
                open(name, Access::ReadWrite).remove(&set(uids)).unwrap();
            }
            Step::Select(name) => drop(open(name, Access::ReadWrite)),
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
    }
}

#[test]
fn in_turns() {
    take_turns(&Store::new("sdbox", ""));
}

#[test]
fn in_turns_with_rotations() {
    let store = Store::new("sdbox", RESTLESS);
    take_turns(&store);
    let inbox = store.home().join("sdbox/mailboxes/INBOX/dbox-Mails");
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
    let mut dice = Dice(given("SDBOX_SEED").unwrap_or(20_261_123));
    let steps = given("SDBOX_STEPS").and_then(|steps| u32::try_from(steps).ok());
    for number in 0..steps.unwrap_or(160) {
        let step = step(&mut dice, number);
        match dice.below(2) {
            0 => do_ours(store, &step),
            _ => do_theirs(&mut imap, &step),
        }
        if number % 8 == 7 {
            store.agree(&format!("{number}: {step:?}"));
        }
    }
    store.agree("all of it");
    store.has_no_complaints();
    // Nothing is left to be repaired, whoever looks.
    let before: Vec<_> = BOXES.map(|name| ours(&store.sdbox(name))).to_vec();
    for name in BOXES {
        let found = as_user(|| store.sdbox(name).resync(Mode::DryRun).unwrap());
        assert!(found.is_empty(), "{name}: {found:?}");
    }
    store
        .dovecot
        .run(&format!("doveadm force-resync -u {} '*'", store.user));
    for (name, before) in BOXES.into_iter().zip(before) {
        let without_modseq = |lines: Vec<String>| -> Vec<String> {
            let words = lines
                .iter()
                .map(|line| line.split("] ").next().unwrap().to_owned());
            words.skip(1).collect()
        };
        let after = ours(&store.sdbox(name));
        assert_eq!(without_modseq(after), without_modseq(before), "{name}");
    }
    store.agree("a resync");
    store.has_no_complaints();
}

#[test]
fn at_once() {
    work_together(&Store::new("sdbox", ""));
}

#[test]
fn at_once_with_rotations() {
    work_together(&Store::new("sdbox", RESTLESS));
}

fn work_together(store: &Store) {
    let before = ours(&store.sdbox("INBOX")).len();
    let rounds = std::env::var("SDBOX_ROUNDS").map_or(25, |n| n.parse().unwrap());
    std::thread::scope(|scope| {
        for worker in 0..2_u32 {
            scope.spawn(move || {
                let sdbox = store.sdbox("INBOX");
                as_user(|| {
                    let named = MailboxName::new("x").unwrap();
                    let open = || Arc::clone(&sdbox).open(&named, Access::ReadWrite).unwrap();
                    let mut view = open();
                    for round in 0..rounds {
                        let mut saving = Arc::clone(&sdbox).begin_save().unwrap();
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
    let lines = ours(&store.sdbox("INBOX"));
    assert_eq!(lines.len(), before + 4 * kept);
    let with = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
    assert_eq!(
        (with("ours0"), with("ours1"), with("theirs")),
        (kept, kept, 2 * kept)
    );
    for name in BOXES {
        let found = as_user(|| store.sdbox(name).resync(Mode::DryRun).unwrap());
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

/// ALT storage, a new mailbox, what one asks for and the other does.
#[test]
fn what_one_begins_the_other_ends() {
    let store = Store::new("sdbox", "");
    let mut imap = store.login();
    // Requests of ours, done by Dovecot.
    let inbox = store.home().join("sdbox/mailboxes/INBOX/dbox-Mails");
    let options = index::Options::mailbox(&mailbox::Settings::default());
    let index = as_user(|| index::Index::open(&Fs::real(), &inbox, options).unwrap());
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
    ask(1, 0);
    ask(2, 0x40);
    store.agree("requests to Dovecot");
    imap.ok("SELECT INBOX");
    assert!(!inbox.join("u.1").exists());
    store.agree("what Dovecot did");
    // Requests as Dovecot leaves them, done by us.
    ask(3, 0);
    ask(4, 0x40);
    let sdbox = store.sdbox("INBOX");
    let status = as_user(|| sdbox.status().unwrap());
    assert_eq!(status.messages, 11);
    assert!(!inbox.join("u.3").exists() && !inbox.join("u.4").exists());
    store.agree("what we did");
    as_user(|| sdbox.move_to(&set(&[5, 6]), dbox::Place::Alt).unwrap());
    store.agree("our altmove");
    store.dovecot.run(&format!(
        "doveadm altmove -u {} mailbox INBOX uid 9",
        store.user
    ));
    store.dovecot.run(&format!(
        "doveadm altmove -r -u {} mailbox INBOX uid 5",
        store.user
    ));
    store.agree("their altmove");
    assert!(inbox.join("u.5").exists() && !inbox.join("u.9").exists());
    as_user(|| sdbox.move_to(&all(), dbox::Place::Primary).unwrap());
    store.agree("our way back");
    // A mailbox of ours.
    as_user(|| store.sdbox("Ours").create().unwrap());
    do_ours(&store, &Step::Append("Ours", 7));
    let lines = ours(&store.sdbox("Ours"));
    assert_eq!(theirs(&mut imap, "Ours"), lines);
    imap.ok("SELECT Ours");
    do_theirs(&mut imap, &Step::Append("Ours", 8));
    assert_eq!(theirs(&mut imap, "Ours"), ours(&store.sdbox("Ours")));
    // Deleted by us, as storage begins it: Dovecot finds it gone.
    let mut watching = store.login();
    watching.ok("SELECT Ours");
    as_user(|| store.sdbox("Ours").prepare_delete().unwrap());
    std::fs::remove_dir_all(store.home().join("sdbox/mailboxes/Ours")).unwrap();
    assert!(!imap.command("SELECT Ours").is_ok());
    drop(watching);
    store.has_no_complaints();
}

/// Messages with attachments out of line, copied and expunged by both.
#[test]
fn attachments() {
    let store = Store::new(
        "sdboxattach",
        "mail_attachment_dir = ~/attachments\nmail_attachment_min_size = 1k\n",
    );
    store.agree("unpacking");
    let files = || {
        let mut count = 0;
        let mut dirs = vec![store.home().join("attachments")];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => dirs.push(entry.path()),
                    false => count += 1,
                }
            }
        }
        count
    };
    let before = files();
    let mut imap = store.login();
    do_ours(&store, &Step::Copy("INBOX", vec![3, 13], "Sub"));
    assert_eq!(files(), before + 2);
    store.agree("our copies");
    do_theirs(&mut imap, &Step::Copy("INBOX", vec![3, 13], "Sub"));
    assert_eq!(files(), before + 4);
    store.agree("their copies");
    do_ours(&store, &Step::Remove("INBOX", vec![3]));
    do_theirs(&mut imap, &Step::Remove("INBOX", vec![13]));
    assert_eq!(files(), before + 2);
    store.agree("expunges");
    let uids: Vec<u32> = (1..=30).collect();
    do_ours(&store, &Step::Remove("Sub", uids));
    store.agree("the end of the copies");
    store.has_no_complaints();
}

/// Bodies that one compresses and the other reads.
#[test]
fn compressed_bodies() {
    let store = Store::new(
        "sdbox",
        "mail_plugins = zlib\nplugin {\n  zlib_save = zstd\n}\n",
    );
    let mut imap = store.login();
    for (number, method) in (500..).zip(Method::ALL) {
        let options = Options {
            encoding: Some(Encoding::new(method, None).unwrap()),
            ..Options::default()
        };
        let dir = store.home().join("sdbox/mailboxes/INBOX/dbox-Mails");
        let sdbox = sdbox_at(Fs::real(), place(&dir), options);
        let uid = as_user(|| {
            let mut saving = Arc::clone(&sdbox).begin_save().unwrap();
            let text = text(number).repeat(30);
            saving
                .save(&NewMail::default(), &mut text.as_bytes())
                .unwrap();
            saving.commit().unwrap().uids[0]
        });
        let stored = std::fs::metadata(dir.join(format!("u.{uid}")))
            .unwrap()
            .len();
        assert!(stored < text(number).len() as u64 * 10, "{method}");
        store.agree(&format!("our {method}"));
    }
    do_theirs(&mut imap, &Step::Append("INBOX", 39));
    do_theirs(&mut imap, &Step::Copy("INBOX", (1..40).collect(), "Sub"));
    store.agree("their zstd");
    store.has_no_complaints();
}
