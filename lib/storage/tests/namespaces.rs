//! Public, shared and aliased namespaces, and what the configuration says of mailboxes by pattern.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use mailbox::{Error, MailStore, MailboxName, NamespaceKind};
use storage::{
    Auto, Kind, MailUser, MailboxSettings, NamespaceSettings, Settings, Shared, Storage, Visibility,
};
use sys::fs::Fs;

fn namespace(prefix: &str, location: &str) -> NamespaceSettings {
    NamespaceSettings {
        name: prefix.to_owned(),
        prefix: prefix.to_owned(),
        location: location.to_owned(),
        separator: "/".to_owned(),
        inbox: false,
        ..NamespaceSettings::default()
    }
}

fn store(home: &tempfile::TempDir, more: Vec<NamespaceSettings>) -> Storage {
    let mut own = namespace("", "maildir:~/Maildir");
    own.inbox = true;
    let settings = Settings {
        namespace: [vec![own], more].concat(),
        ..Settings::default()
    };
    let user = MailUser {
        name: "a@b".to_owned(),
        home: Some(home.path().to_str().unwrap().to_owned()),
        variables: Vec::new(),
    };
    Storage::open(&Shared::new(Fs::real()), &user, &settings).unwrap()
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

fn names(store: &mut Storage, pattern: &str) -> Vec<String> {
    let entries = store.list(&[pattern.to_owned()]).unwrap();
    entries.iter().map(|entry| entry.name.to_string()).collect()
}

#[test]
fn public_and_other_users_are_announced() {
    let home = tempfile::tempdir().unwrap();
    let public = NamespaceSettings {
        kind: Kind::Public,
        list: Visibility::Children,
        ..namespace("Public/", "sdbox:~/public")
    };
    let shared = NamespaceSettings {
        kind: Kind::Shared,
        ..namespace("shared/%%u/", "maildir:%%h/Maildir")
    };
    let mut store = store(&home, vec![public, shared]);
    let told: Vec<(String, NamespaceKind)> = store
        .namespaces()
        .into_iter()
        .map(|namespace| (namespace.prefix, namespace.kind))
        .collect();
    assert_eq!(
        told,
        [
            (String::new(), NamespaceKind::Personal),
            ("Public/".to_owned(), NamespaceKind::Shared),
            ("shared/".to_owned(), NamespaceKind::OtherUsers),
        ]
    );
    assert_eq!(names(&mut store, "*"), ["INBOX"]);
    // Nobody's INBOX is a mailbox like any other.
    for mailbox in ["Public/INBOX", "Public/News"] {
        store.create(&name(mailbox)).unwrap();
    }
    assert!(
        home.path()
            .join("public/mailboxes/INBOX/dbox-Mails")
            .is_dir()
    );
    assert_eq!(
        names(&mut store, "*"),
        ["INBOX", "Public", "Public/INBOX", "Public/News"]
    );
    for mailbox in ["shared/bob", "shared/bob/INBOX"] {
        let opened = store.status(&name(mailbox));
        assert!(matches!(opened, Err(Error::NotFound { .. })), "{opened:?}");
        assert!(store.create(&name(mailbox)).is_err());
    }
}

#[test]
fn an_alias_has_the_subscriptions_of_its_original() {
    let home = tempfile::tempdir().unwrap();
    let original = namespace("Archive/", "maildir:~/archive");
    let alias = NamespaceSettings {
        alias_for: Some("Archive/".to_owned()),
        hidden: true,
        list: Visibility::No,
        ..namespace("Old/", "maildir:~/archive")
    };
    let mut store = store(&home, vec![original, alias]);
    store.create(&name("Old/2020")).unwrap();
    assert_eq!(store.status(&name("Archive/2020")).unwrap().messages, 0);
    store.subscribe(&name("Old/2020")).unwrap();
    let subscribed = store.list_subscribed(&["*".to_owned()]).unwrap();
    let subscribed: Vec<&str> = subscribed.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(subscribed, ["Archive/2020"]);
    assert_eq!(names(&mut store, "*"), ["INBOX", "Archive", "Archive/2020"]);
    store.unsubscribe(&name("Old/2020")).unwrap();
    assert!(store.list_subscribed(&["*".to_owned()]).unwrap().is_empty());
}

#[test]
fn mailboxes_by_pattern() {
    let home = tempfile::tempdir().unwrap();
    let setting = |name: &str, special_use: &str| MailboxSettings {
        name: name.to_owned(),
        auto: Auto::Create,
        special_use: vec![special_use.to_owned()],
        ..MailboxSettings::default()
    };
    let archive = NamespaceSettings {
        mailbox: vec![setting("*/Sent", "\\Sent"), setting("b/Sent", "\\Archive")],
        ..namespace("Archive/", "maildir:~/archive")
    };
    let mut store = store(&home, vec![archive]);
    for mailbox in ["Archive/a/Sent", "Archive/a/Sent/x"] {
        store.create(&name(mailbox)).unwrap();
    }
    let entries = store.list(&["*Sent*".to_owned()]).unwrap();
    let told: Vec<(&str, Vec<&str>)> = entries
        .iter()
        .map(|entry| {
            let uses = entry.special_use.iter().map(|special| special.0.as_str());
            (entry.name.as_str(), uses.collect())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Archive/a/Sent", vec!["\\Sent"]),
            ("Archive/a/Sent/x", vec![]),
            // Made when it is first used; the pattern makes nothing.
            ("Archive/b/Sent", vec!["\\Archive"]),
        ]
    );
    assert!(matches!(
        store.status(&name("Archive/c/Sent")),
        Err(Error::NotFound { .. })
    ));
    assert!(store.status(&name("Archive/b/Sent")).is_ok());
}
