//! Truncated and damaged files: never a panic, never more lost than what the damage hit.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use common::{files, is_checkpoint, is_log, open, options};
use index::list::{Names, Tree};
use index::log::{LogHeader, Walk};
use index::mailbox_log;
use index::{Error, Index, State, Transaction};
use mailbox::Seq;
use sys::fs::Fs;
use testkit::Fixture;

/// A directory with copies of an index's files.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for path in files(from, |name| name.starts_with("dovecot.index")) {
        if path.parent() == Some(from) {
            std::fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    to
}

fn log(dir: &Path) -> PathBuf {
    dir.join("dovecot.index.log")
}

fn uids(state: &State) -> Vec<u32> {
    state.records().map(|record| record.uid()).collect()
}

fn sdbox() -> (Fixture, PathBuf) {
    let fixture = Fixture::unpack("sdbox");
    let dir = fixture.home().join("sdbox/mailboxes/INBOX/dbox-Mails");
    (fixture, dir)
}

/// Messages of the index with a log of any length up to the whole: those of whole transactions.
#[test]
fn a_log_cut_anywhere_holds_whole_transactions() {
    let (_fixture, dir) = sdbox();
    let whole = std::fs::read(log(&dir)).unwrap();
    let all = uids(&open(&dir).state().unwrap());
    let scratch = copy(&dir);
    for len in (40..whole.len()).step_by(7).chain([whole.len() - 1]) {
        std::fs::write(log(scratch.path()), &whole[..len]).unwrap();
        let index = open(scratch.path());
        let state = index.state().unwrap();
        let (now, place) = (uids(&state), state.place());
        assert!(now.len() <= all.len() + 3 && place.head <= len as u64);
        // What was torn has been cut off, and the next transaction stands right behind what is whole.
        assert_eq!(
            std::fs::metadata(log(scratch.path())).unwrap().len(),
            place.head
        );
        let mut transaction = Transaction::external();
        transaction.append(state.header().next_uid(), 0);
        index.commit(&transaction).unwrap();
        assert_eq!(
            uids(&open(scratch.path()).state().unwrap()).len(),
            now.len() + 1
        );
        assert!(!open(scratch.path()).state().unwrap().header().is_repaired());
    }
}

#[test]
fn decoders_survive_every_truncation_and_flip() {
    for name in ["sdbox", "maildirrot", "mdboxindex"] {
        let fixture = Fixture::unpack(name);
        for path in files(fixture.directory(), is_checkpoint) {
            let bytes = std::fs::read(&path).unwrap();
            for len in 0..bytes.len() {
                let _ = State::decode(&bytes[..len]).map(|state| Tree::decode(&state));
            }
            mutate(&bytes, 1, |bytes| {
                if let Ok(state) = State::decode(bytes) {
                    let _ = Tree::decode(&state);
                    (1..=state.len()).filter_map(Seq::new).for_each(|seq| {
                        let _ = (state.keyword_set(seq), state.modseq(seq), state.uid(seq));
                    });
                }
            });
        }
        for path in files(fixture.directory(), is_log) {
            let bytes = std::fs::read(&path).unwrap();
            mutate(&bytes, 3, |bytes| {
                let _ = LogHeader::decode(bytes);
                Walk::new(&bytes[40..], 40).for_each(|record| {
                    let _ = record.body();
                });
            });
        }
        for path in files(fixture.directory(), |name| name == "dovecot.mailbox.log") {
            let bytes = std::fs::read(&path).unwrap();
            for (_, record) in mailbox_log::records(&bytes) {
                let record = record.unwrap();
                assert!(bytes.chunks(24).any(|chunk| chunk == record.encode()));
            }
            (0..bytes.len()).for_each(|len| mailbox_log::records(&bytes[..len]).for_each(drop));
        }
    }
    let mut names = Names::default();
    names.add(b"a").unwrap();
    mutate(&names.encode(20), 1, |bytes| drop(Names::decode(bytes)));
}

/// Calls `test` with one byte changed, each in turn, in a few ways.
fn mutate(bytes: &[u8], step: usize, mut test: impl FnMut(&[u8])) {
    let mut copy = bytes.to_vec();
    for at in (0..bytes.len()).step_by(step) {
        for flip in [0x01, 0x80, 0xff] {
            copy[at] ^= flip;
            test(&copy);
            copy[at] = bytes[at];
        }
    }
}

