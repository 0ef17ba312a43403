//! Every system call of every change fails once, or is the last one before a kill, or meets a full
//! disk: nothing acknowledged is lost, nothing is there twice, no UID moves, and what was refused is
//! not there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Content, Rig, all, content, save, set, view};
use dbox::Place;
use format_sdbox::Sdbox;
use format_sdbox::rebuild::Mode;
use mailbox::{Access, Error, FlagChange, Flags, Keyword, Mailbox, NewMail, StoredMailbox};
use sys::fs::faulty::Fault;

/// What is tried.
struct Case {
    name: &'static str,
    run: fn(&Arc<Sdbox>) -> Result<(), Error>,
}

fn session(sdbox: &Arc<Sdbox>) -> Result<Box<dyn Mailbox>, Error> {
    Arc::clone(sdbox).open(&common::name("INBOX"), Access::ReadWrite)
}

const CASES: [Case; 8] = [
    Case {
        name: "save",
        run: |sdbox| save(sdbox, "new\r\n", Flags::empty(), &[]).map(drop),
    },
    Case {
        name: "save with flags",
        run: |sdbox| save(sdbox, "new\r\n", Flags::SEEN, &["fresh"]).map(drop),
    },
    Case {
        name: "save two",
        run: |sdbox| {
            let mut saving = Arc::clone(sdbox).begin_save()?;
            for _ in 0..2 {
                saving.save(&NewMail::default(), &mut &b"new\r\n"[..])?;
            }
            saving.commit().map(drop)
        },
    },
    Case {
        name: "store",
        run: |sdbox| {
            let keyword = Keyword::new("fresh").unwrap();
            let change = FlagChange::Add(Flags::FLAGGED, vec![keyword]);
            session(sdbox)?.store_flags(&set(&[1, 3]), &change)
        },
    },
    Case {
        name: "expunge",
        run: |sdbox| session(sdbox)?.remove(&set(&[2, 3])),
    },
    Case {
        name: "copy",
        run: |sdbox| {
            let mut from = session(sdbox)?;
            let copied = Arc::clone(sdbox).copy_from(from.as_mut(), &set(&[1, 2]))?;
            assert_eq!(copied.to.len(), 2);
            Ok(())
        },
    },
    Case {
        name: "altmove",
        run: |sdbox| sdbox.move_to(&set(&[1, 2]), Place::Alt),
    },
    Case {
        name: "select",
        run: |sdbox| session(sdbox).map(drop),
    },
];

/// Three messages that a client knows.
fn rig() -> (Rig, Content) {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    save(&sdbox, "one\r\n", Flags::empty(), &[]).unwrap();
    save(&sdbox, "two\r\n", Flags::SEEN, &["old"]).unwrap();
    save(&sdbox, "three\r\n", Flags::empty(), &[]).unwrap();
    let known = rig.content();
    (rig, known)
}

/// How many calls a case makes.
fn calls(case: &Case) -> usize {
    let (rig, _) = rig();
    let sdbox = rig.sdbox();
    rig.faults.set(Fault::None);
    (case.run)(&sdbox).unwrap();
    let calls = rig.faults.calls().len();
    assert!(calls > 3, "{}: {calls}", case.name);
    calls
}

fn every_call(fault: impl Fn(usize) -> Fault) {
    for case in &CASES {
        for nth in 1..=calls(case) {
            let (rig, known) = rig();
            let status = rig.sdbox().status().unwrap();
            let sdbox = rig.sdbox();
            rig.faults.set(fault(nth));
            let result = (case.run)(&sdbox);
            let calls = rig.faults.calls();
            rig.faults.set(Fault::None);
            let last = calls.get(nth - 1).cloned();
            let what = format!("{} {:?}: {result:?} {last:?}", case.name, fault(nth));
            let now = rig.sdbox().status().unwrap();
            assert_eq!(now.uid_validity, status.uid_validity, "{what}");
            assert!(now.uid_next >= status.uid_next, "{what}");
            let after = rig.content();
            check(case, result.is_ok(), &known, &after, &what);
            // The process goes on: what it knows is what is there.
            assert_eq!(content(&sdbox), after, "{what}: same process");
            save(&sdbox, "later\r\n", Flags::empty(), &[]).unwrap();
            let later = rig.content();
            assert_eq!(later.len(), after.len() + 1, "{what}");
            assert_eq!(later.last_key_value().unwrap().1.0, b"later\n", "{what}");
            let found = rig.sdbox().resync(Mode::DryRun).unwrap();
            assert!(found.is_empty(), "{what}: {found:?}");
        }
    }
}

