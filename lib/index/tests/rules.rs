//! What sessions and formats rely on, one rule a test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::Path;

use common::options;
use index::log::record::Toggle;
use index::state::field;
use index::{Created, Error, ExtSpec, Index, Options, Preserve, Request, Thresholds, Transaction};
use mailbox::{Flags, Seq, Uid, UidSet};
use sys::fs::{Fs, How, Lock};

const NUMBER: ExtSpec<'static> = ExtSpec {
    name: "number",
    header_size: 8,
    record_size: 2,
    record_align: 2,
};

fn create(dir: &Path, options: Options) -> Index {
    let mut first = Transaction::external();
    first.set_uid_validity(5);
    let (index, created) = Index::create(&Fs::real(), dir, options, &first).unwrap();
    assert_eq!(created, Created::Ours);
    index
}

fn fill(index: &Index, count: u32) {
    let mut transaction = Transaction::external();
    let next = index.state().unwrap().header().next_uid();
    (next..next + count).for_each(|uid| transaction.append(uid, 0));
    index.commit(&transaction).unwrap();
}

fn one(uid: u32) -> UidSet {
    Uid::new(uid).into_iter().collect()
}

fn seq(number: u32) -> Seq {
    Seq::new(number).unwrap()
}

#[test]
fn a_state_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path(), options());
    fill(&index, 700);
    let view = index.state().unwrap();
    let mut change = Transaction::internal();
    change.update_flags(&one(300), 0x08, 0);
    change.update_keyword(Toggle::Add, "New", &one(600));
    index.commit(&change).unwrap();
    let mut gone = Transaction::external();
    gone.expunge(2, [0; 16]);
    index.commit(&gone).unwrap();
    fill(&index, 1);
    assert_eq!(
        (view.len(), view.seen(), view.keywords().len()),
        (700, 0, 0)
    );
    assert_eq!(view.flags(seq(300)), Some(Flags::empty()));
    let now = index.state().unwrap();
    let changes = now.changes_since(&view);
    assert_eq!(changes.expunged, [(2, 2)]);
    assert_eq!(
        (changes.changed.as_slice(), changes.appended),
        ([299, 599].as_slice(), 1)
    );
    let held = now.with_expunged_of(&view, &changes.expunged);
    assert_eq!(held.uid(seq(2)), Uid::new(2));
    assert!(held.keyword_set(seq(600)).unwrap().contains(0));
    assert_eq!(now.first_unseen(), Some(seq(1)));
}

#[test]
fn requests_wait_until_they_are_done() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path(), options());
    fill(&index, 5);
    let mut asked = Transaction::internal();
    asked.update_flags(&one(4), 0x02, 0);
    asked.update_keyword(Toggle::Add, "Junk", &one(5));
    asked.expunge(3, [9; 16]);
    index.commit(&asked).unwrap();

    // Somebody else sees the flags at once, and the message until its removal is done.
    let other = Index::open(&Fs::real(), dir.path(), options()).unwrap();
    let sync = other.begin_sync().unwrap();
    let requests = sync.requests();
    assert_eq!(requests.changed(sync.state()), [4, 5]);
    assert_eq!(requests.expunges(sync.state()), [(3, [9; 16])]);
    assert!(matches!(requests.iter().next(), Some(Request::Flags(_))));
    assert_eq!(sync.state().len(), 5);
    // Finishing without doing it leaves it.
    let state = sync.finish().unwrap();
    assert!(state.place().tail < state.place().head);

    let mut sync = index.begin_sync().unwrap();
    assert_eq!(sync.requests(), requests);
    let mut done = Transaction::external();
    done.expunge(3, [9; 16]);
    sync.commit(&done).unwrap();
    let state = sync.finish().unwrap();
    assert_eq!((state.len(), state.place().tail), (4, state.place().head));
    assert!(other.begin_sync().unwrap().requests().is_empty());
    let vanished = other.expunged_since(1).unwrap().unwrap();
    assert!(vanished.contains(Uid::new(3).unwrap()) && vanished.ranges().len() == 1);
    let highest = state.highest_modseq();
    assert!(other.expunged_since(highest).unwrap().unwrap().is_empty());
}

