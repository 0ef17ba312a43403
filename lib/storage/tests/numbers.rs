//! LIST and STATUS of many mailboxes by the list index: what is unchanged is not opened, and what somebody
//! changed is told as it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use mailbox::{Access, Expunges, Flags, MailStore, MailboxName, NewMail, Status};
use storage::{MailUser, NamespaceSettings, Settings, Shared, Storage};
use sys::fs::Fs;
use sys::fs::faulty::{Call, Fault, FaultyFs};

const LOCATIONS: [&str; 6] = [
    "maildir:~/mail:LAYOUT=fs",
    "sdbox:~/mail",
    "mdbox:~/mail",
    "mdbox:~/mail:INDEX=~/index",
    "mdbox:~/mail:LAYOUT=index",
    "mbox:~/mail:INDEX=~/index",
];

struct Rig {
    home: tempfile::TempDir,
    settings: Settings,
    calls: Arc<FaultyFs>,
    shared: Arc<Shared>,
}

impl Rig {
    fn new(location: &str) -> Self {
        let settings = Settings {
            mail_location: location.to_owned(),
            mail_fsync: storage::Fsync::Never,
            namespace: vec![NamespaceSettings {
                separator: "/".to_owned(),
                ..Default::default()
            }],
            ..Settings::default()
        };
        let calls = Arc::new(FaultyFs::new(Fault::None));
        Self {
            home: tempfile::tempdir().unwrap(),
            settings,
            shared: Shared::new(Fs::new(Arc::clone(&calls) as _)),
            calls,
        }
    }

    fn user(&self) -> MailUser {
        MailUser {
            name: "tester".to_owned(),
            home: Some(self.home.path().to_str().unwrap().to_owned()),
            variables: Vec::new(),
        }
    }

    fn store(&self) -> Storage {
        Storage::open(&self.shared, &self.user(), &self.settings).unwrap()
    }

    /// A session in another process.
    fn other(&self) -> Storage {
        Storage::open(&Shared::new(Fs::real()), &self.user(), &self.settings).unwrap()
    }

    /// Our process has just started.
    fn restart(&mut self) {
        self.shared = Shared::new(Fs::new(Arc::clone(&self.calls) as _));
    }

    /// What a session calls meanwhile.
    fn counted<T>(
        &self,
        store: &mut Storage,
        act: impl FnOnce(&mut Storage) -> T,
    ) -> (T, Vec<Call>) {
        self.calls.set(Fault::None);
        let result = act(store);
        (result, self.calls.calls())
    }
}

fn name(name: &str) -> MailboxName {
    MailboxName::new(name).unwrap()
}

fn save(store: &mut Storage, mailbox: &str) {
    let mut save = store.begin_save(&name(mailbox)).unwrap();
    save.save(&NewMail::default(), &mut &b"Subject: x\r\n\r\nbody\r\n"[..])
        .unwrap();
    save.commit().unwrap();
}

/// As somebody says who opens it.
fn truth(rig: &Rig, mailbox: &str) -> Status {
    let view = rig.other().open(&name(mailbox), Access::ReadOnly).unwrap();
    view.status()
}

/// Nobody touched the directories of Maildirs for an hour: what happened within this second could be missed.
fn age(dir: &Path) {
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
            if ["new", "cur"].iter().any(|part| path.ends_with(part)) {
                let dir = std::fs::File::open(&path).unwrap();
                dir.set_modified(past).unwrap();
            }
        }
    }
}

fn is_list_index(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("dovecot.list.index"))
}

