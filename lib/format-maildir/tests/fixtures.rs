//! What Dovecot wrote is read as Dovecot reads it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::io::Read;

use common::{Fixture, sha256, view, with_crlf};
use mailbox::{Access, Flags, Mailbox, Seq};
use serde_json::Value;

fn strings(value: &Value) -> BTreeSet<String> {
    let list = value.as_array().unwrap().iter();
    list.map(|s| s.as_str().unwrap().to_owned()).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn names(flags: Flags) -> BTreeSet<String> {
    let set = Flags::NAMES
        .iter()
        .filter(|(flag, _)| flags.contains(*flag));
    set.map(|(_, name)| (*name).to_owned()).collect()
}

fn check(fixture_name: &str) {
    let fixture = Fixture::unpack(fixture_name);
    let (mut mailboxes, mut messages) = (0, 0);
    for (name, expected) in fixture.mailboxes() {
        let maildir = fixture.maildir(&name);
        let what = format!("{fixture_name} {name}");
        let status = maildir.status().unwrap();
        assert_eq!(
            u64::from(status.uid_validity.get()),
            number(&expected["uidvalidity"]),
            "{what}"
        );
        assert_eq!(
            u64::from(status.uid_next.get()),
            number(&expected["uidnext"]),
            "{what}"
        );
        assert_eq!(
            status.highest_modseq.unwrap().get(),
            number(&expected["highestmodseq"]),
            "{what}"
        );
        assert_eq!(
            u64::from(status.messages),
            number(&expected["status"]["MESSAGES"]),
            "{what}"
        );
        assert_eq!(
            u64::from(status.unseen),
            number(&expected["status"]["UNSEEN"]),
            "{what}"
        );
        assert_eq!(
            maildir.guid().unwrap().to_string(),
            expected["status"]["X-GUID"].as_str().unwrap()
        );
        let mut view = view(&maildir, Access::ReadOnly);
        let known: Vec<String> = view.keywords().iter().map(ToString::to_string).collect();
        let mut flags_list = strings(&expected["flags_list"]);
        flags_list.retain(|flag| !flag.starts_with('\\'));
        assert_eq!(
            known.iter().cloned().collect::<BTreeSet<_>>(),
            flags_list,
            "{what}"
        );
        let list = expected["messages"].as_array().unwrap();
        assert_eq!(view.len() as usize, list.len(), "{what}");
        for (seq, expected) in (1..).zip(list) {
            message(&mut view, Seq::new(seq).unwrap(), &known, expected, &what);
            messages += 1;
        }
        mailboxes += 1;
    }
    assert!(mailboxes > 2 && messages > 5, "{mailboxes} {messages}");
}

fn message(view: &mut dyn Mailbox, seq: Seq, known: &[String], expected: &Value, what: &str) {
    let uid = view.uid(seq).unwrap();
    let what = format!("{what} uid {uid}");
    assert_eq!(u64::from(uid.get()), number(&expected["uid"]), "{what}");
    let state = view.flags(seq).unwrap();
    let mut flags = strings(&expected["flags"]);
    flags.remove("\\Recent");
    assert_eq!(names(state.flags.without(Flags::RECENT)), flags, "{what}");
    let keywords: BTreeSet<String> = state
        .keywords
        .iter()
        .map(|bit| known[bit].clone())
        .collect();
    assert_eq!(keywords, strings(&expected["keywords"]), "{what}");
    let modseq = view.modseq(seq).unwrap().get();
    assert_eq!(modseq, number(&expected["modseq"]), "{what}");
    let mut mail = view.mail(seq).unwrap();
    assert_eq!(
        mail.guid().unwrap(),
        expected["guid"].as_str().unwrap(),
        "{what}"
    );
    assert_eq!(mail.size().unwrap(), number(&expected["size"]), "{what}");
    let told = expected["internaldate"].as_str().unwrap();
    let date = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", told.trim()).unwrap();
    let date = date.to_timestamp().unwrap().as_second();
    assert_eq!(mail.internal_date().unwrap().seconds, date, "{what}");
    // From the cache: files have a new ctime. It knows nothing of what others added.
    let is_cached = !what.starts_with("maildir-unsynced");
    if let Some(told) = expected["savedate"].as_str().filter(|_| is_cached) {
        let date = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", told.trim()).unwrap();
        let date = date.to_timestamp().unwrap().as_second();
        let saved = mail.save_date().unwrap().unwrap().seconds;
        assert_eq!(saved, date, "{what}");
    }
    let mut body = Vec::new();
    mail.body().unwrap().read_to_end(&mut body).unwrap();
    assert_eq!(
        sha256(&with_crlf(&body)),
        expected["body_sha256"].as_str().unwrap(),
        "{what}"
    );
}

#[test]
fn maildir() {
    check("maildir");
}

#[test]
fn maildir_in_directories() {
    check("maildirfs");
}

#[test]
fn maildir_with_rotated_logs() {
    check("maildirrot");
}

/// Others have added, changed and removed files since Dovecot last looked.
#[test]
fn maildir_that_others_changed() {
    check("maildir-unsynced");
}

/// What the index knows is not looked for in the directories.
#[test]
fn the_second_look_lists_nothing() {
    let fixture = Fixture::unpack("maildir");
    let path = fixture.path("INBOX");
    for part in ["new", "cur"] {
        let part = std::fs::File::open(path.join(part)).unwrap();
        let past = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        part.set_modified(past).unwrap();
    }
    let before = fixture.maildir("INBOX").status().unwrap();
    let log = std::fs::read(path.join("dovecot.index.log")).unwrap();
    let (maildir, faults) = fixture.watched("INBOX");
    assert_eq!(maildir.status().unwrap(), before);
    assert_eq!(view(&maildir, Access::ReadOnly).len(), before.messages);
    let calls = faults.calls();
    let touched = |name: &str| calls.iter().any(|call| call.name == name);
    assert!(!touched("read_dir") && !touched("write") && !touched("create"));
    let read_list = calls
        .iter()
        .any(|call| call.name == "open" && call.path.ends_with("dovecot-uidlist"));
    assert!(!read_list, "{calls:?}");
    assert_eq!(std::fs::read(path.join("dovecot.index.log")).unwrap(), log);
}
