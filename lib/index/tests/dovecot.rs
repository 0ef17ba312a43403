//! Real Dovecot on stores that we change, and ours on what it changes then: both see the same, and Dovecot
//! has nothing to complain about.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

use common::options;
use index::list::Tree;
use index::log::record::Toggle;
use index::{Backup, Index, Options, State, Thresholds, Transaction};
use mailbox::{Guid, Seq, Uid, UidSet};
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
namespace inbox {
  separator = /
}
mail_location = sdbox:~/sdbox
";

/// The same of Dovecot.
const RESTLESS: &str = "
mail_index_rewrite_min_log_bytes = 64
mail_index_rewrite_max_log_bytes = 256
mail_index_log_rotate_min_size = 300
mail_index_log_rotate_max_size = 700
mail_index_log_rotate_min_age = 0
";

/// Checkpoints and rotations all the time.
fn restless() -> Options {
    Options {
        backup: Backup::Keep,
        thresholds: Thresholds {
            rewrite_min: 64,
            rewrite_max: 128,
            rotate_min: 256,
            rotate_max: 512,
            rotate_age: 0,
            log2_age: 3600,
        },
        ..options()
    }
}

struct Store {
    dovecot: Dovecot,
    share: tempfile::TempDir,
    user: &'static str,
}

impl Store {
    fn new(user: &'static str, settings: &str) -> Self {
        let fixture = Fixture::unpack(user);
        let share = tempfile::tempdir().unwrap();
        std::fs::rename(fixture.home(), share.path().join(user)).unwrap();
        let settings = format!("{SETTINGS}{settings}");
        let dovecot = Dovecot::boot_sharing(&settings, share.path());
        dovecot.write_file(
            "/etc/pam.d/dovecot",
            b"auth requisite pam_deny.so nodelay\n",
        );
        let store = Self {
            dovecot,
            share,
            user,
        };
        store.hand_over();
        store
    }

    fn home(&self) -> PathBuf {
        self.share.path().join(self.user)
    }

    fn inbox(&self) -> PathBuf {
        self.home().join("sdbox/mailboxes/INBOX/dbox-Mails")
    }

    /// Our tests are root; Dovecot is not.
    fn hand_over(&self) {
        give(self.share.path());
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
}

fn give(path: &Path) {
    if std::fs::symlink_metadata(path).unwrap().uid() != OWNER {
        lchown(path, Some(OWNER), Some(OWNER)).unwrap();
    }
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).unwrap().flatten() {
            give(&entry.path());
        }
    }
}

fn one(uid: u32) -> UidSet {
    Uid::new(uid).into_iter().collect()
}

/// Flags, keywords and modseqs as Dovecot tells them, one line a message.
fn theirs(imap: &mut Imap) -> Vec<String> {
    let fetched = imap.ok("UID FETCH 1:* (FLAGS MODSEQ)").untagged;
    let lines = fetched.iter().filter(|r| r.text.contains(" FETCH (UID "));
    lines
        .map(|response| {
            let uid = between(&response.text, "UID ", " ");
            let mut flags: Vec<&str> = between(&response.text, "FLAGS (", ")")
                .split(' ')
                .filter(|flag| !flag.is_empty() && *flag != "\\Recent")
                .collect();
            flags.sort_unstable();
            let modseq = between(&response.text, "MODSEQ (", ")");
            format!("{uid} {flags:?} {modseq}")
        })
        .collect()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap().1;
    rest.split_once(after).map_or(rest, |(found, _)| found)
}

/// The same out of our state.
fn ours(state: &State) -> Vec<String> {
    (1..=state.len())
        .filter_map(Seq::new)
        .map(|seq| {
            let flags = state.flags(seq).unwrap();
            let system = mailbox::Flags::NAMES.iter();
            let system = system.filter(|(flag, _)| flags.contains(*flag));
            let mut names: Vec<&str> = system.map(|(_, name)| *name).collect();
            let keywords = state.keyword_set(seq).unwrap();
            names.extend(keywords.iter().map(|at| state.keywords()[at].as_str()));
            names.sort_unstable();
            let uid = state.uid(seq).unwrap();
            format!("{uid} {names:?} {}", state.modseq(seq).unwrap())
        })
        .collect()
}