#[test]
fn a_thousand_unchanged_mailboxes_are_not_opened() {
    for location in LOCATIONS {
        // Making them takes time: fewer will do for the others.
        let many = if location.starts_with("sdbox") {
            1000
        } else {
            100
        };
        let mut rig = Rig::new(location);
        let names: Vec<String> = (0..many).map(|n| format!("lists/box {n}")).collect();
        {
            let mut store = rig.store();
            for mailbox in &names {
                store.create(&name(mailbox)).unwrap();
            }
            for mailbox in names.iter().step_by(10) {
                save(&mut store, mailbox);
            }
        }
        age(rig.home.path());
        for mailbox in &names {
            rig.store().status(&name(mailbox)).unwrap();
        }
        rig.restart();
        let mut store = rig.store();
        let (entries, listed) = rig.counted(&mut store, |store| {
            store.list(&["lists/*".to_owned()]).unwrap()
        });
        assert_eq!(entries.len(), many);
        let opened = listed.iter().filter(|call| call.name == "open");
        for call in opened {
            let is_subscriptions = call.path.to_string_lossy().ends_with("subscriptions");
            assert!(is_list_index(&call.path) || is_subscriptions, "{call:?}");
        }
        let (statuses, asked) = rig.counted(&mut store, |store| {
            let statuses = names.iter().map(|mailbox| store.status(&name(mailbox)));
            statuses.collect::<Result<Vec<Status>, _>>().unwrap()
        });
        for (at, status) in statuses.iter().enumerate() {
            assert_eq!(status.messages, u32::from(at % 10 == 0), "{}", names[at]);
        }
        // The log of the list index, where it tells the place of a mailbox once more; that of the mailbox,
        // and the file of an mbox or two directories of a Maildir.
        let each = match location {
            _ if location.starts_with("maildir") => 4,
            _ if location.starts_with("mbox") || location.contains("LAYOUT=index") => 3,
            _ => 2,
        };
        let others = asked.iter().filter(|call| call.name != "stat");
        assert_eq!(
            others.collect::<Vec<_>>(),
            Vec::<&Call>::new(),
            "{location}"
        );
        assert_eq!(asked.len(), many * each, "{location}");
    }
}

#[test]
fn what_somebody_changed_is_told() {
    for location in LOCATIONS {
        let rig = Rig::new(location);
        let mut store = rig.store();
        store.create(&name("A/B")).unwrap();
        save(&mut store, "A/B");
        save(&mut store, "A/B");
        let before = store.status(&name("A/B")).unwrap();
        assert_eq!((before.messages, before.unseen), (2, 2));

        let mut other = rig.other();
        save(&mut other, "A/B");
        assert_eq!(store.status(&name("A/B")).unwrap(), truth(&rig, "A/B"));
        assert_eq!(store.status(&name("A/B")).unwrap().messages, 3);

        {
            let mut view = other.open(&name("A/B"), Access::ReadWrite).unwrap();
            let first = [view.uid(mailbox::Seq::MIN).unwrap()].into_iter().collect();
            let seen = mailbox::FlagChange::Add(Flags::SEEN, Vec::new());
            view.store_flags(&first, &seen).unwrap();
            view.sync(Expunges::Show).unwrap();
        }
        let told = store.status(&name("A/B")).unwrap();
        assert_eq!((told.messages, told.unseen, told.recent), (3, 2, 0));

        // Another one in its place, by the same name.
        other.delete(&name("A/B")).unwrap();
        assert!(store.status(&name("A/B")).is_err(), "{location}");
        other.create(&name("A/B")).unwrap();
        let again = store.status(&name("A/B")).unwrap();
        assert_eq!(again, truth(&rig, "A/B"));
        assert_ne!(again.uid_validity, before.uid_validity);

        save(&mut other, "A/B");
        other.rename(&name("A/B"), &name("C")).unwrap();
        assert_eq!(store.status(&name("C")).unwrap(), truth(&rig, "C"));
        assert!(store.status(&name("A/B")).is_err(), "{location}");
    }
}

/// Files that make no sense are made anew; whoever cannot write them answers all the same.
#[test]
fn a_damaged_list_index_costs_nothing_but_time() {
    let rig = Rig::new("sdbox:~/mail");
    let mut store = rig.store();
    for mailbox in ["A", "B", "C/D"] {
        store.create(&name(mailbox)).unwrap();
        save(&mut store, mailbox);
    }
    let all = store.list(&["*".to_owned()]).unwrap();
    for file in ["dovecot.list.index", "dovecot.list.index.log"] {
        for damage in [&b""[..], &b"\x01"[..], &[0; 300], &[0xff; 300]] {
            std::fs::write(rig.home.path().join("mail").join(file), damage).unwrap();
            let mut fresh = rig.other();
            assert_eq!(fresh.status(&name("A")).unwrap().messages, 1);
            assert_eq!(fresh.list(&["*".to_owned()]).unwrap(), all);
            assert_eq!(store.status(&name("C/D")).unwrap().messages, 1);
            assert_eq!(store.list(&["*".to_owned()]).unwrap(), all);
        }
    }
}
