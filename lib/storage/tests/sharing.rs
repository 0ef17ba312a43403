//! What the sessions of a worker share, and what a session costs before it asks for anything.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use mailbox::{Access, Error, Expunges, MailStore, Mailbox, MailboxName, NewMail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use storage::{MailUser, Settings, Shared, Storage};
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};

struct Rig {
    home: tempfile::TempDir,
    faults: Arc<FaultyFs>,
    shared: Arc<Shared>,
}

impl Rig {
    fn new() -> Self {
        let faults = Arc::new(FaultyFs::new(Fault::None));
        Self {
            home: tempfile::tempdir().unwrap(),
            shared: Shared::new(Fs::new(Arc::clone(&faults) as _)),
            faults,
        }
    }

    fn store(&self) -> Storage {
        let settings = Settings {
            mail_location: "maildir:~/Maildir".to_owned(),
            ..Settings::default()
        };
        let user = MailUser {
            name: "demo".to_owned(),
            home: Some(self.home.path().to_str().unwrap().to_owned()),
            variables: Vec::new(),
        };
        Storage::open(&self.shared, &user, &settings).unwrap()
    }

    /// The calls of `act`, with the last part of their paths.
    fn calls(&self, act: impl FnOnce()) -> Vec<String> {
        self.faults.set(Fault::None);
        act();
        let calls = self.faults.calls().into_iter();
        let name = |path: &std::path::Path| Some(path.file_name()?.to_str()?.to_owned());
        calls
            .map(|call| format!("{} {}", call.name, name(&call.path).unwrap_or_default()))
            .collect()
    }
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

fn put(store: &mut Storage, mailbox: &str) {
    let name = name(mailbox);
    let mut save = store.begin_save(&name).unwrap();
    save.save(&NewMail::default(), &mut &b"x\n"[..]).unwrap();
    save.commit().unwrap();
}

/// Is it woken by now, or within moments?
fn is_woken(mailbox: &dyn Mailbox) -> bool {
    let limit = Timespec {
        tv_sec: 20,
        tv_nsec: 0,
    };
    let fd = mailbox.change_fd().unwrap();
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)).unwrap() == 1
}

fn idle(store: &mut Storage, mailbox: &str) -> Box<dyn Mailbox> {
    let mut opened = store.open(&name(mailbox), Access::ReadWrite).unwrap();
    assert!(opened.change_fd().is_some());
    opened.sync(Expunges::Show).unwrap();
    opened
}

#[test]
fn a_session_that_asks_for_nothing_touches_nothing() {
    let rig = Rig::new();
    assert_eq!(rig.calls(|| drop(rig.store())), [""; 0]);
    assert!(!rig.home.path().join("Maildir").exists());
}

#[test]
fn a_known_mailbox_is_selected_with_four_stats() {
    let rig = Rig::new();
    let mut store = rig.store();
    put(&mut store, "INBOX");
    let inbox = name("INBOX");
    drop(store.open(&inbox, Access::ReadWrite).unwrap());
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for part in ["new", "cur"] {
        let dir = std::fs::File::open(rig.home.path().join("Maildir").join(part)).unwrap();
        dir.set_modified(past).unwrap();
    }
    drop(store.open(&inbox, Access::ReadWrite).unwrap());
    // Another session of the user.
    let mut another = rig.store();
    let stats = [
        "stat dovecot.index.log",
        "stat dovecot-uidlist",
        "stat new",
        "stat cur",
    ];
    let select = || drop(another.open(&inbox, Access::ReadWrite).unwrap());
    assert_eq!(rig.calls(select), stats);
    assert_eq!(rig.calls(|| assert!(another.status(&inbox).is_ok())), stats);
}

#[test]
fn what_one_session_does_wakes_the_others() {
    let rig = Rig::new();
    let (mut one, mut two) = (rig.store(), rig.store());
    for mailbox in ["Old", "Other"] {
        one.create(&name(mailbox)).unwrap();
    }
    for mailbox in ["INBOX", "Old"] {
        let mut waiting = idle(&mut two, mailbox);
        put(&mut one, mailbox);
        assert!(is_woken(&*waiting));
        assert_eq!(waiting.sync(Expunges::Show).unwrap().len(), 1);
    }
    let mut renamed = idle(&mut two, "Old");
    one.rename(&name("Old"), &name("New")).unwrap();
    assert!(is_woken(&*renamed));
    let gone = |result| matches!(result, Err(Error::NotFound { .. }));
    assert!(gone(renamed.sync(Expunges::Show)));
    let mut deleted = idle(&mut two, "Other");
    one.delete(&name("Other")).unwrap();
    assert!(is_woken(&*deleted));
    assert!(gone(deleted.sync(Expunges::Show)));
}

#[test]
fn mailboxes_of_all_sessions_have_one_inotify_instance() {
    let rig = Rig::new();
    let mut store = rig.store();
    let open: Vec<_> = (0..20)
        .map(|number| {
            let mailbox = format!("m{number}");
            store.create(&name(&mailbox)).unwrap();
            idle(&mut store, &mailbox)
        })
        .collect();
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = fds.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    let instances = links.filter(|link| link.as_os_str() == "anon_inode:inotify");
    // The other test that waits has one, too.
    assert!((1..=2).contains(&instances.count()));
    drop(open);
}
