//! A user's mailboxes by their names: made, listed, renamed, deleted, subscribed, in every layout.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use mailbox::{Access, Error, ListEntry, MailStore, MailboxName, NewMail};
use storage::{
    Auto, Kind, MailUser, MailboxSettings, NamespaceSettings, Settings, Shared, Storage, Visibility,
};
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};
use tempfile::TempDir;

/// Are levels above mailboxes directories of their own?
fn has_levels(location: &str) -> bool {
    let has_dirs = location.contains("LAYOUT=fs") || !location.starts_with("maildir");
    has_dirs && !location.contains("LAYOUT=index")
}

/// A directory that is gone on drop; in memory, where syncing costs nothing.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

struct Rig {
    home: TempDir,
    shared: Arc<Shared>,
    settings: Settings,
}

const LAYOUTS: [&str; 12] = [
    "maildir:~/Maildir",
    "maildir:~/Maildir:LAYOUT=fs",
    "maildir:~/Maildir:INDEX=~/idx:CONTROL=~/ctl",
    "maildir:~/Maildir:LAYOUT=fs:INDEX=~/idx:CONTROL=~/ctl:UTF-8",
    "maildir:~/Maildir:INBOX=~/in:UTF-8",
    "sdbox:~/Maildir",
    "sdbox:~/Maildir:INDEX=~/idx:CONTROL=~/ctl:ALT=~/alt:UTF-8",
    "sdbox:~/Maildir:DIRNAME=mails:MAILBOXDIR=all:VOLATILEDIR=~/run",
    "mdbox:~/Maildir",
    "sdbox:~/Maildir:LAYOUT=index",
    "mdbox:~/Maildir:LAYOUT=index:INDEX=~/idx:ALT=~/alt",
    "mdbox:~/Maildir:INDEX=~/idx:CONTROL=~/ctl:ALT=~/alt:UTF-8",
];

impl Rig {
    fn new(location: &str) -> Self {
        let namespace = NamespaceSettings {
            separator: "/".to_owned(),
            ..Default::default()
        };
        let settings = Settings {
            mail_location: location.to_owned(),
            namespace: vec![namespace],
            ..Settings::default()
        };
        Self {
            home: scratch(),
            shared: Shared::new(Fs::real()),
            settings,
        }
    }

    /// The same in another home, seen by another process.
    fn again(&self) -> Self {
        let home = scratch();
        let all = self.path(".");
        let copied = Command::new("cp")
            .arg("-a")
            .args([&all, home.path()])
            .status();
        assert!(copied.unwrap().success());
        Self {
            home,
            shared: Shared::new(Fs::real()),
            settings: self.settings.clone(),
        }
    }

    fn user(&self) -> MailUser {
        let home = Some(self.home.path().to_str().unwrap().to_owned());
        MailUser {
            name: "a@b".to_owned(),
            home,
            variables: Vec::new(),
        }
    }

