//! A Maildir in a temporary directory, on a file system that fails on demand.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    missing_docs,
    reason = "helpers of tests"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use format_maildir::Maildir;
use format_maildir::View;
use format_maildir::save::Saving;
use format_maildir::settings::Options;
use mailbox::{
    Access, Context, Durability, Error, Flags, Keyword, MailDate, Mailbox, MailboxName, NewMail,
    NewUidValidity, Place, Save, Seq, Settings, Uid, UidSet, UidValidity,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};

#[derive(Default)]
pub struct Counter(AtomicU32);

impl NewUidValidity for Counter {
    fn next(&self) -> Result<UidValidity, Error> {
        Ok(UidValidity::new(self.0.fetch_add(1, Ordering::Relaxed) + 1).unwrap())
    }
}

pub struct Rig {
    pub home: tempfile::TempDir,
    pub faults: Arc<FaultyFs>,
    pub counter: Arc<Counter>,
    pub maildir: Arc<Maildir>,
}

/// Body, flags and keywords by UID, in order.
pub type Content = BTreeMap<u32, (Vec<u8>, Flags, Vec<String>)>;

impl Rig {
    /// Empty, but for what `prepare` puts there.
    pub fn with(prepare: impl FnOnce(&Path)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("Maildir");
        for part in ["tmp", "new", "cur"] {
            std::fs::create_dir_all(dir.join(part)).unwrap();
        }
        prepare(&dir);
        let faults = Arc::new(FaultyFs::new(Fault::None));
        let counter = Arc::new(Counter(AtomicU32::new(999)));
        let maildir = open(&home, &faults, &counter, Durability::Synced);
        Self {
            home,
            faults,
            counter,
            maildir,
        }
    }

    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn dir(&self) -> PathBuf {
        self.home.path().join("Maildir")
    }

    pub fn list(&self) -> String {
        std::fs::read_to_string(self.dir().join("dovecot-uidlist")).unwrap()
    }

    /// As another process sees it.
    pub fn other(&self) -> Arc<Maildir> {
        open(&self.home, &self.faults, &self.counter, Durability::Synced)
    }

    /// As another process that syncs nothing: quick, to prepare a test.
    pub fn hasty(&self) -> Arc<Maildir> {
        open(
            &self.home,
            &self.faults,
            &self.counter,
            Durability::Unsynced,
        )
    }

    pub fn view(&self) -> View {
        view(&self.maildir, Access::ReadWrite)
    }

    pub fn save(&self, text: &str) -> Uid {
        save(&self.maildir, text, Flags::empty(), &[]).unwrap()
    }

    pub fn content(&self) -> Content {
        content(&self.other())
    }

    /// The lock of a process that was killed: the next one breaks it.
    pub fn break_locks(&self) {
        for lock in ["dovecot-uidlist.lock", "dovecot-keywords.lock"] {
            let _ = std::fs::remove_file(self.dir().join(lock));
        }
    }
}

fn open(
    home: &tempfile::TempDir,
    faults: &Arc<FaultyFs>,
    counter: &Arc<Counter>,
    durability: Durability,
) -> Arc<Maildir> {
    open_at(home.path().join("Maildir"), faults, counter, durability)
}

pub fn open_at(
    path: PathBuf,
    faults: &Arc<FaultyFs>,
    counter: &Arc<Counter>,
    durability: Durability,
) -> Arc<Maildir> {
    let context = Context {
        fs: Fs::new(Arc::clone(faults) as _),
        place: place(path),
        name: MailboxName::new("INBOX").unwrap(),
        settings: Settings {
            durability,
            ..Settings::default()
        },
        uid_validities: Arc::clone(counter) as _,
    };
    Arc::new(Maildir::new(context, Options::default()))
}

/// A private copy of a fixture; gone on drop.
pub struct Fixture {
    name: String,
    dir: tempfile::TempDir,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/dovecot-2.3.19")
}

