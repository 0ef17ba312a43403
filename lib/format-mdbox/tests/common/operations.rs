//! The changes that a mailbox can undergo, and what must hold after each, whatever goes wrong.

use std::collections::BTreeMap;
use std::path::Path;

use format_mdbox::rebuild::{Extent, Run};
use mailbox::{Access, Error, FlagChange, Flags, NewMail, StoredMailbox, Uid, UidSet};

use super::{Store, append, message, open, references, seen};

pub type Content = BTreeMap<String, Vec<(u32, String)>>;

/// What an operation does, and what it may do to each mailbox.
pub struct Operation {
    pub name: &'static str,
    pub run: fn(&Store) -> Result<(), Error>,
    /// The content after it.
    pub after: fn(&mut Content),
    pub rotate_size: u64,
}

fn uids(numbers: impl IntoIterator<Item = u32>) -> UidSet {
    numbers.into_iter().filter_map(Uid::new).collect()
}

fn entry(uid: u32, number: u32) -> (u32, String) {
    (uid, super::hash(&message(number)))
}

pub const OPERATIONS: [Operation; 7] = [
    Operation {
        name: "save",
        run: |store| {
            let bodies = [message(10), message(11)];
            append(&store.mailbox("INBOX"), &bodies, &NewMail::default()).map(|_| ())
        },
        after: |content| {
            let inbox = content.get_mut("INBOX").unwrap();
            inbox.extend([entry(5, 10), entry(6, 11)]);
        },
        rotate_size: 1 << 20,
    },
    Operation {
        name: "save to a new file",
        run: |store| {
            append(&store.mailbox("INBOX"), &[message(10)], &NewMail::default()).map(|_| ())
        },
        after: |content| content.get_mut("INBOX").unwrap().push(entry(5, 10)),
        rotate_size: 100,
    },
    Operation {
        name: "copy",
        run: |store| {
            let inbox = store.mailbox("INBOX");
            let name = StoredMailbox::name(&*inbox).clone();
            let mut view = inbox.open(&name, Access::ReadOnly)?;
            let other = store.mailbox("Other");
            other.copy_from(view.as_mut(), &uids([1, 3])).map(|_| ())
        },
        after: |content| {
            let other = content.get_mut("Other").unwrap();
            other.extend([entry(2, 1), entry(3, 3)]);
        },
        rotate_size: 1 << 20,
    },
    Operation {
        name: "expunge",
        run: |store| {
            let mut view = super::try_open(&store.mailbox("INBOX"))?;
            view.remove(&uids([1, 3]))
        },
        after: |content| {
            content
                .get_mut("INBOX")
                .unwrap()
                .retain(|(uid, _)| *uid == 4)
        },
        rotate_size: 1 << 20,
    },
    Operation {
        name: "flags",
        run: |store| {
            let mut view = super::try_open(&store.mailbox("INBOX"))?;
            let change = FlagChange::Add(Flags::SEEN, vec![super::keyword("$new")]);
            view.store_flags(&uids([1, 3]), &change)
        },
        after: |_| {},
        rotate_size: 1 << 20,
    },
    Operation {
        name: "purge",
        run: |store| store.storage.purge(&mut |_, _| {}).map(|_| ()),
        after: |_| {},
        rotate_size: 1 << 20,
    },
    Operation {
        name: "delete",
        run: |store| store.mailbox("Other").prepare_delete(),
        after: |content| {
            content.remove("Other");
        },
        rotate_size: 1 << 20,
    },
];

/// INBOX with messages 1, 3 and 4, a copy of the first in Other, garbage in the file.
pub fn prepare(root: &Path) {
    let store = Store::open(root);
    let (inbox, other) = (store.create("INBOX"), store.create("Other"));
    let bodies = [message(1), message(2), message(3), message(4)];
    append(&inbox, &bodies, &NewMail::default()).unwrap();
    let mut view = open(&inbox, Access::ReadWrite);
    other.copy_from(view.as_mut(), &uids([1])).unwrap();
    view.remove(&uids([2])).unwrap();
}

pub fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_tree(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

pub fn content(store: &Store) -> Content {
    let mut content = Content::new();
    for name in ["INBOX", "Other"] {
        if let Ok(mut view) = super::try_open(&store.mailbox(name)) {
            let shown = seen(view.as_mut()).into_iter();
            let shown = shown.map(|seen| (seen.uid, seen.sha256)).collect();
            content.insert(name.to_owned(), shown);
        }
    }
    content
}

/// Counts are not lower than what mailboxes hold.
fn counts_suffice(store: &Store, what: &str) {
    let counts = references(&store.storage);
    let low = store.storage.rebuild(Extent::Relink, Run::Dry).unwrap();
    assert_eq!(low, [], "{what}: {counts:?}");
}

pub fn check(root: &Path, before: &Content, after: &Content, (what, done): (&str, bool)) {
    let store = Store::open(root);
    let now = content(&store);
    if done {
        assert_eq!(now, *after, "{what}");
    } else {
        // A message for each mailbox's part: a delete may be half done.
        let as_before = now == *before;
        let half = what.starts_with("delete")
            && now.get("INBOX") == before.get("INBOX")
            && now.get("Other").is_none_or(Vec::is_empty);
        assert!(as_before || now == *after || half, "{what}: {now:?}");
    }
    counts_suffice(&store, what);
    store.storage.purge(&mut |_, _| {}).unwrap();
    assert_eq!(content(&store), now, "{what}: after a purge");
    let inbox = store.mailbox("INBOX");
    let appended = append(&inbox, &[message(99)], &NewMail::default()).unwrap();
    let last = now["INBOX"].iter().map(|(uid, _)| *uid).max().unwrap_or(0);
    assert!(appended.uids[0].get() > last, "{what}: a UID twice");
    let (_, body) = content(&store)["INBOX"].last().cloned().unwrap();
    assert_eq!(body, super::hash(&message(99)), "{what}");
    counts_suffice(&store, what);
}
