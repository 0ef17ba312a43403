//! What Dovecot wrote is read as Dovecot reads it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::io::Read;

use common::{Fixture, sha256, view, with_crlf};
use mailbox::{Access, Flags, Mailbox, Seq, StoredMailbox};
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
        let sdbox = fixture.sdbox(&name);
        let what = format!("{fixture_name} {name}");
        let status = sdbox.status().unwrap();
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
            sdbox.guid().unwrap().to_string(),
            expected["status"]["X-GUID"].as_str().unwrap()
        );
        let mut view = view(&sdbox, Access::ReadOnly);
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
            message(
                view.as_mut(),
                Seq::new(seq).unwrap(),
                &known,
                expected,
                &what,
            );
            messages += 1;
        }
        mailboxes += 1;
    }
    assert!(mailboxes > 8 && messages > 20, "{mailboxes} {messages}");
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
    // From the cache: files have a new ctime.
    if let Some(told) = expected["savedate"].as_str() {
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
fn sdbox() {
    check("sdbox");
}

#[test]
fn sdbox_with_sieve() {
    check("sdbox-sieve");
}

#[test]
fn sdbox_with_attachments() {
    check("sdboxattach");
}
