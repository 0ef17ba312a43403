//! Every file call fails once, and from then on; the disk fills up: what was acknowledged is there, what
//! was not is there as a whole or not at all, and the index goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::options;
use index::{Backup, Error, ExtSpec, Index, Options, State, Thresholds, Transaction};
use mailbox::{Durability, Uid};
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};

const EIO: i32 = 5;
const ROUNDS: u32 = 3;

const GUID: ExtSpec<'static> = ExtSpec {
    name: "guid",
    header_size: 0,
    record_size: 16,
    record_align: 1,
};

fn tiny() -> Options {
    Options {
        durability: Durability::Synced,
        backup: Backup::Keep,
        thresholds: Thresholds {
            rewrite_min: 50,
            rewrite_max: 150,
            rotate_min: 400,
            rotate_max: 500,
            rotate_age: 0,
            log2_age: 0,
        },
        ..options()
    }
}

/// Two messages that come together or not at all.
fn pair(state: &State) -> Transaction {
    let mut transaction = Transaction::external();
    for uid in (state.header().next_uid()..).take(2) {
        transaction.append(uid, 0);
        transaction
            .extension(&GUID)
            .set_record(uid, &[uid.to_le_bytes()[0]; 16]);
    }
    transaction.make_durable();
    transaction
}

/// Some rounds of what sessions do. How many pairs were acknowledged, and the error that ended it.
fn work(fs: &Fs, dir: &Path) -> (u32, Option<Error>) {
    let mut acknowledged = 0;
    let mut rounds = || -> Result<(), Error> {
        let index = Index::open(fs, dir, tiny())?;
        for _ in 0..ROUNDS {
            let mut sync = index.begin_sync()?;
            let transaction = pair(sync.state());
            sync.commit(&transaction)?;
            acknowledged += 1;
            sync.finish()?;
            let mut asked = Transaction::internal();
            asked.expunge(1, [0; 16]);
            index.commit(&asked)?;
            let mut sync = index.begin_sync()?;
            let mut done = Transaction::external();
            for (uid, guid) in sync.requests().expunges(sync.state()) {
                done.expunge(uid, guid);
            }
            sync.commit(&done)?;
            sync.finish()?;
        }
        Ok(())
    };
    let ended = rounds().err();
    (acknowledged, ended)
}

fn prepare() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Transaction::external();
    first.set_uid_validity(5);
    Index::create(&Fs::real(), dir.path(), tiny(), &first).unwrap();
    dir
}

fn check(what: &str, dir: &Path, acknowledged: u32, error: Option<&Error>) {
    let index = Index::open(&Fs::real(), dir, tiny()).unwrap();
    let state = index.state().unwrap();
    assert!(!state.header().is_repaired(), "{what}");
    let pairs = (state.header().next_uid() - 1) / 2;
    assert_eq!(state.header().next_uid() % 2, 1, "{what}: half a pair");
    assert!(pairs >= acknowledged, "{what}: {pairs} of {acknowledged}");
    let more = u32::from(matches!(error, Some(Error::NotDurable(_))));
    assert!(pairs <= acknowledged + more, "{what}: {pairs}, {error:?}");
    let guid = state.extension("guid");
    for record in state.records() {
        let bytes = guid.unwrap().bytes_of(record).unwrap();
        assert_eq!(bytes, [record.uid().to_le_bytes()[0]; 16], "{what}");
    }
    assert_eq!(state.header().uid_validity(), 5, "{what}");
    // And it goes on.
    let (more, error) = work(&Fs::real(), dir);
    assert!(error.is_none() && more == ROUNDS, "{what}: {error:?}");
}

fn calls() -> usize {
    let faulty = Arc::new(FaultyFs::new(Fault::None));
    let dir = prepare();
    let (acknowledged, error) = work(&Fs::new(faulty.clone()), dir.path());
    assert!(error.is_none() && acknowledged == ROUNDS, "{error:?}");
    let calls = faulty.calls();
    let named = |name: &str| calls.iter().filter(|call| call.name == name).count();
    // Checkpoints and rotations were among it.
    assert!(named("rename") >= 3 && named("link") >= 2, "{calls:?}");
    calls.len()
}

fn every(fault: impl Fn(usize) -> Fault) {
    for nth in 1..=calls() {
        let dir = prepare();
        let faulty = Arc::new(FaultyFs::new(fault(nth)));
        let (acknowledged, error) = work(&Fs::new(faulty), dir.path());
        check(
            &format!("{:?}", fault(nth)),
            dir.path(),
            acknowledged,
            error.as_ref(),
        );
    }
}

#[test]
fn every_call_fails_once() {
    every(|nth| Fault::Once { nth, errno: EIO });
}

#[test]
fn killed_at_every_call() {
    every(|nth| Fault::From { nth, errno: EIO });
}

#[test]
fn the_disk_fills_up() {
    every(|nth| Fault::Full { nth });
    let dir = prepare();
    let faulty = Arc::new(FaultyFs::new(Fault::None));
    let index = Index::open(&Fs::new(faulty.clone()), dir.path(), tiny()).unwrap();
    let mut sync = index.begin_sync().unwrap();
    let transaction = pair(sync.state());
    let before = sync.state().place();
    faulty.set(Fault::Full { nth: 1 });
    let full = sync.commit(&transaction).unwrap_err();
    assert!(mailbox::Error::from(full).is_disk_full());
    drop(sync);
    assert_eq!(index.refresh().unwrap().place(), before);
    faulty.set(Fault::None);
    assert_eq!(index.commit(&transaction).unwrap().len(), 2);
}