#[test]
fn dovecot_goes_on_where_we_stop() {
    let store = Store::new("sdbox", RESTLESS);
    let index = Index::open(&Fs::real(), &store.inbox(), options()).unwrap();
    let uids: Vec<u32> = index.state().unwrap().records().map(|r| r.uid()).collect();

    // Flags, a keyword that is new, a keyword with three names at once.
    let mut sync = index.begin_sync().unwrap();
    let mut transaction = Transaction::internal();
    transaction.update_flags(&one(uids[0]), 0x02, 0x08);
    transaction.update_keyword(Toggle::Add, "OursOnly", &one(uids[0]));
    transaction.update_keyword(Toggle::Add, "$Second", &one(uids[1]));
    sync.commit(&transaction).unwrap();
    sync.finish().unwrap();
    let mut imap = store.login();
    imap.ok("SELECT INBOX (CONDSTORE)");
    assert_eq!(theirs(&mut imap), ours(&index.refresh().unwrap()));
    assert!(theirs(&mut imap)[0].contains("OursOnly"));

    // A request to expunge that Dovecot completes, and one of Dovecot's sessions at the same time.
    let mut asked = Transaction::internal();
    asked.expunge(uids[2], [0; 16]);
    index.commit(&asked).unwrap();
    imap.ok("NOOP");
    imap.ok(&format!(
        "UID STORE {} +FLAGS (\\Answered $Theirs)",
        uids[3]
    ));
    let state = index.refresh().unwrap();
    assert_eq!(state.seq(Uid::new(uids[2]).unwrap()), None);
    assert!(index.begin_sync().unwrap().requests().is_empty());
    assert_eq!(theirs(&mut imap), ours(&state));
    store.has_no_complaints();

    // An unfinished transaction, as a crash leaves it, is cut off before Dovecot sees it.
    let log = store.inbox().join("dovecot.index.log");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend(bytes[40..52].to_vec());
    bytes.extend([0x80, 0x80, 0x80]);
    std::fs::write(&log, bytes).unwrap();
    drop(index.begin_sync().unwrap());
    imap.ok("NOOP");
    assert_eq!(theirs(&mut imap), ours(&index.refresh().unwrap()));

    // Checkpoints and rotations, while two sessions of Dovecot do the same.
    let restless = Index::open(&Fs::real(), &store.inbox(), restless()).unwrap();
    let mut other = store.login();
    other.ok("SELECT INBOX");
    for round in 0..25_u32 {
        let uid = uids[usize::try_from(round).unwrap() % 2];
        let mut sync = restless.begin_sync().unwrap();
        let mut transaction = Transaction::internal();
        transaction.update_flags(&one(uid), 1 << (round % 5), 1 << ((round + 1) % 5));
        transaction.update_keyword(Toggle::Add, &format!("round{}", round % 9), &one(uid));
        sync.commit(&transaction).unwrap();
        sync.finish().unwrap();
        store.hand_over();
        let change = ["+FLAGS (\\Flagged Odd)", "-FLAGS (\\Flagged Odd)"][round as usize % 2];
        imap.ok(&format!("UID STORE {} {change}", uids[1]));
        if round % 4 == 0 {
            let body = format!("Subject: round {round}\r\n\r\nx\r\n");
            assert!(other.append("INBOX", "(\\Seen)", body.as_bytes()).is_ok());
        }
        other.ok("NOOP");
    }
    imap.ok("NOOP");
    let state = restless.refresh().unwrap();
    assert!(state.place().file_seq > 5 && store.inbox().join("dovecot.index.backup").exists());
    assert_eq!(theirs(&mut imap), ours(&state));
    assert_eq!(ours(&state), ours(&index.refresh().unwrap()));
    let mut fresh = store.login();
    let selected = fresh.ok("SELECT INBOX (CONDSTORE)");
    assert_eq!(theirs(&mut fresh), ours(&state));
    let highest = format!("[HIGHESTMODSEQ {}]", state.highest_modseq());
    assert!(selected.find("HIGHESTMODSEQ").text.contains(&highest));

    // Dovecot's own reader of both files.
    let dir = format!("/srv/share/{}/sdbox/mailboxes/INBOX/dbox-Mails", store.user);
    for file in ["dovecot.index", "dovecot.index.log", "dovecot.index.log.2"] {
        let dump = store.dovecot.run(&format!("doveadm dump {dir}/{file}"));
        assert!(!dump.is_empty());
    }
    store.has_no_complaints();
}

