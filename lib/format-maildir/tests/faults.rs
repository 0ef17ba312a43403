//! Every system call of every change fails once, or is the last one before a kill, or meets a full
//! disk: nothing acknowledged is lost, no UID moves, and what was refused is not there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Content, Rig, save, set, view};
use format_maildir::Maildir;
use format_maildir::change::Removal;
use mailbox::{Access, Error, FlagChange, Flags, Keyword, Mailbox};
use sys::fs::faulty::Fault;

/// What is tried, and the messages that may and must be there afterwards.
struct Case {
    name: &'static str,
    run: fn(&Arc<Maildir>) -> Result<(), Error>,
}

const CASES: [Case; 7] = [
    Case {
        name: "save",
        run: |m| save(m, "new\r\n", Flags::empty(), &[]).map(drop),
    },
    Case {
        name: "save with flags",
        run: |m| save(m, "new\r\n", Flags::SEEN, &["fresh"]).map(drop),
    },
    Case {
        name: "store",
        run: |m| {
            let keyword = Keyword::new("fresh").unwrap();
            m.store_flags(
                &set(&[1, 3]),
                &FlagChange::Add(Flags::FLAGGED, vec![keyword]),
            )
        },
    },
    Case {
        name: "expunge",
        run: |m| m.remove(&set(&[2, 3]), Removal::All),
    },
    Case {
        name: "copy",
        run: |m| format_maildir::copy::copy(m, &set(&[1, 2]), m).map(drop),
    },
    Case {
        name: "pick up",
        run: |m| m.status().map(drop),
    },
    Case {
        name: "select",
        run: |m| {
            let name = mailbox::MailboxName::new("INBOX").unwrap();
            format_maildir::View::open(Arc::clone(m), name, Access::ReadWrite).map(drop)
        },
    },
];

/// Three messages that a client knows, and one that came from outside since.
fn rig() -> (Rig, Content) {
    let rig = Rig::new();
    let hasty = rig.hasty();
    save(&hasty, "one\r\n", Flags::empty(), &[]).unwrap();
    save(&hasty, "two\r\n", Flags::SEEN, &["old"]).unwrap();
    save(&hasty, "three\r\n", Flags::empty(), &[]).unwrap();
    let known = rig.content();
    std::fs::write(rig.dir().join("new/1700000000.M1P1.mta"), "outside\n").unwrap();
    (rig, known)
}

/// How many calls a case makes.
fn calls(case: &Case) -> usize {
    let (rig, _) = rig();
    let maildir = rig.other();
    rig.faults.set(Fault::None);
    (case.run)(&maildir).unwrap();
    let calls = rig.faults.calls().len();
    assert!(calls > 3, "{}: {calls}", case.name);
    calls
}

