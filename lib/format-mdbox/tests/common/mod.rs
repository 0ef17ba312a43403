//! What the suites of this crate share.
#![allow(dead_code, reason = "each suite uses some of it")]

pub mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use format_mdbox::{Dirs, Mdbox, Naming, Settings, Storage};
use mailbox::{
    Access, Appended, Context, Error, Flags, Keyword, Mailbox, MailboxName, NewMail,
    NewUidValidity, Place, Save, Seq, StoredMailbox, UidValidity,
};
use sha2::{Digest, Sha256};
use sys::fs::Fs;

pub struct Counter(AtomicU32);

impl NewUidValidity for Counter {
    fn next(&self) -> Result<UidValidity, Error> {
        let next = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(UidValidity::new(1_800_000_000 + next).unwrap())
    }
}

/// One message as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub uid: u32,
    pub flags: BTreeSet<String>,
    pub keywords: BTreeSet<String>,
    pub modseq: u64,
    pub internal_date: i64,
    pub save_date: i64,
    pub size: u64,
    pub guid: String,
    pub sha256: String,
}

/// A directory that is gone on drop; in memory, where syncing costs nothing.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// A root directory.
pub struct Store {
    pub root: PathBuf,
    pub fs: Fs,
    pub storage: Arc<Storage>,
    counter: Arc<Counter>,
}

impl Store {
    pub fn open(root: &Path) -> Self {
        Self::with(root, Fs::real(), Settings::default())
    }

    pub fn with(root: &Path, fs: Fs, settings: Settings) -> Self {
        let alt = root.parent().unwrap().join("alt/storage");
        let dirs = Dirs {
            alt: alt.is_dir().then_some(alt),
            ..Dirs::in_root(root)
        };
        Self {
            root: root.to_owned(),
            storage: Arc::new(Storage::new(fs.clone(), dirs, settings)),
            fs,
            counter: Arc::new(Counter(AtomicU32::new(0))),
        }
    }

    /// A mailbox by the name on disk.
    pub fn mailbox(&self, name: &str) -> Arc<Mdbox> {
        let dir = self.root.join("mailboxes").join(name);
        let mail = match dir.join("dovecot.index.log").exists() {
            // LAYOUT=index
            true => dir,
            false => dir.join("dbox-Mails"),
        };
        let context = Context {
            fs: self.fs.clone(),
            place: Place {
                control: mail.clone(),
                index: Some(mail.clone()),
                alt: None,
                mail,
            },
            name: MailboxName::new(name).unwrap(),
            settings: mailbox::Settings::default(),
            uid_validities: self.counter.clone(),
        };
        let naming = Naming::Directories(name.to_owned());
        Arc::new(Mdbox::new(self.storage.clone(), context, naming))
    }

    pub fn create(&self, name: &str) -> Arc<Mdbox> {
        let made = self.mailbox(name);
        made.create().unwrap();
        made
    }
}

pub fn open(mailbox: &Arc<Mdbox>, access: Access) -> Box<dyn Mailbox> {
    let name = StoredMailbox::name(&**mailbox).clone();
    mailbox.clone().open(&name, access).unwrap()
}

pub fn try_open(mailbox: &Arc<Mdbox>) -> Result<Box<dyn Mailbox>, Error> {
    let name = StoredMailbox::name(&**mailbox).clone();
    mailbox.clone().open(&name, Access::ReadWrite)
}

/// Everything that a view shows.
pub fn seen(view: &mut dyn Mailbox) -> Vec<Seen> {
    try_seen(view).unwrap()
}

pub fn try_seen(view: &mut dyn Mailbox) -> Result<Vec<Seen>, Error> {
    let mut all = Vec::new();
    for seq in (1..=view.len()).filter_map(Seq::new) {
        all.push(one(view, seq)?);
    }
    Ok(all)
}

pub fn one(view: &mut dyn Mailbox, seq: Seq) -> Result<Seen, Error> {
    let state = view.flags(seq).unwrap();
    let names = view.keywords().to_vec();
    let keywords = state.keywords.iter().map(|bit| names[bit].to_string());
    let flags = Flags::NAMES
        .iter()
        .filter(|(flag, _)| state.flags.contains(*flag));
    let flags = flags.map(|(_, name)| (*name).to_owned());
    let keywords = keywords.collect();
    let uid = view.uid(seq).unwrap().get();
    let modseq = view.modseq(seq).map_or(0, |modseq| modseq.get());
    let mut mail = view.mail(seq)?;
    let (size, date) = (mail.size()?, mail.internal_date()?.seconds);
    let mut body = Vec::new();
    mail.body()?.read_to_end(&mut body).map_err(Error::Input)?;
    // A damaged record is known only when the message was read.
    let (saved, guid) = (
        mail.save_date()?.map_or(0, |date| date.seconds),
        mail.guid()?,
    );
    Ok(Seen {
        uid,
        flags: flags.filter(|flag| flag != "\\Recent").collect(),
        keywords,
        modseq,
        internal_date: date,
        save_date: saved,
        size,
        guid,
        sha256: hash(&crlf(&body)),
    })
}

pub fn crlf(stored: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for &byte in stored {
        if byte == b'\n' && text.last() != Some(&b'\r') {
            text.push(b'\r');
        }
        text.push(byte);
    }
    text
}

pub fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn message(number: u32) -> Vec<u8> {
    format!("Subject: number {number}\r\n\r\nbody {number}\r\n").into_bytes()
}

pub fn append(mailbox: &Arc<Mdbox>, bodies: &[Vec<u8>], mail: &NewMail) -> Result<Appended, Error> {
    let mut save: Box<dyn Save> = mailbox.clone().begin_save()?;
    for body in bodies {
        save.save(mail, &mut body.as_slice())?;
    }
    save.commit()
}

pub fn keyword(name: &str) -> Keyword {
    Keyword::new(name).unwrap()
}

/// References of every message in the map.
pub fn references(storage: &Storage) -> BTreeMap<u32, u16> {
    let picture = storage.map().picture().unwrap();
    let all = picture.all();
    all.map(|stored| (stored.map_uid.0, stored.references))
        .collect()
}