#[test]
fn a_deleted_mailbox_is_gone_for_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path(), options());
    let other = Index::open(&Fs::real(), dir.path(), options()).unwrap();
    let mut asked = Transaction::internal();
    asked.delete_index();
    let mut back = Transaction::internal();
    back.undelete_index();
    index.commit(&asked).unwrap();
    assert!(other.refresh().is_ok());
    index.commit(&back).unwrap();
    let mut sync = index.begin_sync().unwrap();
    sync.commit(&asked).unwrap();
    let mut done = Transaction::external();
    done.delete_index();
    sync.commit(&done).unwrap();
    drop(sync);
    assert!(matches!(other.refresh(), Err(Error::Deleted { .. })));
    assert!(matches!(other.begin_sync(), Err(Error::Deleted { .. })));
    let opened = Index::open(&Fs::real(), dir.path(), options());
    assert!(matches!(opened, Err(Error::Deleted { .. })));

    // So is one whose directory went.
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path(), options());
    std::fs::remove_file(dir.path().join("dovecot.index.log")).unwrap();
    assert!(matches!(index.refresh(), Err(Error::Deleted { .. })));
}

#[test]
fn a_transaction_that_breaks_a_rule_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path(), options());
    fill(&index, 3);
    let log = dir.path().join("dovecot.index.log");
    let before = std::fs::read(&log).unwrap();
    let mut again = Transaction::external();
    again.append(3, 0);
    let mut below = Transaction::external();
    below.extension(&NUMBER).increment(1, -1);
    let mut past = Transaction::external();
    past.extension(&NUMBER).set_header(6, &[1; 4]);
    let mut keywords = Transaction::internal();
    keywords.update_keyword(Toggle::Add, &"k".repeat(2000), &one(1));
    for wrong in [again, below, past, keywords] {
        let refused = index.commit(&wrong);
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    }
    assert_eq!(std::fs::read(&log).unwrap(), before);
    index.commit(&Transaction::external()).unwrap();
    assert_eq!(std::fs::read(&log).unwrap(), before);
}

#[test]
fn an_extension_of_another_generation_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path(), options());
    fill(&index, 2);
    let set = |generation: u32, value: u8| {
        let mut transaction = Transaction::external();
        let change = transaction.extension(&NUMBER).generation(generation);
        change.set_record(1, &[value, 0]);
        index.commit(&transaction).unwrap();
    };
    let value = || {
        index
            .state()
            .unwrap()
            .ext_record(seq(1), "number")
            .map(<[u8]>::to_vec)
    };
    set(7, 1);
    assert_eq!(value(), Some(vec![1, 0]));
    set(8, 2);
    assert_eq!(value(), Some(vec![1, 0]));
    let mut reset = Transaction::external();
    let change = reset.extension(&NUMBER).reset(8, Preserve::Nothing);
    change.set_record(2, &[3, 0]);
    index.commit(&reset).unwrap();
    assert_eq!(value(), Some(vec![0, 0]));
    set(8, 4);
    assert_eq!(value(), Some(vec![4, 0]));
    let reread = Index::open(&Fs::real(), dir.path(), options())
        .unwrap()
        .state()
        .unwrap();
    assert_eq!(reread.ext_record(seq(2), "number"), Some([3, 0].as_slice()));
    assert_eq!(reread.extension("number").unwrap().reset_id, 8);
}

