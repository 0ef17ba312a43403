//! Sessions that wait: who is woken by what, and that nothing is slept through.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use common::{Rig, save, set, settle};
use format_maildir::View;
use mailbox::{Access, Change, Error, Expunges, FlagChange, Flags, Mailbox, Seq};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::fs::faulty::Fault;

/// Longer than anything takes.
const LONG: i64 = 20;

fn waits_up_to(fd: impl AsFd, seconds: i64) -> bool {
    let limit = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)).unwrap() == 1
}

/// A view that has been told everything, and its event.
fn idle(rig: &Rig) -> (View, OwnedFd) {
    let mut view = rig.view();
    let fd = view.change_fd().unwrap().try_clone_to_owned().unwrap();
    view.sync(Expunges::Show).unwrap();
    (view, fd)
}

/// As an MTA does it.
fn deliver(rig: &Rig, name: &str) {
    let (tmp, new) = (
        rig.dir().join("tmp").join(name),
        rig.dir().join("new").join(name),
    );
    std::fs::write(&tmp, "x\n").unwrap();
    std::fs::rename(tmp, new).unwrap();
}

fn add(flag: Flags) -> FlagChange {
    FlagChange::Add(flag, vec![])
}

fn seq(number: u32) -> Seq {
    Seq::new(number).unwrap()
}

#[test]
fn every_session_hears_of_a_delivery() {
    let rig = Rig::new();
    let mut sessions = [idle(&rig), idle(&rig)];
    for messages in 1..4 {
        deliver(&rig, &format!("{messages}.M1P1.mta"));
        for (view, fd) in &mut sessions {
            assert!(waits_up_to(&*fd, LONG));
            let told = view.sync(Expunges::Show).unwrap();
            assert!(matches!(told[..], [Change::Grown { messages: now, .. }] if now == messages));
        }
    }
    // A flag that another process sets.
    rig.other()
        .store_flags(&set(&[2]), &add(Flags::FLAGGED))
        .unwrap();
    for (view, fd) in &mut sessions {
        assert!(waits_up_to(&*fd, LONG));
        assert_eq!(
            view.sync(Expunges::Show).unwrap(),
            [Change::Flags { seq: seq(2) }]
        );
    }
}

#[test]
fn sessions_of_a_process_hear_of_each_other_at_once() {
    let rig = Rig::new();
    save(&rig.maildir, "a", Flags::empty(), &[]).unwrap();
    let ((mut one, its), (mut two, other)) = (idle(&rig), idle(&rig));
    one.store_flags(&set(&[1]), &add(Flags::SEEN)).unwrap();
    // Without help from the kernel: it is readable already.
    assert!(waits_up_to(&other, 0));
    one.sync(Expunges::Show).unwrap();
    assert_eq!(
        two.sync(Expunges::Show).unwrap(),
        [Change::Flags { seq: seq(1) }]
    );
    two.remove(&set(&[1])).unwrap();
    assert!(waits_up_to(&its, 0));
    two.sync(Expunges::Show).unwrap();
    assert_eq!(one.sync(Expunges::Show).unwrap().len(), 1);
    save(&rig.maildir, "b", Flags::empty(), &[]).unwrap();
    assert!(waits_up_to(&its, 0) && waits_up_to(&other, 0));
}

#[test]
fn own_changes_wake_nobody_who_knows_them() {
    let rig = Rig::new();
    for text in ["a", "b", "c"] {
        save(&rig.maildir, text, Flags::empty(), &[]).unwrap();
    }
    let ((mut one, its), (mut two, other)) = (idle(&rig), idle(&rig));
    for _ in 0..3 {
        one.store_flags(&set(&[1, 2]), &add(Flags::SEEN)).unwrap();
        one.remove(&set(&[2])).unwrap();
        one.sync(Expunges::Show).unwrap();
        two.sync(Expunges::Show).unwrap();
    }
    // What the kernel tells comes in order: behind this, nothing of the above is to come.
    deliver(&rig, "9.M1P1.mta");
    assert!(waits_up_to(&its, LONG) && waits_up_to(&other, LONG));
    settle(&rig.dir());
    rig.faults.set(Fault::None);
    one.sync(Expunges::Show).unwrap();
    two.sync(Expunges::Show).unwrap();
    assert!(!waits_up_to(&its, 0) && !waits_up_to(&other, 0));
}

