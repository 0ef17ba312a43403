//! What a server says about a store, in a form that two servers' answers can be compared in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub uid: u32,
    /// Without `\Recent`, which belongs to a session.
    pub flags: BTreeSet<String>,
    pub keywords: BTreeSet<String>,
    /// UNIX seconds.
    pub internal_date: i64,
    pub size: u64,
    pub guid: String,
    /// Of the whole message with CRLF, hexadecimal.
    pub sha256: String,
}

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub uid_validity: u32,
    pub uid_next: u32,
    pub unseen: u32,
    /// Keywords that the mailbox knows.
    pub known_keywords: BTreeSet<String>,
    pub messages: Vec<Message>,
}

/// One store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// By name, UTF-8.
    pub mailboxes: BTreeMap<String, Mailbox>,
    /// Attributes by name: what LIST says.
    pub list: BTreeMap<String, BTreeSet<String>>,
    /// What LSUB says.
    pub subscribed: BTreeSet<String>,
}

impl Picture {
    /// What Dovecot said about a fixture when it was made.
    #[must_use]
    pub fn of_fixture(expected: &Value) -> Self {
        let mailboxes = expected["mailboxes"].as_object().unwrap();
        Self {
            mailboxes: mailboxes
                .iter()
                .map(|(name, m)| (utf8(name), mailbox(m)))
                .collect(),
            list: expected["list"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| {
                    (
                        utf8(entry["name"].as_str().unwrap()),
                        strings(&entry["attrs"]),
                    )
                })
                .collect(),
            subscribed: expected["lsub"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| utf8(entry["name"].as_str().unwrap()))
                .collect(),
        }
    }
}

fn mailbox(value: &Value) -> Mailbox {
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let known = strings(&value["flags_list"]);
    Mailbox {
        uid_validity: number(&value["uidvalidity"]),
        uid_next: number(&value["uidnext"]),
        unseen: number(&value["status"]["UNSEEN"]),
        known_keywords: known
            .into_iter()
            .filter(|flag| !flag.starts_with('\\'))
            .collect(),
        messages: value["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(message)
            .collect(),
    }
}

fn message(value: &Value) -> Message {
    let mut flags = strings(&value["flags"]);
    flags.remove("\\Recent");
    Message {
        uid: u32::try_from(value["uid"].as_u64().unwrap()).unwrap(),
        flags,
        keywords: strings(&value["keywords"]),
        internal_date: seconds(value["internaldate"].as_str().unwrap()),
        size: value["size"].as_u64().unwrap(),
        guid: value["guid"].as_str().unwrap().to_owned(),
        sha256: value["body_sha256"].as_str().unwrap().to_owned(),
    }
}

fn strings(value: &Value) -> BTreeSet<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s.as_str().unwrap().to_owned())
        .collect()
}

/// A mailbox name as IMAP has it.
#[must_use]
pub fn utf8(name: &str) -> String {
    storage::mutf7::decode(name.as_bytes()).unwrap()
}

/// `31-Jan-2024 23:00:00 +0000`
#[must_use]
pub fn seconds(internal_date: &str) -> i64 {
    let format = "%d-%b-%Y %H:%M:%S %z";
    let time = jiff::fmt::strtime::parse(format, internal_date.trim()).unwrap();
    time.to_timestamp().unwrap().as_second()
}