/// Bytes that nobody here understands outlive checkpoints, rotations and new extensions.
#[test]
fn unknown_extensions_survive() {
    let dir = tempfile::tempdir().unwrap();
    let restless = Options {
        thresholds: Thresholds {
            rewrite_min: 0,
            rewrite_max: 0,
            rotate_min: 0,
            rotate_max: 0,
            rotate_age: 0,
            log2_age: 0,
        },
        ..options()
    };
    let index = create(dir.path(), restless);
    fill(&index, 3);
    for (at, name) in ["alien-a", "alien-b", "alien-c"].iter().enumerate() {
        let size = u16::try_from(1 << at).unwrap();
        let spec = ExtSpec {
            name,
            header_size: 5,
            record_size: size,
            record_align: size,
        };
        let mut sync = index.begin_sync().unwrap();
        let mut transaction = Transaction::external();
        let change = transaction.extension(&spec);
        change.set_header(0, b"hello");
        change.set_record(2, &vec![7; size.into()]);
        transaction.update_keyword(Toggle::Add, name, &one(2));
        sync.commit(&transaction).unwrap();
        sync.finish().unwrap();
    }
    let state = Index::open(&Fs::real(), dir.path(), options())
        .unwrap()
        .state()
        .unwrap();
    assert!(state.place().file_seq > 3);
    for name in ["alien-a", "alien-b", "alien-c"] {
        assert_eq!(state.ext_header(name), Some(b"hello".as_slice()));
        let bytes = state.ext_record(seq(2), name).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 7));
        assert!(
            state
                .ext_record(seq(1), name)
                .unwrap()
                .iter()
                .all(|byte| *byte == 0)
        );
    }
    assert_eq!(state.keyword_set(seq(2)).unwrap().iter().count(), 3);
    // An old log goes at its age.
    assert!(!dir.path().join("dovecot.index.log.2").exists());
    assert_eq!(state.header().log2_rotate_time(), None);
}

#[test]
fn requests_outlive_a_repair() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path(), options());
    fill(&index, 4);
    let mut asked = Transaction::internal();
    asked.expunge(2, [0; 16]);
    asked.update_flags(&one(3), 0x04, 0);
    index.commit(&asked).unwrap();
    drop(index);
    let log = dir.path().join("dovecot.index.log");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[4..8].fill(0);
    std::fs::write(&log, bytes).unwrap();
    let index = Index::open(&Fs::real(), dir.path(), options()).unwrap();
    let sync = index.begin_sync().unwrap();
    assert!(sync.state().header().is_repaired());
    assert_eq!(sync.requests().expunges(sync.state()), [(2, [0; 16])]);
    assert_eq!(sync.requests().changed(sync.state()), [3]);
    assert_eq!((sync.state().len(), sync.state().deleted()), (4, 1));
}

#[test]
fn whoever_waits_too_long_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let impatient = Options {
        lock_timeout: std::time::Duration::ZERO,
        ..options()
    };
    let index = create(dir.path(), impatient);
    let log = dir.path().join("dovecot.index.log");
    let other = Fs::real().open(&log, How::Append, 0).unwrap();
    other.try_lock(Lock::Exclusive).unwrap();
    assert!(matches!(index.begin_sync(), Err(Error::Locked { .. })));
    // Readers do not wait.
    assert!(index.refresh().is_ok());
    other.try_lock(Lock::Unlock).unwrap();
    assert!(index.begin_sync().is_ok());
}

#[test]
fn recent_and_day_stamps() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path(), options());
    fill(&index, 3);
    let state = index.state().unwrap();
    assert_eq!(state.recent(), 3);
    let stamp = state.header().get(field::DAY_STAMP);
    assert!(stamp > 0);
    assert_eq!(state.header().get(field::DAY_STAMP + 4), 1);
    let mut seen = Transaction::external();
    seen.set_first_recent_uid(4);
    index.commit(&seen).unwrap();
    fill(&index, 2);
    let state = index.state().unwrap();
    assert_eq!(state.recent(), 2);
    assert!(state.header().get(field::DAY_STAMP) >= stamp);
    assert_eq!(state.header().next_uid(), 6);
    let mut lower = Transaction::external();
    lower.set_next_uid(2);
    assert_eq!(index.commit(&lower).unwrap().header().next_uid(), 6);
}