/// A mailbox that we have marked as deleted is none for Dovecot, neither open nor to be opened.
#[test]
fn what_we_delete_is_gone_for_dovecot() {
    let store = Store::new("sdbox", "");
    let mut open = store.login();
    open.ok("SELECT Trash");
    let trash = store.home().join("sdbox/mailboxes/Trash/dbox-Mails");
    let index = Index::open(&Fs::real(), &trash, options()).unwrap();
    let mut sync = index.begin_sync().unwrap();
    for mut transaction in [Transaction::internal(), Transaction::external()] {
        transaction.delete_index();
        sync.commit(&transaction).unwrap();
    }
    sync.finish().unwrap();
    assert!(!store.login().command("SELECT Trash").is_ok());
    // Dovecot ends the session that has it open, or answers no more than that.
    if let Ok(reply) = open.try_command("NOOP") {
        assert!(!reply.tagged.is_empty());
    }
    let mut imap = store.login();
    imap.ok("SELECT INBOX");
}

/// A new index, from our first transaction alone: Dovecot takes it, with what we append to it.
#[test]
fn dovecot_takes_an_index_that_we_made() {
    let store = Store::new("mdboxindex", "mail_location = mdbox:~/mdbox:LAYOUT=index\n");
    let list = Options {
        prefix: "dovecot.list.index".into(),
        tail: index::Tail::Always,
        ..options()
    };
    let root = store.home().join("mdbox");
    let names = Index::open(&Fs::real(), &root, list).unwrap();
    let map_validity = Index::open(
        &Fs::real(),
        &root.join("storage"),
        Options {
            prefix: "dovecot.map.index".into(),
            ..options()
        },
    )
    .unwrap();
    let map_validity = map_validity.state().unwrap().header().uid_validity();

    // The mailbox: header of an mdbox, no messages.
    let guid = Guid::generate();
    let dir = root.join("mailboxes").join(guid.to_string());
    std::fs::create_dir(&dir).unwrap();
    let mut first = Transaction::external();
    let mut header = map_validity.to_le_bytes().to_vec();
    header.extend(guid.0);
    header.extend([0; 4]);
    let spec = index::ExtSpec {
        name: "mdbox-hdr",
        header_size: 24,
        record_size: 0,
        record_align: 0,
    };
    first.extension(&spec).set_header(0, &header);
    first.set_uid_validity(1_800_000_000);
    let (_, created) = Index::create(&Fs::real(), &dir, options(), &first).unwrap();
    assert_eq!(created, index::Created::Ours);

    // Its name, below one that is there; and another one renamed.
    let mut sync = names.begin_sync().unwrap();
    let mut tree = Tree::decode(sync.state()).unwrap();
    let path = ["Sent", "Ours"];
    let uid = tree.insert(&path).unwrap();
    let node = tree.get_mut(uid).unwrap();
    (node.flags, node.guid, node.uid_validity) = (0, guid, 1_800_000_000);
    let drafts = tree.find(&["Drafts"]).unwrap().uid;
    tree.rename(drafts, 0, b"Sketches").unwrap();
    let changes = tree.changes_from(sync.state());
    sync.commit(&changes).unwrap();
    sync.finish().unwrap();
    store.hand_over();
    let again = Tree::decode(&names.refresh().unwrap()).unwrap();
    assert_eq!(again.nodes().count(), tree.nodes().count());

    let mut imap = store.login();
    let listed = imap.ok("LIST \"\" *").untagged;
    let names_now: Vec<&str> = listed.iter().map(|r| r.text.as_str()).collect();
    for wanted in ["Sent/Ours", "Sketches"] {
        assert!(
            names_now.iter().any(|line| line.ends_with(wanted)),
            "{names_now:?}"
        );
    }
    let selected = imap.ok("SELECT Sent/Ours");
    assert!(selected.find("UIDVALIDITY").text.contains("1800000000"));
    assert!(
        imap.append(
            "Sent/Ours",
            "(\\Flagged)",
            b"Subject: hello\r\n\r\nworld\r\n"
        )
        .is_ok()
    );
    imap.ok("NOOP");
    let index = Index::open(&Fs::real(), &dir, options()).unwrap();
    let state = index.state().unwrap();
    assert_eq!((state.len(), state.header().next_uid()), (1, 2));
    assert_eq!(state.extension("mdbox").unwrap().record_size, 8);
    imap.ok("RENAME Sketches Sketches2");
    imap.ok("DELETE Sent/Ours");
    let gone = index.refresh();
    assert!(
        matches!(gone, Err(index::Error::Deleted { .. })),
        "{gone:?}"
    );
    let tree = Tree::decode(&names.refresh().unwrap()).unwrap();
    assert!(tree.find(&["Sketches2"]).is_some() && tree.find(&path).is_none());
    store.has_no_complaints();
}

/// Plays the mail user in this thread.
fn as_owner() {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
    let (user, group) = (Uid::from_raw(OWNER), Gid::from_raw(OWNER));
    set_thread_res_gid(group, group, group).unwrap();
    set_thread_res_uid(user, user, user).unwrap();
}

