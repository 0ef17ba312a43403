//! What the suites of the index share: where the fixtures have their indexes.
#![allow(clippy::unwrap_used, dead_code, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use index::{Index, Options};
use mailbox::{Durability, Settings};
use sys::fs::Fs;

/// Every fixture.
pub const FIXTURES: [&str; 13] = [
    "maildir",
    "maildir-unsynced",
    "maildirfs",
    "maildirrot",
    "mbox",
    "mboxbare",
    "mdbox",
    "mdboxalt",
    "mdboxgz",
    "mdboxindex",
    "sdbox",
    "sdbox-sieve",
    "sdboxattach",
];

/// As the tests want it: quick, impatient.
pub fn options() -> Options {
    let settings = Settings {
        durability: Durability::Unsynced,
        ..Settings::default()
    };
    Options {
        lock_timeout: std::time::Duration::from_secs(20),
        ..Options::mailbox(&settings)
    }
}

/// Opens a mailbox's index.
pub fn open(dir: &Path) -> Index {
    Index::open(&Fs::real(), dir, options()).unwrap()
}

/// Every file below `dir` whose name is that of a file of an index; `suffix` chooses among them.
pub fn files(dir: &Path, suffix: impl Fn(&str) -> bool + Copy) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path, suffix));
        } else if suffix(&name) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `…index.log`, `…index.log.2`.
pub fn is_log(name: &str) -> bool {
    name.ends_with("index.log") || name.ends_with("index.log.2")
}

/// `…index`, `…index.backup`.
pub fn is_checkpoint(name: &str) -> bool {
    name.ends_with(".index") || name.ends_with(".index.backup")
}

/// Where a fixture has the index of a mailbox.
pub fn place(fixture: &str, home: &Path, mailbox: &str) -> Option<PathBuf> {
    let dir = match fixture {
        "maildir" | "maildir-unsynced" | "maildirrot" if mailbox == "INBOX" => home.join("Maildir"),
        "maildir" | "maildir-unsynced" | "maildirrot" => home
            .join("Maildir")
            .join(format!(".{}", mailbox.replace('/', "."))),
        "maildirfs" if mailbox == "INBOX" => home.join("Maildir"),
        "maildirfs" => home.join("Maildir").join(mailbox),
        "mbox" | "mboxbare" => {
            let root = home.join(if fixture == "mbox" { "mail" } else { "index" });
            match mailbox.rsplit_once('/') {
                Some((above, name)) => root.join(above).join(".imap").join(name),
                None => root.join(".imap").join(mailbox),
            }
        }
        // Mailboxes are directories of GUIDs there.
        "mdboxindex" => return None,
        _ => {
            let root = if fixture.starts_with("mdbox") {
                "mdbox"
            } else {
                "sdbox"
            };
            home.join(root)
                .join("mailboxes")
                .join(mailbox)
                .join("dbox-Mails")
        }
    };
    dir.exists().then_some(dir)
}
