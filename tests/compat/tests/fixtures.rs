//! Stores that a real Dovecot wrote: ours says what Dovecot said, and after ours Dovecot says it
//! again, without a complaint.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use compat::ours::{self, as_user};
use compat::picture::{Picture, comparable};
use compat::theirs::{self, UID};
use mailbox::{Access, FlagChange, Flags, MailStore, MailboxName, Seq, UidSet};
use storage::{Auto, MailboxSettings, NamespaceSettings, Settings};
use testkit::Fixture;

fn settings(location: &str) -> Settings {
    let special = |name: &str| MailboxSettings {
        name: name.to_owned(),
        auto: Auto::No,
        special_use: vec![format!("\\{name}")],
        ..MailboxSettings::default()
    };
    Settings {
        mail_location: location.to_owned(),
        namespace: vec![NamespaceSettings {
            separator: "/".to_owned(),
            mailbox: ["Drafts", "Sent", "Trash"].map(special).to_vec(),
            ..NamespaceSettings::default()
        }],
        ..Settings::default()
    }
}

/// Ours answers as the JSON says.
fn compare(name: &str, location: &str, adjust: impl Fn(&mut Picture)) -> (Fixture, Picture) {
    let fixture = Fixture::unpack(name);
    let expected = read(&fixture, location, adjust);
    (fixture, expected)
}

/// Ours answers as the JSON says.
fn read(fixture: &Fixture, location: &str, adjust: impl Fn(&mut Picture)) -> Picture {
    let mut expected = Picture::of_fixture(&fixture.expected());
    adjust(&mut expected);
    let home = fixture.directory().join(user(fixture));
    let mut store = ours::fresh(&home, &settings(location));
    as_user(UID, || {
        for access in [Access::ReadOnly, Access::ReadWrite, Access::ReadWrite] {
            let found = ours::picture(&mut store, access);
            assert_pictures(&found, &expected);
        }
        // And from nothing.
        let again = ours::picture(
            &mut ours::fresh(&home, &settings(location)),
            Access::ReadWrite,
        );
        assert_pictures(&again, &expected);
        // A session writes into the list index when it ends, as who it is.
        drop(store);
    });
    expected
}

fn user(fixture: &Fixture) -> String {
    fixture.expected()["user"].as_str().unwrap().to_owned()
}

/// Mailbox by mailbox: a difference in one is readable.
fn assert_pictures(found: &Picture, expected: &Picture) {
    for (name, mailbox) in &expected.mailboxes {
        let ours = found
            .mailboxes
            .get(name)
            .unwrap_or_else(|| panic!("no mailbox {name}"));
        let (ours, mailbox) = comparable(ours, mailbox);
        for (ours, theirs) in ours.messages.iter().zip(&mailbox.messages) {
            assert_eq!(ours, theirs, "message in {name}");
        }
        assert_eq!(ours, mailbox, "mailbox {name}");
    }
    assert_eq!(found.list, expected.list, "LIST");
    assert_eq!(found.subscribed, expected.subscribed, "LSUB");
    let names = |picture: &Picture| picture.mailboxes.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
}

/// Dovecot on what ours left.
fn dovecot_agrees(fixture: &Fixture, location: &str, expected: &Picture) {
    open_to_all(fixture);
    let dovecot = theirs::boot(location, fixture.directory());
    let mut imap = theirs::login(&dovecot, &user(fixture));
    let mut found = theirs::picture(&mut imap);
    for attributes in found.list.values_mut() {
        // What is new is a hint of its list index, for the sessions of one server.
        attributes.retain(|attribute| !["\\Marked", "\\UnMarked"].contains(&&**attribute));
    }
    assert_pictures(&found, expected);
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
}

fn open_to_all(fixture: &Fixture) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(fixture.directory(), mode).unwrap();
}

#[test]
fn maildir() {
    let (fixture, expected) = compare("maildir", "maildir:~/Maildir", |_| {});
    dovecot_agrees(&fixture, "maildir:~/Maildir", &expected);
}

