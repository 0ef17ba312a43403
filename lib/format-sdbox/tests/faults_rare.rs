//! Making, deleting and repairing a mailbox while every call fails once, or is the last one before a
//! kill.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Content, Rig, save, set, view};
use format_sdbox::Sdbox;
use format_sdbox::rebuild::Mode;
use mailbox::{Access, Error, Flags, StoredMailbox};
use sys::fs::faulty::Fault;

/// Every fault at every call of `run`, on a mailbox made by `make`; then `check`.
fn every_call(
    make: fn() -> Rig,
    run: fn(&Arc<Sdbox>) -> Result<(), Error>,
    check: impl Fn(&Rig, bool, &str),
) {
    let rig = make();
    let sdbox = rig.sdbox();
    rig.faults.set(Fault::None);
    run(&sdbox).unwrap();
    let calls = rig.faults.calls().len();
    assert!(calls > 3);
    for nth in 1..=calls {
        let faults = [
            Fault::Once { nth, errno: 5 },
            Fault::Once { nth, errno: 28 },
            Fault::From { nth, errno: 5 },
            Fault::Full { nth },
        ];
        for fault in faults {
            let rig = make();
            let sdbox = rig.sdbox();
            rig.faults.set(fault);
            let result = run(&sdbox);
            let last = rig.faults.calls().get(nth - 1).cloned();
            rig.faults.set(Fault::None);
            drop(sdbox);
            check(
                &rig,
                result.is_ok(),
                &format!("{fault:?} {result:?} {last:?}"),
            );
        }
    }
}

fn nothing() -> Rig {
    let rig = Rig::new();
    std::fs::remove_dir_all(rig.path()).unwrap();
    rig
}

fn five() -> Rig {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    for n in 1..=5 {
        save(
            &sdbox,
            &format!("Subject: {n}\n\n{n}\n"),
            Flags::SEEN,
            &["k"],
        )
        .unwrap();
    }
    rig
}

#[test]
fn making() {
    every_call(
        nothing,
        |sdbox| sdbox.create(),
        |rig, done, what| {
            if done {
                assert_eq!(rig.sdbox().status().unwrap().messages, 0, "{what}");
            }
            // What a killed maker left is waited for: until it is moments old.
            let left = rig.path().join("dovecot.index.log.newlock");
            if let Ok(file) = std::fs::File::open(left) {
                let ago = std::time::SystemTime::now() - std::time::Duration::from_secs(10);
                let times = std::fs::FileTimes::new().set_modified(ago);
                file.set_times(times).unwrap();
            }
            // Whatever is there: it can be made now.
            rig.sdbox()
                .create()
                .unwrap_or_else(|error| panic!("{error}: {what}"));
            let (guid, status) = (rig.sdbox().guid().unwrap(), rig.sdbox().status().unwrap());
            save(&rig.sdbox(), "x\n", Flags::empty(), &[]).unwrap();
            assert_eq!(rig.sdbox().guid().unwrap(), guid, "{what}");
            assert_eq!(
                rig.sdbox().status().unwrap().uid_validity,
                status.uid_validity
            );
            assert_eq!(rig.content().len(), 1, "{what}");
        },
    );
}

#[test]
fn deleting() {
    every_call(
        five,
        |sdbox| sdbox.prepare_delete(),
        |rig, done, what| {
            match rig.sdbox().status() {
                Ok(status) => assert!(!done && status.messages == 5, "{what}"),
                Err(Error::NotFound { .. }) => {}
                Err(error) => panic!("{error}: {what}"),
            }
            rig.sdbox()
                .prepare_delete()
                .unwrap_or_else(|error| panic!("{error}: {what}"));
            assert!(!rig.sdbox().exists().unwrap(), "{what}");
            rig.sdbox().create().unwrap();
            assert_eq!(rig.sdbox().status().unwrap().messages, 0, "{what}");
        },
    );
}

/// A lost file, a file that nobody knows below the next UID, one above, and a damaged one.
fn damaged() -> Rig {
    let rig = five();
    let file = |uid: u32| rig.path().join(format!("u.{uid}"));
    let kept = std::fs::read(file(2)).unwrap();
    view(&rig.sdbox(), Access::ReadWrite)
        .remove(&set(&[2]))
        .unwrap();
    forget_expunge(&rig);
    std::fs::write(file(2), &kept).unwrap();
    std::fs::write(file(9), &kept).unwrap();
    std::fs::remove_file(file(3)).unwrap();
    let mut bytes = std::fs::read(file(4)).unwrap();
    bytes[40] ^= 0x40;
    std::fs::write(file(4), bytes).unwrap();
    rig
}

/// Rotates the logs until none tells of it any more.
fn forget_expunge(rig: &Rig) {
    let options = index::Options {
        thresholds: index::Thresholds {
            rewrite_min: 0,
            rewrite_max: 0,
            rotate_min: 0,
            rotate_max: 0,
            rotate_age: 0,
            log2_age: 0,
        },
        ..index::Options::mailbox(&mailbox::Settings::default())
    };
    let index = index::Index::open(&sys::fs::Fs::real(), &rig.path(), options).unwrap();
    while !index.expunged_in_logs().unwrap().is_empty() {
        let mut sync = index.begin_sync().unwrap();
        let mut transaction = index::Transaction::external();
        transaction.update_modseq(0, 1);
        sync.commit(&transaction).unwrap();
        sync.finish().unwrap();
    }
}

#[test]
fn repairing() {
    let whole = five().content();
    let wanted: Content = [1, 2, 4, 5, 9]
        .into_iter()
        .map(|uid| {
            let (body, ..) = &whole[&if uid == 9 { 2 } else { uid }];
            let known = [1, 4, 5].contains(&uid);
            let flags = if known { Flags::SEEN } else { Flags::empty() };
            let keywords = if known {
                vec!["k".to_owned()]
            } else {
                Vec::new()
            };
            (uid, (body.clone(), flags, keywords))
        })
        .collect();
    let run = |sdbox: &Arc<Sdbox>| sdbox.resync(Mode::Repair).map(drop);
    every_call(damaged, run, |rig, done, what| {
        let validity = rig.sdbox().status().unwrap().uid_validity;
        if !done {
            rig.sdbox()
                .resync(Mode::Repair)
                .unwrap_or_else(|error| panic!("{error}: {what}"));
        }
        assert_eq!(rig.content(), wanted, "{what}");
        assert_eq!(
            rig.sdbox().status().unwrap().uid_validity,
            validity,
            "{what}"
        );
        let left = rig.sdbox().resync(Mode::DryRun).unwrap();
        assert!(left.is_empty(), "{what}: {left:?}");
    });
}