    fn store(&self) -> Storage {
        Storage::open(&self.shared, &self.user(), &self.settings).unwrap()
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

/// Names with `!` unselectable, `?` nonexistent, `+` with children, `*` subscribed.
fn told(entries: &[ListEntry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| {
            let mut text = entry.name.to_string();
            text.extend((!entry.exists).then_some('?'));
            text.extend((entry.exists && !entry.selectable).then_some('!'));
            text.extend(entry.has_children.then_some('+'));
            text.extend(entry.subscribed.then_some('*'));
            text
        })
        .collect()
}

fn list(store: &mut Storage, pattern: &str) -> Vec<String> {
    told(&store.list(&[pattern.to_owned()]).unwrap())
}

fn lsub(store: &mut Storage, pattern: &str) -> Vec<String> {
    told(&store.list_subscribed(&[pattern.to_owned()]).unwrap())
}

fn put(store: &mut Storage, mailbox: &str, text: &str) {
    let target = name(mailbox);
    let mut save = store.begin_save(&target).unwrap();
    save.save(&NewMail::default(), &mut text.as_bytes())
        .unwrap();
    save.commit().unwrap();
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_first_use_makes_inbox() {
    for location in LAYOUTS {
        let rig = Rig::new(location);
        let mut store = rig.store();
        assert_eq!(list(&mut store, "*"), ["INBOX"]);
        assert!(!rig.path("Maildir").exists(), "LIST makes nothing");
        assert_eq!(store.status(&name("inbox")).unwrap().messages, 0);
        assert_eq!(mode(&rig.path("Maildir")), 0o700);
        put(&mut store, "INBOX", "x");
        assert_eq!(store.status(&name("INBOX")).unwrap().messages, 1);
        assert_eq!(rig.path("in/cur").exists(), location.contains("INBOX="));
        assert_eq!(rig.path("ctl/.INBOX/dovecot-uidlist").exists(), {
            location.contains("CONTROL=") && !has_levels(location)
        });
    }
}

#[test]
fn what_a_deleted_mailbox_left_is_in_nobodys_way() {
    let rig = Rig::new("sdbox:~/Maildir:ALT=~/alt");
    let mut store = rig.store();
    store.create(&name("A")).unwrap();
    put(&mut store, "A", "kept");
    let all = mailbox::UidSet::from_ranges([(mailbox::Uid::MIN, mailbox::Uid::MIN)]);
    store.altmove(&name("A"), &all, storage::Tier::Alt).unwrap();
    let alt = rig.path("alt/mailboxes");
    let left = alt.join("B/dbox-Mails");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("u.7"), "of another B").unwrap();
    let before = store.status(&name("A")).unwrap();
    store.rename(&name("A"), &name("B")).unwrap();
    assert_eq!(store.status(&name("B")).unwrap(), before);
    assert!(left.join("u.1").exists() && !left.join("u.7").exists());
    let aside = alt.join("..culver-left-1.B/dbox-Mails/u.7");
    assert_eq!(std::fs::read(aside).unwrap(), b"of another B");
    assert_eq!(list(&mut store, "*"), ["INBOX", "B"]);
}

#[test]
fn create_list_rename_delete() {
    for location in LAYOUTS {
        let rig = Rig::new(location);
        let mut store = rig.store();
        for mailbox in ["A", "A/B/C", "Ä & x", "Z"] {
            store.create(&name(mailbox)).unwrap();
        }
        let missing = if has_levels(location) {
            "A/B!+"
        } else {
            "A/B?+"
        };
        assert_eq!(
            list(&mut store, "*"),
            ["INBOX", "A+", missing, "A/B/C", "Z", "Ä & x"]
        );
        assert_eq!(list(&mut store, "%"), ["INBOX", "A+", "Z", "Ä & x"]);
        assert_eq!(list(&mut store, "A/%"), [missing]);
        assert_eq!(list(&mut store, "a*"), Vec::<String>::new());

        let exists = store.create(&name("A"));
        assert!(matches!(exists, Err(Error::Exists { .. })), "{exists:?}");
        put(&mut store, "A/B/C", "deep");
        let before = store.status(&name("A/B/C")).unwrap();
        store.rename(&name("A"), &name("N/M")).unwrap();
        assert_eq!(
            store.status(&name("N/M/B/C")).unwrap(),
            before,
            "{location}"
        );
        let top = if has_levels(location) { "N!+" } else { "N?+" };
        assert_eq!(list(&mut store, "N%"), [top]);
        assert!(matches!(
            store.status(&name("A")),
            Err(Error::NotFound { .. })
        ));
        assert!(matches!(
            store.rename(&name("A"), &name("B")),
            Err(Error::NotFound { .. })
        ));
        assert!(matches!(
            store.rename(&name("Z"), &name("N/M")),
            Err(Error::Exists { .. })
        ));
        let under = store.rename(&name("N"), &name("N/M/X"));
        assert!(matches!(under, Err(Error::NotPossible { .. })), "{under:?}");
        assert!(matches!(
            store.rename(&name("Z"), &name("INBOX")),
            Err(Error::Exists { .. })
        ));

        store.delete(&name("N/M")).unwrap();
        let again = store.delete(&name("N/M"));
        assert!(
            matches!(
                again,
                Err(Error::NotFound { .. } | Error::NotPossible { .. })
            ),
            "{again:?}"
        );
        assert_eq!(
            store.status(&name("N/M/B/C")).unwrap(),
            before,
            "children stay"
        );
        store.delete(&name("N/M/B/C")).unwrap();
        assert!(store.delete(&name("INBOX")).is_err());
        // A new mailbox of the same name is another one.
        store.create(&name("N/M/B/C")).unwrap();
        let after = store.status(&name("N/M/B/C")).unwrap();
        assert_eq!(after.messages, 0);
        assert!(after.uid_validity > before.uid_validity, "{location}");
        assert!(!rig.path("Maildir/..DOVECOT-TRASHED").exists());
        for root in ["Maildir", "idx"] {
            assert!(!rig.path(root).join("mailboxes.lock").exists());
        }
    }
}

#[test]
fn renaming_inbox_moves_its_messages() {
    let rig = Rig::new(LAYOUTS[0]);
    let mut store = rig.store();
    put(&mut store, "INBOX", "a");
    put(&mut store, "INBOX", "b");
    store.create(&name("INBOX/child")).unwrap();
    store.rename(&name("INBOX"), &name("Old")).unwrap();
    assert_eq!(store.status(&name("INBOX")).unwrap().messages, 0);
    assert_eq!(store.status(&name("Old")).unwrap().messages, 2);
    assert_eq!(list(&mut store, "*"), ["INBOX+", "INBOX/child", "Old"]);
}

#[test]
fn names_that_lead_nowhere() {
    for location in LAYOUTS {
        let rig = Rig::new(location);
        let mut store = rig.store();
        for bad in ["../x", "/etc", "a//b", "a/", "~root", "a/../../b", "."] {
            let made = store.create(&name(bad));
            assert!(
                matches!(made, Err(Error::InvalidName { .. })),
                "{location} {bad}: {made:?}"
            );
            assert!(store.open(&name(bad), Access::ReadOnly).is_err());
        }
        let missing = store.open(&name("missing"), Access::ReadOnly).map(drop);
        assert!(matches!(missing, Err(Error::NotFound { .. })));
        assert!(matches!(
            store.begin_save(&name("missing")).map(drop),
            Err(Error::NotFound { .. })
        ));
    }
}

#[test]
fn subscriptions_and_what_is_above_them() {
    for location in LAYOUTS {
        let rig = Rig::new(location);
        let mut store = rig.store();
        for mailbox in ["A/B", "C", "D"] {
            store.create(&name(mailbox)).unwrap();
        }
        for mailbox in ["A/B", "D", "INBOX", "D"] {
            store.subscribe(&name(mailbox)).unwrap();
        }
        assert!(matches!(
            store.subscribe(&name("nope")),
            Err(Error::NotFound { .. })
        ));
        assert_eq!(lsub(&mut store, "*"), ["INBOX*", "A/B*", "D*"]);
        assert_eq!(lsub(&mut store, "%"), ["INBOX*", "A!+", "D*"]);
        store.delete(&name("D")).unwrap();
        assert_eq!(lsub(&mut store, "*"), ["INBOX*", "A/B*", "D?*"]);
        store.unsubscribe(&name("D")).unwrap();
        store.unsubscribe(&name("never")).unwrap();
        assert_eq!(lsub(&mut rig.store(), "*"), ["INBOX*", "A/B*"]);
        let control = if location.contains("CONTROL=") {
            "ctl"
        } else {
            "Maildir"
        };
        let file = std::fs::read(rig.path(control).join("subscriptions")).unwrap();
        assert_eq!(file, b"V\t2\n\nA\tB\nINBOX\n");
    }
}

#[test]
fn mailboxes_that_the_configuration_knows() {
    let mut rig = Rig::new(LAYOUTS[0]);
    let known = |name: &str, auto, special: &str| MailboxSettings {
        name: name.to_owned(),
        auto,
        special_use: vec![special.to_owned()],
        ..MailboxSettings::default()
    };
    rig.settings.namespace[0].mailbox = vec![
        known("Sent", Auto::Subscribe, "\\Sent"),
        known("Trash", Auto::Create, "\\Trash"),
        known("Junk", Auto::No, "\\Junk"),
    ];
    let mut store = rig.store();
    assert_eq!(list(&mut store, "*"), ["INBOX", "Sent*", "Trash"]);
    assert_eq!(lsub(&mut store, "*"), ["Sent*"]);
    assert!(!rig.path("Maildir").exists());
    let entry = store.list(&["Sent".to_owned()]).unwrap().remove(0);
    assert_eq!(entry.special_use[0].0, "\\Sent");
    assert_eq!(store.special_use(&name("Sent")), entry.special_use);
    assert_eq!(store.status(&name("Trash")).unwrap().messages, 0);
    put(&mut store, "Sent", "x");
    assert_eq!(lsub(&mut store, "*"), ["Sent*"]);
    store.unsubscribe(&name("Sent")).unwrap();
    assert_eq!(lsub(&mut store, "*"), Vec::<String>::new());
    assert!(matches!(
        store.status(&name("Junk")),
        Err(Error::NotFound { .. })
    ));
    store.create(&name("Junk")).unwrap();
    assert_eq!(
        store.list(&["J%".to_owned()]).unwrap()[0].special_use[0].0,
        "\\Junk"
    );
}

#[test]
fn several_namespaces() {
    let mut rig = Rig::new(LAYOUTS[0]);
    rig.settings.namespace[0].prefix = "INBOX/".to_owned();
    rig.settings.namespace.push(NamespaceSettings {
        name: "archive".to_owned(),
        prefix: "Archive/".to_owned(),
        separator: "/".to_owned(),
        location: "maildir:~/archive:LAYOUT=fs".to_owned(),
        inbox: false,
        subscriptions: false,
        list: Visibility::Children,
        ..NamespaceSettings::default()
    });
    rig.settings.namespace.push(NamespaceSettings {
        name: "all".to_owned(),
        separator: "/".to_owned(),
        location: "maildir:~/rest".to_owned(),
        inbox: false,
        list: Visibility::No,
        hidden: true,
        ..NamespaceSettings::default()
    });
    let mut store = rig.store();
    let told: Vec<String> = store.namespaces().into_iter().map(|n| n.prefix).collect();
    assert_eq!(told, ["INBOX/", "Archive/"]);
    store.create(&name("inbox/Sub")).unwrap();
    assert!(matches!(
        store.create(&name("INBOX/INBOX")),
        Err(Error::InvalidName { .. })
    ));
    assert_eq!(list(&mut store, "*"), ["INBOX+", "INBOX/Sub"]);
    store.create(&name("Archive/2020")).unwrap();
    assert_eq!(
        list(&mut store, "*"),
        ["INBOX+", "Archive!+", "Archive/2020", "INBOX/Sub"]
    );
    assert_eq!(list(&mut store, "%"), ["INBOX+", "Archive!+"]);
    assert!(rig.path("archive/2020/cur").is_dir() && rig.path("Maildir/.Sub/cur").is_dir());
    // Copies go from one to the other.
    put(&mut store, "INBOX", "x");
    let mut inbox = store.open(&name("INBOX"), Access::ReadWrite).unwrap();
    let all = mailbox::UidSet::from_iter(inbox.uid(mailbox::Seq::MIN));
    assert_eq!(
        store
            .copy(&mut *inbox, &all, &name("Archive/2020"))
            .unwrap()
            .to
            .len(),
        1
    );
    let across = store.rename(&name("Archive/2020"), &name("INBOX/2020"));
    assert!(matches!(across, Err(Error::NotPossible { .. })));
    // No subscriptions of its own: the namespace without prefix keeps them.
    store.subscribe(&name("Archive/2020")).unwrap();
    assert_eq!(lsub(&mut store, "*"), ["Archive/2020*"]);
    let kept = std::fs::read(rig.path("rest/subscriptions")).unwrap();
    assert_eq!(kept, b"V\t2\n\nArchive\t2020\n");
}

#[test]
fn what_cannot_be_configured_is_said() {
    let wrong = |change: fn(&mut NamespaceSettings)| {
        let mut rig = Rig::new(LAYOUTS[0]);
        change(&mut rig.settings.namespace[0]);
        match Storage::open(&rig.shared, &rig.user(), &rig.settings) {
            Err(Error::Config(text)) => text,
            other => panic!("{:?}", other.map(drop)),
        }
    };
    assert!(wrong(|n| n.kind = Kind::Public).contains("public"));
    assert!(wrong(|n| n.kind = Kind::Shared).contains("%%u"));
    assert!(wrong(|n| n.alias_for = Some("nope/".to_owned())).contains("alias_for"));
    assert!(wrong(|n| n.inbox = false).contains("inbox"));
    assert!(wrong(|n| n.disabled = true).contains("inbox"));
    assert!(wrong(|n| n.prefix = "x".to_owned()).contains("prefix"));
    assert!(wrong(|n| n.separator = "ab".to_owned()).contains("separator"));
    assert!(wrong(|n| n.location = "imapc:~/m".to_owned()).contains("imapc"));
    assert!(wrong(|n| n.location = "maildir:%{nope}".to_owned()).contains("nope"));
}

/// A level above mailboxes goes when it is deleted, or with the last mailbox below it.
#[test]
fn levels_without_mail() {
    for location in LAYOUTS.into_iter().filter(|location| has_levels(location)) {
        let rig = Rig::new(location);
        let mut store = rig.store();
        for mailbox in ["A/B", "C/D/E"] {
            store.create(&name(mailbox)).unwrap();
        }
        let refused = store.delete(&name("A"));
        assert!(
            matches!(refused, Err(Error::NotPossible { .. })),
            "{refused:?}"
        );
        store.delete(&name("A/B")).unwrap();
        assert_eq!(list(&mut store, "A*"), ["A!"], "{location}");
        store.delete(&name("A")).unwrap();
        let again = store.delete(&name("A"));
        assert!(matches!(again, Err(Error::NotFound { .. })), "{again:?}");

        let rig = Rig::new(&format!("{location}:NO-NOSELECT"));
        let mut store = rig.store();
        for mailbox in ["A/B", "A/X", "C/D/E"] {
            store.create(&name(mailbox)).unwrap();
        }
        store.delete(&name("C/D/E")).unwrap();
        store.delete(&name("A/B")).unwrap();
        assert_eq!(list(&mut store, "*"), ["INBOX", "A!+", "A/X"], "{location}");
    }
}

/// A CREATE, RENAME or DELETE that fails leaves what was there, and nothing half made.
#[test]
fn every_call_fails_once() {
    type Act = fn(&mut Storage) -> Result<(), Error>;
    let acts: [(&str, Act); 4] = [
        ("create", |store| store.create(&name("New/Box"))),
        ("rename", |store| store.rename(&name("A"), &name("Renamed"))),
        ("subscribe", |store| store.subscribe(&name("A"))),
        ("delete", |store| store.delete(&name("Gone"))),
    ];
    let others = [
        "sdbox:~/Maildir",
        "mdbox:~/Maildir",
        "sdbox:~/Maildir:LAYOUT=index",
    ];
    for location in [&LAYOUTS[..3], &others].concat() {
        let prepared = Rig::new(location);
        let mut store = prepared.store();
        for mailbox in ["A", "A/B", "Gone"] {
            store.create(&name(mailbox)).unwrap();
            put(&mut store, mailbox, mailbox);
        }
        for (what, act) in acts {
            for nth in 1.. {
                let mut rig = prepared.again();
                let mut store = rig.store();
                let before = list(&mut store, "*");
                let faults = Arc::new(FaultyFs::new(Fault::None));
                rig.shared = Shared::new(Fs::new(Arc::clone(&faults) as _));
                let mut failing = rig.store();
                faults.set(Fault::Once { nth, errno: 28 });
                let result = act(&mut failing);
                let reached = faults.calls().len() >= nth;
                faults.set(Fault::None);
                let after = list(&mut store, "*");
                let at = format!("{location} {what} {nth}: {result:?}: {after:?}");
                // Out of sight, in sight: these two are done before the directory is synced.
                if result.is_err() && !["delete", "subscribe"].contains(&what) {
                    assert_eq!(after, before, "{at}");
                }
                if result.is_ok() {
                    assert_ne!(after, before, "{at}");
                }
                let mut look = rig.store();
                let messages: u32 = after
                    .iter()
                    .filter(|entry| !entry.contains(['!', '?']))
                    .map(|entry| name(entry.trim_end_matches(['+', '*'])))
                    .map(|name| match look.status(&name) {
                        Ok(status) => status.messages,
                        // The index knows already, the directory is still there.
                        Err(Error::NotFound { .. }) if what == "delete" => 0,
                        Err(error) => panic!("{at}: {error}"),
                    })
                    .sum();
                assert!(messages == 3 || what == "delete" && messages == 2, "{at}");
                // The same again works.
                let again = act(&mut rig.store());
                // An empty level that stays can be deleted too.
                let level = after.iter().any(|entry| entry == "Gone!");
                let gone = what == "delete" && after != before && !level;
                assert_eq!(
                    again.is_ok(),
                    (result.is_err() && !gone) || what == "subscribe" || level,
                    "{at}: {again:?}"
                );
                if !reached {
                    break;
                }
            }
        }
    }
}

/// Where mailboxes are files, a name is a mailbox or a level, never both.
#[test]
fn mailboxes_that_are_files() {
    for location in [
        "mbox:~/mail",
        "mbox:~/mail:INBOX=~/in:INDEX=~/idx:CONTROL=~/ctl",
    ] {
        let rig = Rig::new(location);
        let mut store = rig.store();
        for mailbox in ["A", "B/C", "B/D"] {
            store.create(&name(mailbox)).unwrap();
            put(&mut store, mailbox, "Subject: x\n\nx\n");
        }
        assert!(rig.path("mail/A").is_file() && rig.path("mail/B/C").is_file());
        assert_eq!(list(&mut store, "*"), ["INBOX", "A", "B!+", "B/C", "B/D"]);
        let entries = store.list(&["%".to_owned()]).unwrap();
        let files: Vec<bool> = entries.iter().map(|entry| entry.no_inferiors).collect();
        assert_eq!(files, [false, true, false]);
        let below = store.create(&name("A/x"));
        assert!(matches!(below, Err(Error::NotPossible { .. })), "{below:?}");
        let level = store.create(&name("B"));
        assert!(matches!(level, Err(Error::NotPossible { .. })), "{level:?}");
        let under = store.rename(&name("B/C"), &name("A/x"));
        assert!(matches!(under, Err(Error::NotPossible { .. })), "{under:?}");
        for internal in [".imap", "a/.imap", "x.lock", ".subscriptions"] {
            assert!(matches!(
                store.create(&name(internal)),
                Err(Error::InvalidName { .. })
            ));
        }

        // Index files move along, and go along.
        let before = store.status(&name("B/C")).unwrap();
        store.rename(&name("B"), &name("N/M")).unwrap();
        assert_eq!(store.status(&name("N/M/C")).unwrap(), before, "{location}");
        store.delete(&name("N/M/C")).unwrap();
        store.delete(&name("N/M/D")).unwrap();
        assert_eq!(list(&mut store, "N*"), ["N!+", "N/M!"]);
        store.delete(&name("N/M")).unwrap();
        store.delete(&name("N")).unwrap();
        assert_eq!(list(&mut store, "*"), ["INBOX", "A"]);
        assert!(!rig.path("mail/N").exists());
    }
}
