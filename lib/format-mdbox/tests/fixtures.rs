//! Stores that Dovecot wrote say what Dovecot said.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::{Seen, Store, open, seen};
use mailbox::{Access, StoredMailbox};
use serde_json::Value;
use testkit::Fixture;

const STORES: [&str; 4] = ["mdbox", "mdboxalt", "mdboxgz", "mdboxindex"];

fn seconds(date: &str) -> i64 {
    let parsed = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", date.trim_start());
    parsed.unwrap().to_timestamp().unwrap().as_second()
}

fn strings(value: &Value) -> BTreeSet<String> {
    let all = value.as_array().unwrap().iter();
    all.map(|text| text.as_str().unwrap().to_owned())
        .filter(|flag| flag != "\\Recent")
        .collect()
}

fn expected(message: &Value) -> Seen {
    let text = |key: &str| message[key].as_str().unwrap().to_owned();
    let number = |key: &str| message[key].as_u64().unwrap();
    Seen {
        uid: u32::try_from(number("uid")).unwrap(),
        flags: strings(&message["flags"]),
        keywords: strings(&message["keywords"]),
        modseq: number("modseq"),
        internal_date: seconds(&text("internaldate")),
        save_date: seconds(&text("savedate")),
        size: number("size"),
        guid: text("guid"),
        sha256: text("body_sha256"),
    }
}

/// Where mailboxes are in a store with `LAYOUT=index`: their GUIDs.
fn place(store: &str, name: &str, mailbox: &Value) -> String {
    match store {
        "mdboxindex" => mailbox["status"]["X-GUID"].as_str().unwrap().to_owned(),
        _ => name.to_owned(),
    }
}

fn compare(fixture: &Fixture, name: &str, access: Access) {
    let store = Store::open(&fixture.home().join("mdbox"));
    let answers = fixture.expected();
    for (mailbox, said) in answers["mailboxes"].as_object().unwrap() {
        let opened = store.mailbox(&place(name, mailbox, said));
        assert!(opened.exists().unwrap());
        let guid = said["status"]["X-GUID"].as_str().unwrap();
        assert_eq!(opened.guid().unwrap().to_string(), guid);
        let mut view = open(&opened, access);
        let status = view.status();
        let number = |key: &str| said[key].as_u64().unwrap();
        assert_eq!(u64::from(status.uid_validity.get()), number("uidvalidity"));
        assert_eq!(u64::from(status.uid_next.get()), number("uidnext"));
        assert_eq!(
            status.highest_modseq.unwrap().get(),
            number("highestmodseq"),
            "{mailbox}"
        );
        let messages = said["messages"].as_array().unwrap();
        let messages: Vec<Seen> = messages.iter().map(expected).collect();
        for (ours, theirs) in seen(view.as_mut()).iter().zip(&messages) {
            assert_eq!(ours, theirs, "{name}: {mailbox}");
        }
        assert_eq!(view.len() as usize, messages.len());
    }
}

#[test]
fn stores_of_dovecot() {
    for name in STORES {
        let fixture = Fixture::unpack(name);
        compare(&fixture, name, Access::ReadOnly);
        compare(&fixture, name, Access::ReadWrite);
        compare(&fixture, name, Access::ReadWrite);
    }
}

#[test]
fn nothing_to_rebuild() {
    use format_mdbox::rebuild::{Extent, Run};
    for name in STORES {
        let fixture = Fixture::unpack(name);
        let store = Store::open(&fixture.home().join("mdbox"));
        for extent in [Extent::Relink, Extent::Everything] {
            let found = store.storage.rebuild(extent, Run::Dry).unwrap();
            assert_eq!(found, [], "{name}");
        }
    }
}

#[test]
fn purged_stores_say_the_same() {
    for name in STORES {
        let fixture = Fixture::unpack(name);
        let store = Store::open(&fixture.home().join("mdbox"));
        store.storage.purge(&mut |_, _| {}).unwrap();
        assert!(
            common::references(&store.storage)
                .values()
                .all(|&count| count > 0)
        );
        compare(&fixture, name, Access::ReadWrite);
    }
}