/// One byte of the log is wrong: it opens, it can be written to, and a second look finds nothing to repair.
#[test]
fn a_flipped_byte_loses_at_most_its_transaction() {
    let (_fixture, dir) = sdbox();
    let whole = std::fs::read(log(&dir)).unwrap();
    let all = uids(&open(&dir).state().unwrap());
    for at in (0..whole.len()).step_by(23) {
        for flip in [0x01, 0x80] {
            let scratch = copy(&dir);
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            std::fs::write(log(scratch.path()), &bytes).unwrap();
            let index = open(scratch.path());
            let state = index.state().unwrap();
            let now = uids(&state);
            // A damaged UID may make what follows it unusable; flags, extensions and the rest may not.
            let lost = all.iter().filter(|uid| !now.contains(uid)).count();
            assert!(lost <= all.len(), "{at}");
            let mut transaction = Transaction::external();
            transaction.append(state.header().next_uid(), 0);
            match index.commit(&transaction) {
                Ok(_) => {}
                Err(Error::Refused { .. }) => assert_eq!(state.header().next_uid(), u32::MAX),
                Err(error) => panic!("{at}: {error}"),
            }
            let again = open(scratch.path()).state().unwrap();
            assert_eq!(uids(&again)[..now.len()], now, "{at}");
        }
    }
}

#[test]
fn what_follows_a_hole_survives() {
    let (_fixture, dir) = sdbox();
    let mut bytes = std::fs::read(log(&dir)).unwrap();
    let all = uids(&open(&dir).state().unwrap());
    let first = Walk::new(&bytes[40..], 40)
        .find(|record| record.kind == index::log::record::kind::FLAG_UPDATE)
        .map(|record| usize::try_from(record.offset).unwrap())
        .unwrap();
    bytes[first..first + 4].fill(0);
    let scratch = copy(&dir);
    std::fs::write(log(scratch.path()), &bytes).unwrap();
    let index = open(scratch.path());
    let state = index.state().unwrap();
    assert_eq!(uids(&state), all);
    assert!(state.header().is_repaired());
    // Once: the next one finds all in order.
    let size = std::fs::read(log(scratch.path())).unwrap();
    let again = open(scratch.path());
    drop(again.begin_sync().unwrap());
    assert_eq!(std::fs::read(log(scratch.path())).unwrap(), size);
    assert_eq!(uids(&again.state().unwrap()), all);
}

#[test]
fn a_log_that_was_marked_corrupted_still_counts() {
    let (_fixture, dir) = sdbox();
    let before = open(&dir).state().unwrap();
    let scratch = copy(&dir);
    let mut bytes = std::fs::read(log(&dir)).unwrap();
    bytes[4..8].fill(0);
    std::fs::write(log(scratch.path()), &bytes).unwrap();
    let state = open(scratch.path()).state().unwrap();
    assert_eq!(uids(&state), uids(&before));
    assert_eq!(
        state.header().uid_validity(),
        before.header().uid_validity()
    );
    assert_eq!(state.ext_header("dbox-hdr"), before.ext_header("dbox-hdr"));
    assert!(state.header().is_repaired());
}

#[test]
fn a_checkpoint_without_a_log_goes_on() {
    let fixture = Fixture::unpack("maildirrot");
    let dir = fixture.home().join("Maildir");
    let scratch = copy(&dir);
    std::fs::remove_file(log(scratch.path())).unwrap();
    std::fs::remove_file(scratch.path().join("dovecot.index.log.2")).unwrap();
    let checkpoint = std::fs::read(dir.join("dovecot.index")).unwrap();
    let expected = State::decode(&checkpoint).unwrap();
    let index = open(scratch.path());
    let state = index.state().unwrap();
    assert_eq!(uids(&state), uids(&expected));
    assert!(state.highest_modseq() >= expected.highest_modseq());
    index
        .commit(&{
            let mut transaction = Transaction::external();
            transaction.append(state.header().next_uid(), 0);
            transaction
        })
        .unwrap();
    let grown = open(scratch.path()).state().unwrap();
    assert_eq!(grown.len(), expected.len() + 1);
}

#[test]
fn a_damaged_checkpoint_is_replaced_by_the_one_before() {
    let fixture = Fixture::unpack("maildirrot");
    let dir = fixture.home().join("Maildir");
    let whole = open(&dir).state().unwrap();
    for at in [0, 2, 4, 8, 12, 40] {
        let scratch = copy(&dir);
        let path = scratch.path().join("dovecot.index");
        let mut bytes = std::fs::read(&path).unwrap();
        std::fs::write(scratch.path().join("dovecot.index.backup"), &bytes).unwrap();
        bytes[at] ^= 0xff;
        std::fs::write(&path, &bytes).unwrap();
        let state = open(scratch.path()).state().unwrap();
        assert_eq!(uids(&state), uids(&whole), "{at}");
        assert_eq!(state.highest_modseq(), whole.highest_modseq());
    }
}

#[test]
fn without_any_file_there_is_no_index() {
    let empty = tempfile::tempdir().unwrap();
    let opened = Index::open(&Fs::real(), empty.path(), options());
    assert!(matches!(opened, Err(Error::NotFound { .. })));
}
