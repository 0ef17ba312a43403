//! What Dovecot wrote: read, written back, replayed to what Dovecot answered.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{FIXTURES, files, is_checkpoint, is_log, open, place};
use index::log::{LogHeader, Walk};
use index::{Index, State};
use mailbox::Seq;
use serde_json::Value;
use sys::fs::Fs;
use testkit::Fixture;

/// Home of a fixture whose directory is not named as the fixture.
fn home(fixture: &Fixture) -> std::path::PathBuf {
    fixture
        .directory()
        .join(fixture.expected()["user"].as_str().unwrap())
}

#[test]
fn every_log_is_written_back_as_it_was() {
    for name in FIXTURES {
        let fixture = Fixture::unpack(name);
        for path in files(fixture.directory(), is_log) {
            let bytes = std::fs::read(&path).unwrap();
            let header = LogHeader::decode(&bytes).unwrap();
            let mut written = header.encode().to_vec();
            let mut walk = Walk::new(&bytes[40..], 40);
            for record in &mut walk {
                let body = record.body().unwrap();
                written.extend(body.encode_with(record.flags).unwrap());
            }
            assert!(!walk.is_torn(), "{}", path.display());
            assert!(written == bytes, "{}", path.display());
        }
    }
}

#[test]
fn every_checkpoint_is_written_back_as_it_was() {
    let mut seen = 0;
    for name in FIXTURES {
        let fixture = Fixture::unpack(name);
        for path in files(fixture.directory(), is_checkpoint) {
            let bytes = std::fs::read(&path).unwrap();
            let state = State::decode(&bytes).unwrap();
            let written = state.encode();
            seen += 1;
            assert_eq!(written, bytes, "{}", path.display());
        }
    }
    assert!(seen >= 10);
}

fn strings(value: &Value) -> Vec<String> {
    let mut strings: Vec<String> = value
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_str().unwrap().to_owned())
        .filter(|name| name != "\\Recent")
        .collect();
    strings.sort();
    strings
}

fn compare(what: &str, state: &State, expected: &Value) {
    let number = |name: &str| expected[name].as_u64().unwrap();
    assert_eq!(
        u64::from(state.header().uid_validity()),
        number("uidvalidity"),
        "{what}"
    );
    assert_eq!(
        u64::from(state.header().next_uid()),
        number("uidnext"),
        "{what}"
    );
    let messages = expected["messages"].as_array().unwrap();
    assert_eq!(state.len() as usize, messages.len(), "{what}");
    for (seq, message) in (1..).zip(messages) {
        let seq = Seq::new(seq).unwrap();
        let uid = state.uid(seq).unwrap();
        assert_eq!(
            u64::from(uid.get()),
            message["uid"].as_u64().unwrap(),
            "{what}"
        );
        assert_eq!(state.seq(uid), Some(seq));
        let flags = state.flags(seq).unwrap();
        let mut names: Vec<String> = mailbox::Flags::NAMES
            .iter()
            .filter(|(flag, _)| flags.contains(*flag))
            .map(|(_, name)| (*name).to_owned())
            .collect();
        let keywords = state.keyword_set(seq).unwrap();
        names.extend(keywords.iter().map(|index| state.keywords()[index].clone()));
        names.sort();
        let mut told = strings(&message["flags"]);
        told.extend(strings(&message["keywords"]));
        told.sort();
        told.dedup();
        assert_eq!(names, told, "{what} {uid}");
        assert_eq!(
            state.modseq(seq),
            message["modseq"].as_u64(),
            "{what} {uid}"
        );
    }
    assert_eq!(state.highest_modseq(), number("highestmodseq"), "{what}");
    let unseen = expected["status"]["UNSEEN"].as_u64().unwrap();
    assert_eq!(u64::from(state.len() - state.seen()), unseen, "{what}");
}

#[test]
fn every_index_is_what_dovecot_answered() {
    let mut seen = 0;
    // Dovecot answered about the other one after it had looked at changes that are not in its index.
    for name in FIXTURES
        .into_iter()
        .filter(|name| *name != "maildir-unsynced")
    {
        let fixture = Fixture::unpack(name);
        let expected = fixture.expected();
        for (mailbox, told) in expected["mailboxes"].as_object().unwrap() {
            let Some(dir) = place(name, &home(&fixture), mailbox) else {
                continue;
            };
            let index = open(&dir);
            let what = format!("{name}/{mailbox}");
            compare(&what, &index.state().unwrap(), told);
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn nothing_is_repaired_that_is_whole() {
    for name in FIXTURES {
        let fixture = Fixture::unpack(name);
        for path in files(fixture.directory(), |name| name.ends_with("index.log")) {
            let before = std::fs::read(&path).unwrap();
            let prefix = match path.file_name().unwrap().to_str().unwrap() {
                "dovecot.index.log" => "dovecot.index",
                "dovecot.map.index.log" => "dovecot.map.index",
                _ => "dovecot.list.index",
            };
            let options = index::Options {
                prefix: prefix.into(),
                ..common::options()
            };
            let index = Index::open(&Fs::real(), path.parent().unwrap(), options).unwrap();
            drop(index.begin_sync().unwrap());
            assert!(
                std::fs::read(&path).unwrap() == before,
                "{}",
                path.display()
            );
            assert!(!index.state().unwrap().header().is_repaired());
        }
    }
}