#[test]
fn an_index_outlives_the_fault() {
    for nth in 1..=calls() {
        let dir = prepare();
        let index = Index::open(&Fs::real(), dir.path(), tiny()).unwrap();
        drop(index);
        let faulty = Arc::new(FaultyFs::new(Fault::None));
        let index = Index::open(&Fs::new(faulty.clone()), dir.path(), tiny()).unwrap();
        faulty.set(Fault::Once { nth, errno: EIO });
        for _ in 0..6 {
            let Ok(mut sync) = index.begin_sync() else {
                continue;
            };
            let transaction = pair(sync.state());
            if sync.commit(&transaction).is_ok() {
                let _ = sync.finish();
            }
        }
        faulty.set(Fault::None);
        let ours = index.refresh().unwrap();
        let theirs = Index::open(&Fs::real(), dir.path(), tiny())
            .unwrap()
            .state()
            .unwrap();
        assert_eq!(ours.len(), theirs.len());
        assert!(ours.len() >= 8, "{nth}: {}", ours.len());
        assert!(!theirs.header().is_repaired());
    }
}

/// Flags are synced a moment later, but what a checkpoint tells of the log is on disk before it is.
#[test]
fn a_checkpoint_knows_no_more_of_the_log_than_the_disk_has() {
    let dir = prepare();
    let faulty = Arc::new(FaultyFs::new(Fault::None));
    let index = Index::open(&Fs::new(faulty.clone()), dir.path(), tiny()).unwrap();
    index.commit(&pair(&index.state().unwrap())).unwrap();
    faulty.set(Fault::None);
    let mut flagged = false;
    while !faulty.calls().iter().any(|call| call.name == "create") {
        faulty.set(Fault::None);
        let mut sync = index.begin_sync().unwrap();
        let mut flags = Transaction::external();
        let (add, remove) = if flagged { (0, 8) } else { (8, 0) };
        flagged = !flagged;
        flags.update_flags(&[Uid::MIN].into_iter().collect(), add, remove);
        sync.commit(&flags).unwrap();
        sync.finish().unwrap();
    }
    let calls = faulty.calls();
    let names = calls.iter().map(|call| call.name);
    let before: Vec<&str> = names.take_while(|name| *name != "create").collect();
    assert!(before.contains(&"sync_data"), "{calls:?}");
}

#[test]
fn creation_fails_or_succeeds_as_a_whole() {
    for nth in 1..30 {
        for fault in [
            Fault::Once { nth, errno: EIO },
            Fault::From { nth, errno: EIO },
            Fault::Full { nth },
        ] {
            let dir = tempfile::tempdir().unwrap();
            let fs = Fs::new(Arc::new(FaultyFs::new(fault)));
            let mut first = Transaction::external();
            first.set_uid_validity(5);
            let made = Index::create(&fs, dir.path(), tiny(), &first);
            let there = Index::open(&Fs::real(), dir.path(), tiny());
            match there {
                Ok(index) => assert_eq!(index.state().unwrap().header().uid_validity(), 5),
                Err(Error::NotFound { .. }) => assert!(made.is_err(), "{fault:?}"),
                Err(error) => panic!("{fault:?}: {error}"),
            }
        }
    }
}

/// A log with a hole, one that was marked corrupted, one that is torn: whatever fails while it is mended,
/// the messages are there afterwards.
#[test]
fn repairs_fail_or_succeed_as_a_whole() {
    let damages: [fn(&mut Vec<u8>); 3] = [
        |log| log[4..8].fill(0),
        |log| log.extend([0x80, 0x80, 0x80, 0x90, 1, 2]),
        |log| {
            // The second record, which tells UIDVALIDITY or flags.
            let at = (log.len() / 2) & !3;
            let end = at + 8;
            log[at..end].fill(0);
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        for nth in 1..60 {
            for fault in [
                Fault::Once { nth, errno: EIO },
                Fault::From { nth, errno: EIO },
            ] {
                let dir = prepare();
                let whole = Index::open(&Fs::real(), dir.path(), options()).unwrap();
                for _ in 0..3 {
                    let transaction = pair(&whole.state().unwrap());
                    whole.commit(&transaction).unwrap();
                }
                drop(whole);
                let log = dir.path().join("dovecot.index.log");
                let mut bytes = std::fs::read(&log).unwrap();
                damage(&mut bytes);
                std::fs::write(&log, &bytes).unwrap();
                let twin = tempfile::tempdir().unwrap();
                std::fs::copy(&log, twin.path().join("dovecot.index.log")).unwrap();
                let expected = Index::open(&Fs::real(), twin.path(), tiny()).unwrap();
                let expected = expected.state().unwrap();

                let fs = Fs::new(Arc::new(FaultyFs::new(fault)));
                let _ = Index::open(&fs, dir.path(), tiny());
                let what = format!("{number} {fault:?}");
                // What a killed process leaves is in the way until it is old.
                if let Ok(left) = std::fs::File::open(dir.path().join("dovecot.index.log.newlock"))
                {
                    left.set_modified(std::time::UNIX_EPOCH).unwrap();
                }
                let index = Index::open(&Fs::real(), dir.path(), tiny()).unwrap();
                let state = index.state().unwrap();
                assert!(state.records().eq(expected.records()), "{what}");
                assert_eq!(state.header().uid_validity(), 5, "{what}");
                assert_eq!(state.header().is_repaired(), number != 1, "{what}");
                index.commit(&pair(&state)).unwrap();
            }
        }
    }
}