#[test]
fn layout_fs() {
    let location = "maildir:~/Maildir:LAYOUT=fs";
    let (fixture, expected) = compare("maildirfs", location, |_| {});
    dovecot_agrees(&fixture, location, &expected);
}

/// What a format upon the index makes of it; and Dovecot again afterwards.
fn both(name: &str, location: &str) {
    let fixture = Fixture::unpack(name);
    let expected = read(&fixture, location, |_| {});
    dovecot_agrees(
        &fixture,
        &format!("{location}\nmail_plugins = zlib"),
        &expected,
    );
}

#[test]
fn sdbox() {
    both("sdbox", "sdbox:~/sdbox");
}

#[test]
fn mdbox() {
    both("mdbox", "mdbox:~/mdbox");
}

#[test]
fn mdbox_compressed() {
    both("mdboxgz", "mdbox:~/mdbox");
}

#[test]
fn mdbox_on_two_disks() {
    let fixture = Fixture::unpack("mdboxalt");
    // Where the other disk was when the fixture was made.
    let link = fixture.directory().join("mdboxalt/mdbox/dbox-alt-root");
    std::fs::remove_file(link).unwrap();
    let location = "mdbox:~/mdbox:ALT=~/alt";
    let expected = read(&fixture, location, |_| {});
    dovecot_agrees(&fixture, location, &expected);
}

/// Names are in the list index alone.
#[test]
fn mdbox_by_list_index() {
    both("mdboxindex", "mdbox:~/mdbox:LAYOUT=index");
}

#[test]
fn mbox() {
    both("mbox", "mbox:~/mail:INBOX=~/inbox.mbox");
}

#[test]
fn mbox_with_indexes_elsewhere() {
    both("mboxbare", "mbox:~/mail:INBOX=~/inbox.mbox:INDEX=~/index");
}

#[test]
fn rotated_logs() {
    let (fixture, expected) = compare("maildirrot", "maildir:~/Maildir", |_| {});
    dovecot_agrees(&fixture, "maildir:~/Maildir", &expected);
}

#[test]
fn changes_that_nobody_has_looked_at() {
    let (fixture, expected) = compare("maildir-unsynced", "maildir:~/Maildir", |_| {});
    dovecot_agrees(&fixture, "maildir:~/Maildir", &expected);
}

/// What ours changes, Dovecot sees; what Dovecot had keeps its identity.
#[test]
fn dovecot_sees_what_ours_changed() {
    let location = "maildir:~/Maildir";
    let (fixture, _) = compare("maildir", location, |_| {});
    let home = fixture.directory().join(user(&fixture));
    let expected = as_user(UID, || {
        let mut store = ours::fresh(&home, &settings(location));
        let inbox = MailboxName::new("INBOX").unwrap();
        let mut view = store.open(&inbox, Access::ReadWrite).unwrap();
        let uids: UidSet = (1..4).filter_map(|seq| view.uid(Seq::new(seq)?)).collect();
        let new = mailbox::Keyword::new("NewKeyword").unwrap();
        let change = FlagChange::Add(Flags::DELETED, vec![new]);
        view.store_flags(&uids, &change).unwrap();
        view.store_flags(&uids, &FlagChange::Remove(Flags::SEEN, Vec::new()))
            .unwrap();
        let target = MailboxName::new("Neu/Ordner ä").unwrap();
        store.create(&target).unwrap();
        store.subscribe(&target).unwrap();
        store.copy(&mut *view, &uids, &target).unwrap();
        let first: UidSet = view.uid(Seq::MIN).into_iter().collect();
        view.expunge(Some(&first)).unwrap();
        store
            .rename(
                &MailboxName::new("Sub").unwrap(),
                &MailboxName::new("Sup").unwrap(),
            )
            .unwrap();
        store.delete(&MailboxName::new("Empty").unwrap()).unwrap();
        ours::picture(&mut store, Access::ReadWrite)
    });
    dovecot_agrees(&fixture, location, &expected);
}
