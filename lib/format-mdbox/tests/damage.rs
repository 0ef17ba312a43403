//! Every byte of map, mail file and mailbox index wrong, and every truncation of them: no panic, no wrong
//! body, and everything that is still somewhere is found again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::operations::copy_tree;
use common::{Seen, Store, append, message, open, seen};
use mailbox::{Access, MailDate, Mailbox, NewMail, Seq, StoredMailbox};

const MAILBOXES: [&str; 2] = ["INBOX", "Other"];

type Picture = BTreeMap<&'static str, Vec<Seen>>;

fn prepare(root: &Path) -> Picture {
    let store = Store::open(root);
    let (inbox, other) = (store.create("INBOX"), store.create("Other"));
    for number in 1..4 {
        let mail = NewMail {
            keywords: vec![common::keyword("one")],
            internal_date: Some(MailDate::local(1_700_000_000 + i64::from(number))),
            ..NewMail::default()
        };
        append(&inbox, &[message(number)], &mail).unwrap();
    }
    let mut view = open(&inbox, Access::ReadWrite);
    let first = [view.uid(Seq::MIN).unwrap()].into_iter().collect();
    other.clone().copy_from(view.as_mut(), &first).unwrap();
    MAILBOXES
        .map(|name| {
            (
                name,
                seen(open(&store.mailbox(name), Access::ReadWrite).as_mut()),
            )
        })
        .into()
}

/// What can be seen: UID and what is shown, or `None` for an error.
fn look(root: &Path, name: &str) -> Option<Vec<(u32, Option<Seen>)>> {
    let store = Store::open(root);
    let mailbox = store.mailbox(name);
    if !mailbox.exists().unwrap() {
        return None;
    }
    let mut view: Box<dyn Mailbox> = common::try_open(&mailbox).ok()?;
    let mut all = Vec::new();
    for seq in (1..=view.len()).filter_map(Seq::new) {
        let uid = view.uid(seq).unwrap().get();
        all.push((uid, common::one(view.as_mut(), seq).ok()));
    }
    Some(all)
}

/// Damages a file in every way, each on a fresh copy.
fn each_damage(template: &Path, file: &str, check: &mut dyn FnMut(&Path, &str, usize)) {
    let sound = std::fs::read(template.join(file)).unwrap();
    let home = common::scratch();
    let root: PathBuf = home.path().join("mdbox");
    let mut attempt = |bytes: &[u8], what: &str, at: usize| {
        let _ = std::fs::remove_dir_all(&root);
        copy_tree(template, &root);
        std::fs::write(root.join(file), bytes).unwrap();
        check(&root, &format!("{file}: {what} {at}"), at);
    };
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 0xff;
        attempt(&bytes, "byte", at);
        bytes[at] = sound[at] ^ 1;
        attempt(&bytes, "bit of byte", at);
        attempt(&sound[..at], "truncated to", at);
    }
}

#[test]
fn a_damaged_map_costs_nothing() {
    let home = common::scratch();
    let template = home.path().join("mdbox");
    let sound = prepare(&template);
    each_damage(
        &template,
        "storage/dovecot.map.index.log",
        &mut |root, what, _| {
            for (name, expected) in &sound {
                let found = look(root, name).unwrap_or_else(|| panic!("{what}: no {name}"));
                let found: Vec<Option<Seen>> = found.into_iter().map(|(_, seen)| seen).collect();
                let expected: Vec<Option<Seen>> = expected.iter().cloned().map(Some).collect();
                assert_eq!(found, expected, "{what}: {name}");
            }
        },
    );
}

