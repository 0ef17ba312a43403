//! Mailboxes to try things on.
#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses some of it"
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use format_sdbox::{Options, Sdbox};
use mailbox::{
    Access, Appended, Context, Error, Flags, Keyword, Mailbox, MailboxName, NewMail,
    NewUidValidity, Place, Seq, Settings, StoredMailbox, Uid, UidSet, UidValidity,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};
use tempfile::TempDir;

/// Counts up from a time.
pub struct Counter;

impl NewUidValidity for Counter {
    fn next(&self) -> Result<UidValidity, Error> {
        static LAST: AtomicU32 = AtomicU32::new(1_700_000_000);
        Ok(UidValidity::new(LAST.fetch_add(1, Ordering::Relaxed)).unwrap())
    }
}

pub fn name(name: &str) -> MailboxName {
    MailboxName::new(name).unwrap()
}

pub fn place(mail: &Path) -> Place {
    Place {
        mail: mail.to_owned(),
        control: mail.to_owned(),
        index: Some(mail.to_owned()),
        alt: None,
    }
}

pub fn sdbox_at(fs: Fs, place: Place, options: Options) -> Arc<Sdbox> {
    let context = Context {
        fs,
        place,
        name: name("INBOX"),
        settings: Settings::default(),
        uid_validities: Arc::new(Counter),
    };
    Arc::new(Sdbox::new(context, options))
}

/// A mailbox in a directory of its own, through a file system that fails when it is told to.
pub struct Rig {
    pub dir: TempDir,
    pub faults: Arc<FaultyFs>,
}

impl Rig {
    pub fn new() -> Self {
        let rig = Self {
            dir: tempfile::tempdir().unwrap(),
            faults: Arc::new(FaultyFs::new(Fault::None)),
        };
        rig.sdbox().create().unwrap();
        rig
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mailboxes/INBOX/dbox-Mails")
    }

    pub fn place(&self) -> Place {
        Place {
            alt: Some(self.dir.path().join("alt/INBOX/dbox-Mails")),
            ..place(&self.path())
        }
    }

    /// As another process has it.
    pub fn sdbox(&self) -> Arc<Sdbox> {
        let fs = Fs::new(self.faults.clone());
        sdbox_at(fs, self.place(), Options::default())
    }

    /// Another mailbox beside it.
    pub fn other(&self, other: &str) -> Arc<Sdbox> {
        let path = self.dir.path().join("mailboxes").join(other);
        let fs = Fs::new(self.faults.clone());
        let sdbox = sdbox_at(fs, place(&path.join("dbox-Mails")), Options::default());
        sdbox.create().unwrap();
        sdbox
    }

    pub fn content(&self) -> Content {
        content(&self.sdbox())
    }

    /// Names of the files that are no part of the index.
    pub fn files(&self) -> Vec<String> {
        files(&self.path())
    }
}

pub fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("dovecot."))
        .collect();
    names.sort();
    names
}

pub fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

pub fn set(uids: &[u32]) -> UidSet {
    uids.iter().map(|number| uid(*number)).collect()
}

pub fn all() -> UidSet {
    UidSet::from_ranges([(Uid::MIN, Uid::MAX)])
}

pub fn save(
    sdbox: &Arc<Sdbox>,
    text: &str,
    flags: Flags,
    keywords: &[&str],
) -> Result<Appended, Error> {
    let mut saving = Arc::clone(sdbox).begin_save()?;
    let mail = NewMail {
        flags,
        keywords: keywords.iter().map(|k| Keyword::new(k).unwrap()).collect(),
        ..NewMail::default()
    };
    saving.save(&mail, &mut text.as_bytes())?;
    saving.commit()
}

pub fn view(sdbox: &Arc<Sdbox>, access: Access) -> Box<dyn Mailbox> {
    Arc::clone(sdbox).open(&name("INBOX"), access).unwrap()
}

/// Body, flags and keywords by UID.
pub type Content = BTreeMap<u32, (Vec<u8>, Flags, Vec<String>)>;

/// Everything that a session sees; only looks.
pub fn content(sdbox: &Arc<Sdbox>) -> Content {
    let mut view = view(sdbox, Access::ReadOnly);
    let names: Vec<String> = view.keywords().iter().map(ToString::to_string).collect();
    let mut content = Content::new();
    for seq in (1..=view.len()).filter_map(Seq::new) {
        let state = view.flags(seq).unwrap();
        let keywords = state.keywords.iter().map(|bit| names[bit].clone());
        let about = (state.flags.without(Flags::RECENT), keywords.collect());
        let uid = view.uid(seq).unwrap().get();
        let mut body = Vec::new();
        let mut mail = view.mail(seq).unwrap();
        mail.body().unwrap().read_to_end(&mut body).unwrap();
        content.insert(uid, (body, about.0, about.1));
    }
    content
}

/// A private copy of a fixture; gone on drop.
pub struct Fixture {
    name: String,
    dir: TempDir,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/dovecot-2.3.19")
}

impl Fixture {
    pub fn unpack(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tar = Command::new("tar")
            .args(["--zstd", "--no-same-owner", "-xf"])
            .arg(directory().join(format!("{name}.tar.zst")))
            .arg("-C")
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(tar.success());
        let name = name.to_owned();
        Self { name, dir }
    }

    /// The home directory of its user.
    pub fn home(&self) -> PathBuf {
        let mut entries = std::fs::read_dir(self.dir.path()).unwrap();
        entries.next().unwrap().unwrap().path()
    }

    pub fn mailboxes(&self) -> serde_json::Map<String, Value> {
        let text = std::fs::read(directory().join(format!("{}.json", self.name))).unwrap();
        let expected: Value = serde_json::from_slice(&text).unwrap();
        expected["mailboxes"].as_object().unwrap().clone()
    }

    /// A mailbox by its name in IMAP, which is that on disk.
    pub fn sdbox(&self, mailbox: &str) -> Arc<Sdbox> {
        let path = self.home().join("sdbox/mailboxes").join(mailbox);
        let options = Options {
            attachments: Some(self.home().join("attachments")),
            ..Options::default()
        };
        sdbox_at(Fs::real(), place(&path.join("dbox-Mails")), options)
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