impl Fixture {
    pub fn unpack(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tar = Command::new("tar")
            .args(["--zstd", "--no-same-owner", "-xf"])
            .arg(fixtures().join(format!("{name}.tar.zst")))
            .arg("-C")
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(tar.success());
        let name = name.to_owned();
        Self { name, dir }
    }

    pub fn mailboxes(&self) -> serde_json::Map<String, Value> {
        let text = std::fs::read(fixtures().join(format!("{}.json", self.name))).unwrap();
        let expected: Value = serde_json::from_slice(&text).unwrap();
        expected["mailboxes"].as_object().unwrap().clone()
    }

    /// Directory of a mailbox by its name in IMAP.
    pub fn path(&self, mailbox: &str) -> PathBuf {
        let mut entries = std::fs::read_dir(self.dir.path()).unwrap();
        let root = entries.next().unwrap().unwrap().path().join("Maildir");
        match mailbox {
            "INBOX" => root,
            _ if self.name == "maildirfs" => root.join(mailbox),
            _ => root.join(format!(".{}", mailbox.replace('/', "."))),
        }
    }

    pub fn maildir(&self, mailbox: &str) -> Arc<Maildir> {
        self.watched(mailbox).0
    }

    /// The same with what it asks of the disk.
    pub fn watched(&self, mailbox: &str) -> (Arc<Maildir>, Arc<FaultyFs>) {
        let faults = Arc::new(FaultyFs::new(Fault::None));
        let counter = Arc::default();
        let path = self.path(mailbox);
        (open_at(path, &faults, &counter, Durability::Synced), faults)
    }
}

/// With every line ended by CRLF.
pub fn with_crlf(stored: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for &byte in stored {
        if byte == b'\n' && text.last() != Some(&b'\r') {
            text.push(b'\r');
        }
        text.push(byte);
    }
    text
}

pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything in one directory.
pub fn place(dir: PathBuf) -> Place {
    Place {
        control: dir.clone(),
        index: Some(dir.clone()),
        mail: dir,
        alt: None,
    }
}

pub fn view(maildir: &Arc<Maildir>, access: Access) -> View {
    View::open(
        Arc::clone(maildir),
        MailboxName::new("INBOX").unwrap(),
        access,
    )
    .unwrap()
}

pub fn save(
    maildir: &Arc<Maildir>,
    text: &str,
    flags: Flags,
    keywords: &[&str],
) -> Result<Uid, Error> {
    let mut saving = Saving::begin(Arc::clone(maildir));
    let mail = NewMail {
        flags,
        keywords: keywords
            .iter()
            .map(|name| Keyword::new(name).unwrap())
            .collect(),
        internal_date: Some(MailDate {
            seconds: 1_500_000_000,
            offset_minutes: 0,
        }),
        ..NewMail::default()
    };
    Save::save(&mut saving, &mail, &mut text.as_bytes())?;
    Ok(saving.commit()?.uids[0])
}

pub fn content(maildir: &Arc<Maildir>) -> Content {
    let mut view = view(maildir, Access::ReadOnly);
    let mut all = Content::new();
    for seq in (1..=view.len()).filter_map(Seq::new) {
        let uid = view.uid(seq).unwrap().get();
        let state = view.flags(seq).unwrap();
        let names = view.keywords().to_vec();
        let keywords = state
            .keywords
            .iter()
            .map(|bit| names[bit].to_string())
            .collect();
        let mut body = Vec::new();
        let mut mail = view.mail(seq).unwrap();
        std::io::Read::read_to_end(&mut mail.body().unwrap(), &mut body).unwrap();
        drop(mail);
        let earlier = all.insert(uid, (body, state.flags.without(Flags::RECENT), keywords));
        assert!(earlier.is_none(), "uid {uid} twice");
    }
    all
}

pub fn set(uids: &[u32]) -> UidSet {
    uids.iter().filter_map(|&uid| Uid::new(uid)).collect()
}

pub fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// As if the directories had not changed for an hour: their times are beyond doubt.
pub fn settle(dir: &Path) {
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for part in ["new", "cur"] {
        let part = std::fs::File::open(dir.join(part)).unwrap();
        part.set_modified(past).unwrap();
    }
}
