//! A descriptor that outlives its process tells of every change that a sync finds, and of nothing else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::os::fd::OwnedFd;

use mailbox::{
    Access, Error, Expunges, FlagChange, Flags, MailStore, MailboxName, NewMail, Seq, UidSet,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use storage::{MailUser, Settings, Shared, Storage};
use sys::fs::Fs;

fn inbox() -> MailboxName {
    MailboxName::new("INBOX").unwrap()
}

/// As another process has it.
fn store(home: &tempfile::TempDir, location: &str) -> Storage {
    let settings = Settings {
        mail_location: location.to_owned(),
        ..Settings::default()
    };
    let user = MailUser {
        name: "demo".to_owned(),
        home: Some(home.path().to_str().unwrap().to_owned()),
        variables: Vec::new(),
    };
    Storage::open(&Shared::new(Fs::real()), &user, &settings).unwrap()
}

fn put(store: &mut Storage) {
    let mut save = store.begin_save(&inbox()).unwrap();
    save.save(&NewMail::default(), &mut &b"Subject: x\n\nx\n"[..])
        .unwrap();
    save.commit().unwrap();
}

/// inotify tells before the call that changes a file returns.
fn tells(watch: &OwnedFd) -> bool {
    poll(
        &mut [PollFd::new(watch, PollFlags::IN)],
        Some(&Timespec::default()),
    )
    .unwrap()
        == 1
}

#[test]
fn every_change_is_told_of_in_every_format() {
    for location in [
        "maildir:~/Maildir",
        "maildir:~/Maildir:INDEX=~/index",
        "sdbox:~/mail",
        "sdbox:~/mail:INDEX=~/index",
        "mdbox:~/mail",
        "mbox:~/mail:INBOX=~/inbox",
    ] {
        let home = tempfile::tempdir().unwrap();
        let (mut ours, mut other) = (store(&home, location), store(&home, location));
        put(&mut ours);
        drop(ours.open(&inbox(), Access::ReadWrite).unwrap());
        let mut watch = || ours.watch(&inbox()).unwrap().unwrap();

        let delivery = watch();
        assert!(!tells(&delivery), "{location}: nothing has happened");
        put(&mut other);
        assert!(tells(&delivery), "{location}: a delivery");

        let flags = watch();
        let mut view = other.open(&inbox(), Access::ReadWrite).unwrap();
        let first: UidSet = view.uid(Seq::MIN).into_iter().collect();
        view.store_flags(&first, &FlagChange::Add(Flags::FLAGGED, Vec::new()))
            .unwrap();
        view.sync(Expunges::Show).unwrap();
        assert!(tells(&flags), "{location}: flags");

        let expunge = watch();
        view.remove(&first).unwrap();
        view.sync(Expunges::Show).unwrap();
        assert!(tells(&expunge), "{location}: an expunge");
    }
}

#[test]
fn reading_wakes_nobody() {
    for location in ["maildir:~/Maildir", "sdbox:~/mail", "mdbox:~/mail"] {
        let home = tempfile::tempdir().unwrap();
        let (mut ours, mut other) = (store(&home, location), store(&home, location));
        put(&mut ours);
        drop(ours.open(&inbox(), Access::ReadWrite).unwrap());
        let watch = ours.watch(&inbox()).unwrap().unwrap();
        let mut view = other.open(&inbox(), Access::ReadOnly).unwrap();
        let mut bytes = Vec::new();
        view.mail(Seq::MIN)
            .unwrap()
            .body()
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        other.status(&inbox()).unwrap();
        assert!(!tells(&watch), "{location}");
    }
}

#[test]
fn what_nobody_can_watch_is_said() {
    let home = tempfile::tempdir().unwrap();
    let mut store = store(&home, "maildir:~/Maildir");
    let gone = store.watch(&MailboxName::new("gone").unwrap());
    assert!(matches!(gone, Err(Error::Syscall { .. })), "{gone:?}");
}
