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
    /// `None`: not asked, or not kept.
    pub modseq: Option<u64>,
}

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub uid_validity: u32,
    pub uid_next: u32,
    pub unseen: u32,
    /// Keywords that the mailbox knows.
    pub known_keywords: BTreeSet<String>,
    /// `None`: not asked, or not kept.
    pub highest_modseq: Option<u64>,
    pub messages: Vec<Message>,
}

impl Mailbox {
    /// What is said of the whole: UIDVALIDITY, UIDNEXT, unseen messages, HIGHESTMODSEQ.
    #[must_use]
    pub fn numbers(&self) -> (u32, u32, u32, Option<u64>) {
        (
            self.uid_validity,
            self.uid_next,
            self.unseen,
            self.highest_modseq,
        )
    }

    /// All but the keywords that no message has.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.numbers() == other.numbers() && self.messages == other.messages
    }

    /// What is there, whenever it changed.
    #[must_use]
    pub fn without_modseqs(mut self) -> Self {
        self.highest_modseq = None;
        for message in &mut self.messages {
            message.modseq = None;
        }
        self
    }
}

/// Both, with modseqs only if both have some.
#[must_use]
pub fn comparable(one: &Mailbox, other: &Mailbox) -> (Mailbox, Mailbox) {
    let (one, other) = (one.clone(), other.clone());
    match one.highest_modseq.and(other.highest_modseq) {
        Some(_) => (one, other),
        None => (one.without_modseqs(), other.without_modseqs()),
    }
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
        highest_modseq: value["highestmodseq"].as_u64(),
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
        modseq: value["modseq"].as_u64(),
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
