//! Sessions that wait for changes of mailboxes whose format does not tell of them. Alone in its process:
//! it counts inotify instances.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use mailbox::{Access, Change, Error, Expunges, MailStore, Mailbox, MailboxName, NewMail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use storage::{MailUser, Settings, Shared, Storage};
use sys::fs::Fs;

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

fn store(shared: &Arc<Shared>, home: &tempfile::TempDir, location: &str) -> Storage {
    let settings = Settings {
        mail_location: location.to_owned(),
        ..Settings::default()
    };
    let user = MailUser {
        name: "demo".to_owned(),
        home: Some(home.path().to_str().unwrap().to_owned()),
        variables: Vec::new(),
    };
    Storage::open(shared, &user, &settings).unwrap()
}

fn put(store: &mut Storage, mailbox: &str) {
    let name = name(mailbox);
    let mut save = store.begin_save(&name).unwrap();
    save.save(&NewMail::default(), &mut &b"Subject: x\n\nx\n"[..])
        .unwrap();
    save.commit().unwrap();
}

/// Waits as IDLE does.
fn is_woken(view: &dyn Mailbox) -> bool {
    let limit = Timespec {
        tv_sec: 20,
        tv_nsec: 0,
    };
    let fd = view.change_fd().unwrap();
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)).unwrap() == 1
}

fn instances() -> usize {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = fds.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    links
        .filter(|link| link.as_os_str() == "anon_inode:inotify")
        .count()
}

/// Syncs, and waits for more, until the view has `messages`.
fn comes_to(view: &mut dyn Mailbox, messages: u32) {
    while view.len() < messages {
        assert!(is_woken(view));
        view.sync(Expunges::Show).unwrap();
    }
}

#[test]
fn sessions_hear_of_each_other_and_of_others() {
    for location in [
        "sdbox:~/mail",
        "sdbox:~/mail:INDEX=~/index",
        "mdbox:~/mail",
        "mbox:~/mail",
        "mbox:~/mail:INDEX=~/index:INBOX=~/inbox",
    ] {
        let home = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Shared::new(Fs::real()), Shared::new(Fs::real()));
        let mut one = store(&ours, &home, location);
        let mut two = store(&ours, &home, location);
        let mut other = store(&theirs, &home, location);
        one.create(&name("Box")).unwrap();
        let mut views = Vec::new();
        for mailbox in ["INBOX", "Box"] {
            let mut view = one.open(&name(mailbox), Access::ReadWrite).unwrap();
            assert!(view.change_fd().is_some(), "{location}");
            view.sync(Expunges::Show).unwrap();
            views.push(view);
        }
        assert_eq!(instances(), 1, "{location}");
        for (view, mailbox) in views.iter_mut().zip(["INBOX", "Box"]) {
            put(&mut two, mailbox);
            comes_to(&mut **view, 1);
            put(&mut other, mailbox);
            comes_to(&mut **view, 2);
        }
        // What goes is told of too.
        let mut view = two.open(&name("Box"), Access::ReadWrite).unwrap();
        let first = view.uid(mailbox::Seq::MIN).into_iter().collect();
        view.remove(&first).unwrap();
        let changes = loop {
            assert!(is_woken(&*views[1]));
            let changes = views[1].sync(Expunges::Show).unwrap();
            if !changes.is_empty() {
                break changes;
            }
        };
        assert!(
            matches!(changes[..], [Change::Expunged { .. }]),
            "{changes:?}"
        );
        drop(view);
        other.delete(&name("Box")).unwrap();
        loop {
            assert!(is_woken(&*views[1]), "{location}");
            match views[1].sync(Expunges::Show) {
                Ok(_) => {}
                Err(Error::NotFound { .. }) => break,
                Err(error) => panic!("{location}: {error}"),
            }
        }
        drop(views);
        // The thread ends, and the instance with it.
        while instances() > 0 {
            std::thread::yield_now();
        }
    }
}
