//! Many mailboxes, one inotify instance and one thread. Alone in its process: it counts them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Counter, Rig, place, view};
use format_maildir::settings::Options;
use format_maildir::{Maildir, Watcher};
use mailbox::{Access, Context, Expunges, Mailbox, MailboxName, Settings};
use rustix::event::{PollFd, PollFlags, poll};
use sys::fs::Fs;

/// More than a user has instances.
const MAILBOXES: usize = 300;

fn instances() -> usize {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = fds.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    links
        .filter(|link| link.as_os_str() == "anon_inode:inotify")
        .count()
}

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name == b"watch\n").count()
}

#[test]
fn three_hundred_mailboxes_share_one_instance() {
    let rig = Rig::new();
    let watcher = Watcher::new();
    let open = |number: usize| {
        let context = Context {
            fs: Fs::real(),
            place: place(rig.home.path().join(number.to_string())),
            name: MailboxName::new("INBOX").unwrap(),
            settings: Settings::default(),
            uid_validities: Arc::new(Counter::default()),
        };
        let maildir = Maildir::new(context, Options::default());
        let maildir = Arc::new(maildir.watched_by(Arc::clone(&watcher)));
        maildir.create_dirs().unwrap();
        view(&maildir, Access::ReadWrite)
    };
    let mut views: Vec<_> = (0..MAILBOXES).map(open).collect();
    // A session that does not wait costs nothing.
    assert_eq!((instances(), threads()), (0, 0));
    for view in &mut views {
        assert!(view.change_fd().is_some());
        view.sync(Expunges::Show).unwrap();
    }
    assert_eq!((instances(), threads()), (1, 1));
    for number in [0, 150, 299] {
        let message = rig.home.path().join(format!("{number}/new/1.M1P1.mta"));
        std::fs::write(message, "x\n").unwrap();
        let view = &mut views[number];
        let fd = view.change_fd().unwrap();
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
        assert_eq!(view.sync(Expunges::Show).unwrap().len(), 1);
    }
    // Nobody else was disturbed.
    let fds: Vec<_> = views.iter().map(|view| view.change_fd().unwrap()).collect();
    let mut all: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::new(fd, PollFlags::IN))
        .collect();
    assert_eq!(poll(&mut all, Some(&Default::default())).unwrap(), 0);
    drop(all);
    drop(fds);

    views.truncate(1);
    assert_eq!(instances(), 1);
    views.clear();
    let until = Instant::now() + Duration::from_secs(20);
    while (instances(), threads()) != (0, 0) {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
    // And it comes back.
    let view = open(0);
    assert!(view.change_fd().is_some());
    assert_eq!(instances(), 1);
}