/// Where every change is told, a change of our own leaves no doubt about those of others.
#[test]
fn what_is_watched_is_not_listed_for_fear() {
    let rig = Rig::new();
    save(&rig.maildir, "a", Flags::empty(), &[]).unwrap();
    let (mut view, fd) = idle(&rig);
    let foreign = rig.other();
    for number in 2..5 {
        // Moves the last one from new/ to cur/.
        view.store_flags(&set(&[1]), &FlagChange::Replace(Flags::empty(), vec![]))
            .unwrap();
        view.store_flags(&set(&[1]), &add(Flags::FLAGGED)).unwrap();
        save(&foreign, "b", Flags::empty(), &[]).unwrap();
        assert!(waits_up_to(&fd, LONG));
        rig.faults.set(Fault::None);
        view.sync(Expunges::Show).unwrap();
        assert_eq!(view.len(), number);
        let listed = rig
            .faults
            .calls()
            .into_iter()
            .filter(|call| call.name == "read_dir");
        assert!(
            listed.clone().all(|call| call.path.ends_with("new")),
            "{:?}",
            listed.collect::<Vec<_>>()
        );
    }
    // Not so for changes in cur/ by others.
    foreign.store_flags(&set(&[1]), &add(Flags::DRAFT)).unwrap();
    assert!(waits_up_to(&fd, LONG));
    assert_eq!(
        view.sync(Expunges::Show).unwrap(),
        [Change::Flags { seq: seq(1) }]
    );
}

#[test]
fn what_happens_before_anybody_listens_is_looked_for() {
    let rig = Rig::new();
    let view = rig.view();
    // Between the session's last look and its first wait.
    deliver(&rig, "1.M1P1.mta");
    assert!(waits_up_to(view.change_fd().unwrap(), 0));
    let mut view = view;
    assert_eq!(view.sync(Expunges::Show).unwrap().len(), 1);
}

/// As many deliveries as come, in whatever moment of the session: all are told, and the session
/// never waits while there is one that it was not told of.
#[test]
fn nothing_is_slept_through() {
    const DELIVERIES: u32 = 400;
    let rig = Arc::new(Rig::new());
    let (mut view, fd) = idle(&rig);
    let mta = std::thread::spawn({
        let rig = Arc::clone(&rig);
        move || {
            for number in 0..DELIVERIES {
                if number % 3 == 0 {
                    save(&rig.hasty(), "x", Flags::empty(), &[]).unwrap();
                } else {
                    deliver(&rig, &format!("{number}.M1P1.mta"));
                }
                if number % 7 == 0 {
                    std::thread::yield_now();
                }
            }
        }
    });
    while view.len() < DELIVERIES {
        assert!(
            waits_up_to(&fd, LONG),
            "slept with {} of {DELIVERIES}",
            view.len()
        );
        view.sync(Expunges::Show).unwrap();
    }
    mta.join().unwrap();
    assert_eq!(rig.content().len(), usize::try_from(DELIVERIES).unwrap());
}

#[test]
fn the_end_of_a_mailbox_is_heard_of() {
    let rig = Rig::new();
    let (mut view, fd) = idle(&rig);
    std::fs::remove_dir_all(rig.dir()).unwrap();
    assert!(waits_up_to(&fd, LONG));
    assert!(matches!(
        view.sync(Expunges::Show),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn a_watch_that_is_lost_is_renewed() {
    let rig = Rig::new();
    let (mut view, fd) = idle(&rig);
    // What a restore from a backup does.
    std::fs::rename(rig.dir().join("cur"), rig.dir().join("old")).unwrap();
    std::fs::create_dir(rig.dir().join("cur")).unwrap();
    assert!(waits_up_to(&fd, LONG));
    view.sync(Expunges::Show).unwrap();
    assert!(view.change_fd().is_some());
    view.sync(Expunges::Show).unwrap();
    std::fs::write(rig.dir().join("cur/1.M1P1.mta:2,S"), "x\n").unwrap();
    assert!(waits_up_to(&fd, LONG));
    assert_eq!(view.sync(Expunges::Show).unwrap().len(), 1);
}

#[test]
fn where_nothing_can_be_watched_the_session_looks_itself() {
    let rig = Rig::new();
    let view = common::view(&rig.maildir, Access::ReadOnly);
    std::fs::remove_dir(rig.dir().join("new")).unwrap();
    assert!(view.change_fd().is_none());
    std::fs::create_dir(rig.dir().join("new")).unwrap();
    assert!(view.change_fd().is_some());
}
