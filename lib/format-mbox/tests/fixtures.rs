//! Every mailbox of the mbox fixtures, opened by ours, gives what Dovecot answered.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use format_mbox::Settings;
use mailbox::{Flags, Seq};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sys::fs::Fs;
use testkit::Fixture;

/// `Folder/Plain` → `<root>/Folder/.imap/Plain`
fn index_of(root: &Path, name: &str) -> PathBuf {
    match name.rsplit_once('/') {
        Some((above, last)) => root.join(above).join(".imap").join(last),
        None => root.join(".imap").join(name),
    }
}

fn with_crlf(stored: &str) -> Vec<u8> {
    let lf = stored.replace("\r\n", "\n");
    lf.replace('\n', "\r\n").into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(fixture: &str, index_root: &str) {
    let unpacked = Fixture::unpack(fixture);
    let home = unpacked.home();
    let expected = unpacked.expected();
    let mailboxes = expected["mailboxes"].as_object().unwrap();
    assert!(mailboxes.len() > 8);
    let mut messages = 0;
    for (name, told) in mailboxes {
        let file = match name.as_str() {
            "INBOX" => home.join("inbox.mbox"),
            name => home.join("mail").join(name),
        };
        if !file.is_file() {
            // A level above mailboxes.
            assert!(
                told["messages"].as_array().is_none_or(Vec::is_empty),
                "{name}"
            );
            continue;
        }
        let place = common::place(file, index_of(&home.join(index_root), name));
        let mbox = common::mbox_at(Fs::real(), place, Settings::default());
        messages += check_mailbox(&mbox, name, told);
    }
    assert!(messages > 15);
}

fn check_mailbox(mbox: &std::sync::Arc<format_mbox::Mbox>, name: &str, told: &Value) -> usize {
    let number = |of: &Value, key: &str| of[key].as_u64().unwrap_or_default();
    let mut view = common::look(mbox);
    let status = view.status();
    assert_eq!(
        u64::from(status.uid_validity.get()),
        number(told, "uidvalidity"),
        "{name}"
    );
    assert_eq!(
        u64::from(status.uid_next.get()),
        number(told, "uidnext"),
        "{name}"
    );
    assert_eq!(
        status.highest_modseq.unwrap().get(),
        number(told, "highestmodseq"),
        "{name}"
    );
    let guid = mailbox::StoredMailbox::guid(&**mbox).unwrap().to_string();
    assert_eq!(told["status"]["X-GUID"], Value::from(guid), "{name}");
    let seen = common::seen(&mut *view);
    let expected = told["messages"].as_array().unwrap();
    assert_eq!(seen.len(), expected.len(), "{name}");
    for (seq, (ours, theirs)) in (1..).zip(seen.iter().zip(expected)) {
        assert_eq!(u64::from(ours.uid), number(theirs, "uid"), "{name}");
        let mut flags: Vec<String> = theirs["flags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|flag| flag.as_str().unwrap().to_owned())
            .filter(|flag| flag != "\\Recent")
            .collect();
        flags.extend(
            theirs["keywords"]
                .as_array()
                .unwrap()
                .iter()
                .map(|k| k.as_str().unwrap().to_owned()),
        );
        flags.sort();
        flags.dedup();
        let stored = Flags::NAMES
            .iter()
            .filter(|(flag, _)| ours.flags.contains(*flag));
        let mut all: Vec<String> = stored.map(|(_, name)| (*name).to_owned()).collect();
        all.extend(ours.keywords.iter().cloned());
        all.sort();
        assert_eq!(all, flags, "{name} {}", ours.uid);
        let body = with_crlf(&ours.body);
        assert_eq!(
            body.len() as u64,
            number(theirs, "size"),
            "{name} {}",
            ours.uid
        );
        assert_eq!(
            theirs["body_sha256"],
            Value::from(hex(&Sha256::digest(&body))),
            "{name}"
        );
        assert_eq!(
            theirs["guid"],
            Value::from(ours.guid.clone()),
            "{name} {}",
            ours.uid
        );
        let modseq = view.modseq(Seq::new(seq).unwrap()).unwrap();
        assert_eq!(
            modseq.get(),
            number(theirs, "modseq"),
            "{name} {}",
            ours.uid
        );
        let date = theirs["internaldate"].as_str().unwrap();
        assert_eq!(ours.date, seconds(date), "{name} {}: {date}", ours.uid);
    }
    seen.len()
}

/// `09-Feb-2024 07:08:56 +0000`
fn seconds(date: &str) -> i64 {
    let (day, time) = date.split_once(' ').unwrap();
    let parts: Vec<&str> = day.trim().split('-').collect();
    let (clock, zone) = time.split_once(' ').unwrap();
    let line = format!(
        "From x Thu {} {} {clock} {} {zone}",
        parts[1], parts[0], parts[2]
    );
    format_mbox::from_line::parse(line.as_bytes())
        .unwrap()
        .received
}

#[test]
fn indexes_beside_the_mail() {
    check("mbox", "mail");
}

#[test]
fn indexes_elsewhere() {
    check("mboxbare", "index");
}

/// UIDs of mailboxes that have messages are in the files.
#[test]
fn without_indexes_uids_survive() {
    let unpacked = Fixture::unpack("mbox");
    let home = unpacked.home();
    std::fs::remove_dir_all(home.join("mail/.imap/INBOX")).unwrap();
    let place = common::place(home.join("inbox.mbox"), home.join("mail/.imap/INBOX"));
    let mbox = common::mbox_at(Fs::real(), place, Settings::default());
    let told = &unpacked.expected()["mailboxes"]["INBOX"];
    let mut view = common::look(&mbox);
    assert_eq!(
        u64::from(view.status().uid_validity.get()),
        told["uidvalidity"].as_u64().unwrap()
    );
    assert_eq!(
        u64::from(view.status().uid_next.get()),
        told["uidnext"].as_u64().unwrap()
    );
    let uids: Vec<u64> = common::seen(&mut *view)
        .iter()
        .map(|seen| seen.uid.into())
        .collect();
    let theirs: Vec<u64> = told["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["uid"].as_u64().unwrap())
        .collect();
    assert_eq!(uids, theirs);
}
