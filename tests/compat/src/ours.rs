//! Our storage, as the user whose mail it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use mailbox::{Access, Flags, ListEntry, MailStore, MailboxName, ModSeq, Seq};
use sha2::{Digest, Sha256};
use storage::{MailUser, Settings, Shared, Storage};
use sys::fs::Fs;

use crate::picture::{Mailbox, Message, Picture};

/// Does something with the rights of `uid`, in this thread.
pub fn as_user<T>(uid: u32, act: impl FnOnce() -> T) -> T {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
    let (root, user) = (Uid::ROOT, Uid::from_raw(uid));
    let (root_group, group) = (Gid::ROOT, Gid::from_raw(uid));
    set_thread_res_gid(root_group, group, root_group).unwrap();
    set_thread_res_uid(root, user, root).unwrap();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
    set_thread_res_uid(root, root, root).unwrap();
    set_thread_res_gid(root_group, root_group, root_group).unwrap();
    match result {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A session on the store in `home`.
#[must_use]
pub fn open(shared: &Arc<Shared>, home: &Path, settings: &Settings) -> Storage {
    let user = MailUser {
        name: "tester".to_owned(),
        home: Some(home.to_str().unwrap().to_owned()),
        variables: Vec::new(),
    };
    Storage::open(shared, &user, settings).unwrap()
}

/// A session in a process of its own, as far as our state goes.
#[must_use]
pub fn fresh(home: &Path, settings: &Settings) -> Storage {
    open(&Shared::new(Fs::real()), home, settings)
}

/// Everything that our storage says.
pub fn picture(store: &mut Storage, access: Access) -> Picture {
    let listed = store.list(&["*".to_owned()]).unwrap();
    let mut mailboxes = BTreeMap::new();
    for entry in listed.iter().filter(|entry| entry.selectable) {
        mailboxes.insert(entry.name.to_string(), mailbox(store, &entry.name, access));
    }
    let (list, subscribed) = names(store);
    Picture {
        mailboxes,
        list,
        subscribed,
    }
}

/// What LIST says, attributes by name; what LSUB says.
pub fn names(store: &mut Storage) -> (BTreeMap<String, BTreeSet<String>>, BTreeSet<String>) {
    let listed = store.list(&["*".to_owned()]).unwrap();
    let subscribed = store.list_subscribed(&["*".to_owned()]).unwrap();
    let with_attributes = |entry: &ListEntry| (entry.name.to_string(), attributes(entry));
    let name = |entry: &ListEntry| entry.name.to_string();
    (
        listed.iter().map(with_attributes).collect(),
        subscribed.iter().map(name).collect(),
    )
}

/// One mailbox.
pub fn mailbox(store: &mut Storage, name: &MailboxName, access: Access) -> Mailbox {
    let status = store.status(name).unwrap();
    let mut view = store.open(name, access).unwrap();
    let now = view.status();
    assert_eq!(
        (
            status.messages,
            status.unseen,
            status.uid_next,
            status.uid_validity
        ),
        (now.messages, now.unseen, now.uid_next, now.uid_validity),
        "STATUS and SELECT of {name}"
    );
    let known: Vec<String> = view.keywords().iter().map(ToString::to_string).collect();
    let mut messages = Vec::new();
    for seq in (1..=view.len()).filter_map(Seq::new) {
        let state = view.flags(seq).unwrap();
        let uid = view.uid(seq).unwrap().get();
        let modseq = view.modseq(seq).map(ModSeq::get);
        let mut mail = view.mail(seq).unwrap();
        let mut body = Vec::new();
        mail.body().unwrap().read_to_end(&mut body).unwrap();
        let body = with_crlf(&body);
        let size = mail.size().unwrap();
        assert_eq!(size, body.len() as u64, "size of {name} {uid}");
        messages.push(Message {
            uid,
            flags: flag_names(state.flags),
            keywords: state
                .keywords
                .iter()
                .map(|bit| known[bit].clone())
                .collect(),
            internal_date: mail.internal_date().unwrap().seconds,
            size,
            guid: mail.guid().unwrap(),
            sha256: sha256(&body),
            modseq,
        });
    }
    Mailbox {
        uid_validity: now.uid_validity.get(),
        uid_next: now.uid_next.get(),
        unseen: now.unseen,
        known_keywords: known.into_iter().collect(),
        highest_modseq: now.highest_modseq.map(ModSeq::get),
        messages,
    }
}

/// Names without `\Recent`.
#[must_use]
pub fn flag_names(flags: Flags) -> BTreeSet<String> {
    let stored = Flags::NAMES
        .iter()
        .filter(|(flag, _)| *flag != Flags::RECENT);
    stored
        .filter(|(flag, _)| flags.contains(*flag))
        .map(|(_, name)| (*name).to_owned())
        .collect()
}

/// Every line ended by CRLF.
#[must_use]
pub fn with_crlf(stored: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(stored.len());
    for &byte in stored {
        if byte == b'\n' && text.last() != Some(&b'\r') {
            text.push(b'\r');
        }
        text.push(byte);
    }
    text
}

/// Hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn attributes(entry: &ListEntry) -> BTreeSet<String> {
    let mut attributes = BTreeSet::new();
    let children = match (entry.no_inferiors, entry.has_children) {
        (true, _) => "\\NoInferiors",
        (false, true) => "\\HasChildren",
        (false, false) => "\\HasNoChildren",
    };
    attributes.insert(children.to_owned());
    if !entry.exists {
        attributes.insert("\\NonExistent".to_owned());
    } else if !entry.selectable {
        attributes.insert("\\Noselect".to_owned());
    }
    if entry.subscribed {
        attributes.insert("\\Subscribed".to_owned());
    }
    attributes.extend(entry.special_use.iter().map(|special| special.0.clone()));
    attributes
}