fn check(case: &Case, done: bool, known: &Content, after: &Content, what: &str) {
    for (uid, (body, flags, keywords)) in known {
        let Some((now, now_flags, now_keywords)) = after.get(uid) else {
            assert!(
                case.name == "expunge" && [2, 3].contains(uid),
                "{uid} is lost: {what}"
            );
            continue;
        };
        assert_eq!(body, now, "{uid}: {what}");
        let may_change = case.name == "store" && [1, 3].contains(uid);
        let same = (flags, keywords) == (now_flags, now_keywords);
        let added = flags.with(Flags::FLAGGED) == *now_flags
            && now_keywords.iter().any(|keyword| keyword == "fresh");
        assert!(
            same && !(may_change && done) || may_change && added,
            "{uid}: {what} {after:?}"
        );
    }
    let new = after.iter().filter(|(uid, _)| !known.contains_key(uid));
    let new: Vec<_> = new.map(|(_, mail)| mail).collect();
    let wanted = match case.name {
        _ if !done => 0,
        "save" | "save with flags" => 1,
        "save two" | "copy" => 2,
        _ => 0,
    };
    assert_eq!(new.len(), wanted, "{what}: {new:?}");
    if done && case.name == "expunge" {
        assert!(!after.contains_key(&2) && !after.contains_key(&3), "{what}");
    }
}

#[test]
fn an_error_of_the_disk() {
    every_call(|nth| Fault::Once { nth, errno: 5 });
}

#[test]
fn no_space_for_a_moment() {
    every_call(|nth| Fault::Once { nth, errno: 28 });
}

#[test]
fn an_interrupted_call() {
    every_call(|nth| Fault::Once { nth, errno: 4 });
}

#[test]
fn a_full_disk() {
    every_call(|nth| Fault::Full { nth });
}

#[test]
fn a_full_disk_is_told_as_such() {
    let (rig, _) = rig();
    let sdbox = rig.sdbox();
    rig.faults.set(Fault::Full { nth: 1 });
    let error = save(&sdbox, "new\r\n", Flags::empty(), &[]).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    rig.faults.set(Fault::None);
    assert_eq!(rig.files(), ["u.1", "u.2", "u.3"]);
}

/// After a kill the change may be half done, never half acknowledged: what was known is as it was or
/// as it was to be, new messages are there whole or not at all.
#[test]
fn a_kill_between_any_two_calls() {
    for case in &CASES {
        for nth in 1..=calls(case) {
            let (rig, known) = rig();
            let validity = rig.sdbox().status().unwrap().uid_validity;
            rig.faults.set(Fault::From { nth, errno: 5 });
            let killed = rig.sdbox();
            let result = (case.run)(&killed);
            let what = format!("{} {nth}: {result:?}", case.name);
            drop(killed);
            rig.faults.set(Fault::None);
            let after = rig.content();
            let now = rig.sdbox().status().unwrap();
            assert_eq!(now.uid_validity, validity, "{what}");
            for (uid, (body, ..)) in &known {
                match after.get(uid) {
                    Some((now, ..)) => assert_eq!(body, now, "{what}"),
                    None => assert!(case.name == "expunge" && *uid > 1, "{uid} is lost: {what}"),
                }
            }
            let new = after.iter().filter(|(uid, _)| !known.contains_key(uid));
            let new: Vec<_> = new.map(|(_, mail)| mail).collect();
            for (body, flags, keywords) in &new {
                let whole: [&[u8]; 3] = [b"new\n", b"one\n", b"two\n"];
                assert!(whole.contains(&body.as_slice()), "{what}");
                let marked = case.name == "save with flags";
                assert_eq!(
                    marked,
                    *flags == Flags::SEEN && keywords == &["fresh"],
                    "{what}"
                );
            }
            let all_or_none = match case.name {
                "save" | "save with flags" => new.len() <= 1,
                "save two" | "copy" => new.is_empty() || new.len() == 2,
                _ => new.is_empty(),
            };
            assert!(all_or_none, "{what} {new:?}");
            // UIDs stay from now on, and the next message finds its place.
            assert_eq!(rig.content(), after, "{what}");
            save(&rig.sdbox(), "later\r\n", Flags::empty(), &[]).unwrap();
            let later = rig.content();
            assert_eq!(later.len(), after.len() + 1, "{what}");
            let mut session = view(&rig.sdbox(), Access::ReadWrite);
            session.remove(&all()).unwrap();
            assert!(rig.content().is_empty(), "{what}");
            let left = rig.files();
            assert!(
                left.iter().all(|name| name.starts_with('.')),
                "{what}: {left:?}"
            );
        }
    }
}