#[test]
fn a_damaged_mail_file_costs_one_message_at_most() {
    let home = common::scratch();
    let template = home.path().join("mdbox");
    let sound = prepare(&template);
    let size = std::fs::read(template.join("storage/m.1")).unwrap().len();
    each_damage(&template, "storage/m.1", &mut |root, what, at| {
        for (name, expected) in &sound {
            let found = look(root, name).unwrap_or_else(|| panic!("{what}: no {name}"));
            assert_eq!(found.len(), expected.len(), "{what}: {name}");
            let mut differ = 0;
            for ((uid, found), expected) in found.iter().zip(expected) {
                assert_eq!(*uid, expected.uid, "{what}");
                let Some(found) = found else {
                    differ += 1;
                    continue;
                };
                assert_eq!(found.flags, expected.flags, "{what}");
                assert_eq!(found.keywords, expected.keywords, "{what}");
                let others = expected_bodies(&sound, expected);
                assert!(!others.contains(&found.sha256), "{what}: wrong body");
                differ += usize::from(found != expected);
            }
            let is_cut = what.contains("truncated");
            let lost = (size - at) * expected.len() / size + 1;
            let limit = if is_cut { lost.max(1) } else { 1 };
            assert!(differ <= limit, "{what}: {name}: {differ} differ");
        }
    });
}

fn expected_bodies(sound: &Picture, but: &Seen) -> Vec<String> {
    let all = sound.values().flatten();
    let others = all.filter(|seen| seen.guid != but.guid);
    others.map(|seen| seen.sha256.clone()).collect()
}

#[test]
fn a_damaged_mailbox_shows_no_wrong_body() {
    let home = common::scratch();
    let template = home.path().join("mdbox");
    let sound = prepare(&template);
    let bodies: BTreeMap<String, String> = sound
        .values()
        .flatten()
        .map(|seen| (seen.guid.clone(), seen.sha256.clone()))
        .collect();
    let file = "mailboxes/INBOX/dbox-Mails/dovecot.index.log";
    each_damage(&template, file, &mut |root, what, _| {
        for (_, seen) in look(root, "INBOX").unwrap_or_default() {
            if let Some(seen) = seen {
                assert_eq!(bodies.get(&seen.guid), Some(&seen.sha256), "{what}");
            }
        }
        let other = look(root, "Other").unwrap();
        let other: Vec<_> = other.into_iter().filter_map(|(_, seen)| seen).collect();
        assert_eq!(other, sound["Other"], "{what}");
    });
}

#[test]
fn a_mailbox_whose_index_is_lost_gets_its_messages_back() {
    use format_mdbox::rebuild::{Extent, Run};
    let home = common::scratch();
    let template = home.path().join("template/mdbox");
    let sound = prepare(&template);
    let file = "mailboxes/INBOX/dbox-Mails/dovecot.index.log";
    for size in [None, Some(0), Some(1), Some(39), Some(40), Some(60)] {
        let root = home.path().join("copy/mdbox");
        let _ = std::fs::remove_dir_all(&root);
        copy_tree(&template, &root);
        match size {
            None => std::fs::remove_file(root.join(file)).unwrap(),
            Some(size) => {
                let log = std::fs::OpenOptions::new()
                    .write(true)
                    .open(root.join(file));
                log.unwrap().set_len(size).unwrap();
            }
        }
        let store = Store::open(&root);
        assert_eq!(open(&store.mailbox("INBOX"), Access::ReadWrite).len(), 0);
        // Nobody refers to them any more, but that is no reason to remove them.
        store.storage.purge(&mut |_, _| {}).unwrap();
        store
            .storage
            .rebuild(Extent::Everything, Run::Real)
            .unwrap();
        // The first has a copy elsewhere.
        let back = look(&root, "INBOX").unwrap().into_iter();
        let back: Vec<String> = back.map(|(_, seen)| seen.unwrap().sha256).collect();
        let lost = sound["INBOX"].iter().skip(1);
        let lost: Vec<String> = lost.map(|seen| seen.sha256.clone()).collect();
        assert_eq!(back, lost, "{size:?}");
        let again = store.storage.rebuild(Extent::Everything, Run::Real);
        assert_eq!(again.unwrap(), []);
    }
}