/// Rotations, but no two of them between two looks of anybody: Dovecot warns of logs that it never saw.
const BUSY: &str = "
mail_index_rewrite_min_log_bytes = 64
mail_index_rewrite_max_log_bytes = 256
mail_index_log_rotate_min_size = 4000
mail_index_log_rotate_max_size = 5000
mail_index_log_rotate_min_age = 0
";

/// Two indexes of ours and two sessions of Dovecot change one mailbox at once, all of them with checkpoints
/// after every other change, and with rotations.
#[test]
fn both_at_once() {
    let store = Store::new("sdbox", BUSY);
    let mut busy = restless();
    busy.thresholds.rotate_min = 4000;
    busy.thresholds.rotate_max = 5000;
    let inbox = store.inbox();
    let before = Index::open(&Fs::real(), &inbox, options()).unwrap();
    let before = before.state().unwrap();
    std::thread::scope(|scope| {
        for number in 0..2_u32 {
            let (inbox, busy) = (&inbox, &busy);
            scope.spawn(move || {
                as_owner();
                let index = Index::open(&Fs::real(), inbox, busy.clone()).unwrap();
                for round in 0..60_u32 {
                    let mut sync = index.begin_sync().unwrap();
                    let mut transaction = Transaction::internal();
                    transaction.update_flags(&one(1 + round % 5), 2, 1);
                    let name = format!("ours{number}x{}", round % 7);
                    transaction.update_keyword(Toggle::Add, &name, &one(1 + round % 4));
                    if round % 10 == 9 {
                        // The newest, which Dovecot has appended: it completes the removal.
                        let newest = sync.state().header().next_uid() - 1;
                        transaction.expunge(newest.max(16), [0; 16]);
                    }
                    sync.commit(&transaction).unwrap();
                    sync.finish().unwrap();
                }
            });
        }
        for number in 0..2 {
            let mut imap = store.login();
            scope.spawn(move || {
                imap.ok("SELECT INBOX");
                for round in 0..40 {
                    imap.ok(&format!(
                        "UID STORE 1:3 +FLAGS (theirs{number}x{})",
                        round % 5
                    ));
                    imap.ok("UID STORE 2 -FLAGS (\\Flagged)");
                    if round % 4 == 0 {
                        assert!(imap.append("INBOX", "", b"Subject: x\r\n\r\nx\r\n").is_ok());
                    }
                }
            });
        }
    });
    let mut imap = store.login();
    imap.ok("SELECT INBOX (CONDSTORE)");
    imap.ok("NOOP");
    let state = Index::open(&Fs::real(), &inbox, options())
        .unwrap()
        .state()
        .unwrap();
    assert_eq!(theirs(&mut imap), ours(&state));
    assert!(!state.header().is_repaired() && state.place().file_seq > 3);
    assert_eq!(state.header().next_uid(), before.header().next_uid() + 20);
    for (prefix, count) in [
        ("ours0x", 7),
        ("ours1x", 7),
        ("theirs0x", 5),
        ("theirs1x", 5),
    ] {
        let known = state
            .keywords()
            .iter()
            .filter(|name| name.starts_with(prefix));
        assert_eq!(known.count(), count, "{:?}", state.keywords());
    }
    for (old, new) in before.records().zip(state.records()) {
        assert_eq!(old.uid(), new.uid());
    }
    store.has_no_complaints();
}

/// What we have mended, Dovecot takes: it looks what is missing, and nothing is.
#[test]
fn dovecot_takes_what_we_repaired() {
    let store = Store::new("sdbox", "");
    let log = store.inbox().join("dovecot.index.log");
    let before = Index::open(&Fs::real(), &store.inbox(), options()).unwrap();
    let before = ours(&before.state().unwrap());
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[4..8].fill(0);
    std::fs::write(&log, &bytes).unwrap();
    let index = Index::open(&Fs::real(), &store.inbox(), options()).unwrap();
    assert_eq!(ours(&index.state().unwrap()), before);
    drop(index);
    store.hand_over();
    let mut imap = store.login();
    imap.ok("SELECT INBOX (CONDSTORE)");
    let flags = |lines: &[String]| -> Vec<String> {
        let lines = lines.iter();
        // Rebuilding, Dovecot gives new modseqs.
        lines
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
            .collect()
    };
    assert_eq!(flags(&theirs(&mut imap)), flags(&before));
    let index = Index::open(&Fs::real(), &store.inbox(), options()).unwrap();
    let state = index.state().unwrap();
    assert_eq!(theirs(&mut imap), ours(&state));
    assert!(!state.header().is_repaired());
}
