//! `lock_method`: whoever shares the files is kept out by the same kind of lock, and by no other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use mailbox::{Access, FlagChange, Flags, MailStore, MailboxName, Uid, UidSet};
use storage::{LockMethod, MailUser, Settings, Shared, Storage};
use sys::fs::{Fs, How, Lock, LockMethod as Method};

const FORMATS: [&str; 4] = [
    "maildir:~/mail",
    "sdbox:~/mail",
    "mdbox:~/mail",
    "mbox:~/mail",
];

fn open(home: &Path, location: &str, lock_method: LockMethod) -> Storage {
    let settings = Settings {
        mail_location: location.to_owned(),
        mailbox_list_index: false,
        lock_method,
        ..Settings::default()
    };
    let user = MailUser {
        name: "tester".to_owned(),
        home: Some(home.to_str().unwrap().to_owned()),
        variables: Vec::new(),
    };
    Storage::open(&Shared::new(Fs::real()), &user, &settings).unwrap()
}

/// Another process that holds a lock of the log gives it back only when our change waits for it, or never has to.
#[test]
fn changes_wait_for_the_lock_that_is_agreed_on() {
    for location in FORMATS {
        let home = tempfile::tempdir().unwrap();
        let mut store = open(home.path(), location, LockMethod::Flock);
        let inbox = MailboxName::new("INBOX").unwrap();
        let mut save = store.begin_save(&inbox).unwrap();
        save.save(&mailbox::NewMail::default(), &mut &b"Subject: x\n\ny\n"[..])
            .unwrap();
        save.commit().unwrap();
        let log = store
            .place(&inbox)
            .unwrap()
            .index
            .unwrap()
            .join("dovecot.index.log");
        let mut view = store.open(&inbox, Access::ReadWrite).unwrap();
        let uids: UidSet = [Uid::MIN].into_iter().collect();
        let seen = FlagChange::Add(Flags::SEEN, Vec::new());

        let other = Fs::real().open(&log, How::ReadWrite, 0).unwrap();
        other.try_fcntl(Lock::Exclusive).unwrap();
        view.store_flags(&uids, &seen).unwrap();

        let other = Fs::real()
            .locking_by(Method::Flock)
            .open(&log, How::ReadWrite, 0)
            .unwrap();
        other.try_lock(Lock::Exclusive).unwrap();
        let waiter = std::thread::spawn(move || {
            view.store_flags(&uids, &FlagChange::Remove(Flags::SEEN, Vec::new()))
                .map(|()| view)
        });
        std::thread::yield_now();
        assert!(!waiter.is_finished(), "{location}");
        other.try_lock(Lock::Unlock).unwrap();
        assert!(waiter.join().unwrap().is_ok(), "{location}");
    }
}