fn every_call(fault: impl Fn(usize) -> Fault) {
    for case in &CASES {
        for nth in 1..=calls(case) {
            let (rig, known) = rig();
            let maildir = rig.other();
            let validity = maildir.status().unwrap().uid_validity;
            let maildir = rig.other();
            rig.faults.set(fault(nth));
            let result = (case.run)(&maildir);
            let what = format!("{} {:?}: {result:?}", case.name, fault(nth));
            let calls = rig.faults.calls();
            rig.faults.set(Fault::None);
            rig.break_locks();
            let last = calls.get(nth - 1).cloned();

            assert_eq!(
                rig.other().status().unwrap().uid_validity,
                validity,
                "{what}"
            );
            let after = rig.content();
            check(
                case,
                result.is_ok(),
                &known,
                &after,
                &format!("{what} {last:?}"),
            );
            // The process goes on: what it knows is what is there.
            assert_eq!(
                common::content(&maildir),
                after,
                "{what} {last:?}: same process"
            );
            assert_eq!(rig.content(), after, "{what}: stays");
            drop(maildir);
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
    let new: Vec<&(Vec<u8>, Flags, Vec<String>)> = after
        .iter()
        .filter(|(uid, _)| !known.contains_key(uid))
        .map(|(_, mail)| mail)
        .collect();
    let outside = new.iter().filter(|mail| mail.0 == b"outside\n").count();
    assert_eq!(outside, 1, "{what}: {new:?}");
    let saved = new.iter().filter(|mail| mail.0 == b"new\n").count();
    assert_eq!(
        saved,
        usize::from(done && case.name.starts_with("save")),
        "{what}: {new:?}"
    );
    let copied = new.len() - outside - saved;
    assert_eq!(
        copied,
        if done && case.name == "copy" { 2 } else { 0 },
        "{what}: {new:?}"
    );
    if done && case.name == "expunge" {
        assert!(!after.contains_key(&2) && !after.contains_key(&3), "{what}");
    }
}

/// The process that met the full disk is the first to look: while it is full, and afterwards.
#[test]
fn a_told_uid_stays_in_the_process_that_told_it() {
    let save_of = |nth| {
        let (rig, known) = rig();
        let maildir = rig.other();
        maildir.status().unwrap();
        rig.faults.set(Fault::Full { nth });
        let saved = save(&maildir, "new\r\n", Flags::empty(), &[]);
        (rig, known, maildir, saved)
    };
    for looks in 0..3 {
        for nth in 1..=calls(&CASES[0]) {
            let (rig, mut known, maildir, saved) = save_of(nth);
            for _ in 0..looks {
                let _ = maildir.status();
            }
            rig.faults.set(Fault::None);
            rig.break_locks();
            let what = format!("full at {nth}: {saved:?}");
            let after = common::content(&maildir);
            if let Ok(uid) = saved {
                let new = (b"new\n".to_vec(), Flags::empty(), Vec::new());
                known.insert(uid.get(), new);
            }
            for (uid, mail) in &known {
                assert_eq!(after.get(uid), Some(mail), "{uid}: {what}");
            }
            // What came from outside, too.
            assert_eq!(after.len(), known.len() + 1, "{what}: {after:?}");
            assert_eq!(rig.content(), after, "{what}: another process");
        }
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
fn a_full_disk() {
    every_call(|nth| Fault::Full { nth });
}

#[test]
fn a_full_disk_is_told_as_such() {
    let (rig, _) = rig();
    rig.faults.set(Fault::Full { nth: 1 });
    let error = save(&rig.maildir, "new\r\n", Flags::empty(), &[]).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    rig.faults.set(Fault::None);
    assert!(common::names_in(&rig.dir().join("tmp")).is_empty());
}

/// After a kill the change may be half done, never half acknowledged: what was known is as it was or
/// as it was to be, new messages are there whole or not at all.
#[test]
fn a_kill_between_any_two_calls() {
    for case in &CASES {
        for nth in 1..=calls(case) {
            let (rig, known) = rig();
            let validity = rig.other().status().unwrap().uid_validity;
            rig.faults.set(Fault::From { nth, errno: 5 });
            let result = (case.run)(&rig.other());
            let what = format!("{} {nth}: {result:?}", case.name);
            rig.faults.set(Fault::None);
            rig.break_locks();
            let after = rig.content();
            assert_eq!(
                rig.other().status().unwrap().uid_validity,
                validity,
                "{what}"
            );
            for (uid, (body, ..)) in &known {
                match after.get(uid) {
                    Some((now, ..)) => assert_eq!(body, now, "{what}"),
                    None => assert!(case.name == "expunge" && *uid > 1, "{uid} is lost: {what}"),
                }
            }
            for (uid, (body, flags, _)) in after.iter().filter(|(uid, _)| !known.contains_key(uid))
            {
                let whole: [&[u8]; 4] = [b"new\n", b"outside\n", b"one\n", b"two\n"];
                assert!(whole.contains(&body.as_slice()), "{uid}: {what}");
                let wanted = case.name == "save with flags" && body == b"new\n";
                assert_eq!(wanted, *flags == Flags::SEEN && body == b"new\n", "{what}");
            }
            // UIDs stay from now on.
            assert_eq!(rig.content(), after, "{what}");
            view(&rig.other(), Access::ReadWrite)
                .sync(mailbox::Expunges::Show)
                .unwrap();
            assert_eq!(rig.content(), after, "{what}");
        }
    }
}
