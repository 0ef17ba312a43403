//! Messages that one side compressed and the other reads, by every method, in every format that can.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use compat::ours::{self, as_user, sha256};
use compat::picture::comparable;
use compat::theirs::{self, UID};
use compress::Method;
use mailbox::{Access, MailStore, MailboxName, NewMail};
use storage::{NamespaceSettings, Settings};

fn settings(location: &str, method: Method) -> Settings {
    Settings {
        mail_location: location.to_owned(),
        mail_plugins: vec!["zlib".to_owned()],
        plugin: BTreeMap::from([("zlib_save".to_owned(), method.name().to_owned())]),
        namespace: vec![NamespaceSettings {
            separator: "/".to_owned(),
            ..Default::default()
        }],
        ..Settings::default()
    }
}

/// More than a chunk of lz4.
fn text(who: &str) -> String {
    let lines: Vec<String> = (0..8000).map(|line| format!("line {line}\r\n")).collect();
    format!("Subject: {who}\r\n\r\n{}", lines.concat())
}

fn ours_saves(home: &Path, settings: &Settings) {
    let mut store = ours::fresh(home, settings);
    let inbox = MailboxName::new("INBOX").unwrap();
    for who in ["ours", "short"] {
        let text = match who {
            "short" => "Subject: short\r\n\r\n".to_owned(),
            who => text(who),
        };
        let mut save = store.begin_save(&inbox).unwrap();
        save.save(&NewMail::default(), &mut text.as_bytes())
            .unwrap();
        save.commit().unwrap();
    }
}

/// How the messages of a Maildir are compressed.
fn methods(maildir: &Path) -> Vec<Option<Method>> {
    let parts = ["cur", "new"].map(|part| std::fs::read_dir(maildir.join(part)).unwrap());
    let files = parts
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path());
    let methods = files.map(|path| Method::recognise(&std::fs::read(path).unwrap()));
    methods.collect()
}

fn play(location: &str, method: Method) {
    let share = tempfile::tempdir().unwrap();
    let home = theirs::make_home(share.path(), "packed");
    // 2.3.19 reads xz and writes it no more.
    let theirs_packs = method != Method::Xz;
    let save = match theirs_packs {
        true => format!("zlib_save = {method}"),
        false => String::new(),
    };
    let zlib = format!("mail_plugins = zlib\nplugin {{\n  {save}\n}}\n");
    let dovecot = theirs::boot(&format!("{location}\n{zlib}"), share.path());
    let mut imap = theirs::login(&dovecot, "packed");
    assert!(imap.append("INBOX", "", text("theirs").as_bytes()).is_ok());
    let settings = settings(location, method);
    as_user(UID, || ours_saves(&home, &settings));
    let theirs = theirs::mailbox(&mut theirs::login(&dovecot, "packed"), "INBOX");
    let found = as_user(UID, || {
        let mut store = ours::fresh(&home, &settings);
        ours::mailbox(
            &mut store,
            &MailboxName::new("INBOX").unwrap(),
            Access::ReadOnly,
        )
    });
    let (found, theirs) = comparable(&found, &theirs);
    assert_eq!(found, theirs, "{location} {method}");
    assert_eq!(found.messages.len(), 3);
    assert!(
        found
            .messages
            .iter()
            .any(|message| message.sha256 == sha256(text("ours").as_bytes()))
    );
    if location.starts_with("maildir") {
        let mut packed = methods(&home.join("Maildir"));
        packed.retain(|found| *found == Some(method));
        assert_eq!(packed.len(), 2 + usize::from(theirs_packs));
    }
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
}

#[test]
fn maildir() {
    for method in Method::ALL {
        play("maildir:~/Maildir", method);
    }
}

#[test]
fn sdbox() {
    for method in Method::ALL {
        play("sdbox:~/sdbox", method);
    }
}
