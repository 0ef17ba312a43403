//! What the tests of mbox files share: a place, sessions, and all that a session sees.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    missing_docs,
    reason = "helpers of tests"
)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use format_mbox::{Mbox, Settings};
use mailbox::{
    Access, Context, Error, Flags, Keyword, MailDate, Mailbox, MailboxName, NewMail,
    NewUidValidity, Place, Seq, StoredMailbox, Uid, UidSet, UidValidity,
};
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};
use tempfile::TempDir;

/// One mbox in a directory of its own.
pub struct Home {
    pub dir: TempDir,
    pub faulty: Arc<FaultyFs>,
}

/// 1000, 1001, …
pub struct Counter(AtomicU32);

impl NewUidValidity for Counter {
    fn next(&self) -> Result<UidValidity, Error> {
        Ok(UidValidity::new(self.0.fetch_add(1, Ordering::Relaxed)).unwrap())
    }
}

/// A message as a session sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub uid: u32,
    pub flags: Flags,
    pub keywords: Vec<String>,
    pub date: i64,
    pub guid: String,
    pub body: String,
}

pub fn place(file: PathBuf, index: PathBuf) -> Place {
    Place {
        mail: file,
        control: index.clone(),
        index: Some(index),
        alt: None,
    }
}

pub fn mbox_at(fs: Fs, place: Place, settings: Settings) -> Arc<Mbox> {
    let context = Context {
        fs,
        place,
        name: MailboxName::new("box").unwrap(),
        settings: mailbox::Settings::default(),
        uid_validities: Arc::new(Counter(AtomicU32::new(1000))),
    };
    Arc::new(Mbox::new(context, settings))
}

impl Home {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            dir,
            faulty: Arc::new(FaultyFs::new(Fault::None)),
        }
    }

    /// With a mailbox of this content.
    pub fn with(content: &str) -> Self {
        let home = Self::new();
        std::fs::create_dir_all(home.file().parent().unwrap()).unwrap();
        std::fs::write(home.file(), content.replace("@@", FROM)).unwrap();
        home
    }

    pub fn file(&self) -> PathBuf {
        self.dir.path().join("mail/box")
    }

    pub fn index(&self) -> PathBuf {
        self.dir.path().join("mail/.imap/box")
    }

    pub fn content(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.file()).unwrap()).into_owned()
    }

    /// As a process of its own would open it.
    pub fn mbox(&self) -> Arc<Mbox> {
        self.mbox_with(Fs::real(), Settings::default())
    }

    /// With file operations that fail as told.
    pub fn failing(&self) -> Arc<Mbox> {
        self.mbox_with(Fs::new(Arc::clone(&self.faulty) as _), Settings::default())
    }

    pub fn mbox_with(&self, fs: Fs, settings: Settings) -> Arc<Mbox> {
        mbox_at(fs, place(self.file(), self.index()), settings)
    }

    /// As procmail would: a From_ line, the message, an empty line.
    pub fn deliver(&self, message: &str) {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(self.file())
            .unwrap();
        writeln!(file, "{FROM}{message}").unwrap();
    }

    /// A copy of all files.
    pub fn copy(&self) -> Home {
        let copy = Home::new();
        let status = std::process::Command::new("cp")
            .args(["-a", "--"])
            .arg(self.dir.path().join("."))
            .arg(copy.dir.path())
            .status()
            .unwrap();
        assert!(status.success());
        copy
    }
}

pub const FROM: &str = "From a@b  Thu Nov 29 22:33:52 2001\n";

pub fn open(mbox: &Arc<Mbox>) -> Box<dyn Mailbox> {
    try_open(mbox).unwrap()
}

pub fn try_open(mbox: &Arc<Mbox>) -> Result<Box<dyn Mailbox>, Error> {
    let name = MailboxName::new("box").unwrap();
    Arc::clone(mbox).open(&name, Access::ReadWrite)
}

pub fn look(mbox: &Arc<Mbox>) -> Box<dyn Mailbox> {
    let name = MailboxName::new("box").unwrap();
    Arc::clone(mbox).open(&name, Access::ReadOnly).unwrap()
}

pub fn new_mail(flags: Flags, keywords: &[&str], seconds: i64) -> NewMail {
    NewMail {
        flags,
        keywords: keywords
            .iter()
            .map(|name| Keyword::new(name).unwrap())
            .collect(),
        internal_date: Some(MailDate::local(seconds)),
        guid: None,
        envelope_sender: Some("sender@example.org".to_owned()),
    }
}

pub fn append(mbox: &Arc<Mbox>, mail: &NewMail, message: &str) -> Result<u32, Error> {
    let mut saving = Arc::clone(mbox).begin_save()?;
    saving.save(mail, &mut message.as_bytes())?;
    let appended = saving.commit()?;
    Ok(appended.uids[0].get())
}

pub fn uids(uids: &[u32]) -> UidSet {
    uids.iter().filter_map(|uid| Uid::new(*uid)).collect()
}

/// All that a view shows; `None` for what was expunged meanwhile.
pub fn seen(view: &mut dyn Mailbox) -> Vec<Seen> {
    let names: Vec<String> = view.keywords().iter().map(ToString::to_string).collect();
    let mut all = Vec::new();
    for seq in (1..=view.len()).filter_map(Seq::new) {
        let state = view.flags(seq).unwrap();
        let uid = view.uid(seq).unwrap().get();
        let mut keywords: Vec<String> = state
            .keywords
            .iter()
            .map(|bit| names[bit].clone())
            .collect();
        keywords.sort();
        let mut mail = view.mail(seq).unwrap();
        let mut body = Vec::new();
        mail.body().unwrap().read_to_end(&mut body).unwrap();
        all.push(Seen {
            uid,
            flags: state.flags.without(Flags::RECENT),
            keywords,
            date: mail.internal_date().unwrap().seconds,
            guid: mail.guid().unwrap(),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
    }
    all
}

/// The sizes that a view tells are those of the bodies.
pub fn sizes_are_right(view: &mut dyn Mailbox) {
    for (seq, seen) in (1..).filter_map(Seq::new).zip(seen(view)) {
        let size = view.mail(seq).unwrap().size().unwrap();
        let lf = seen.body.replace("\r\n", "\n");
        assert_eq!(size, lf.replace('\n', "\r\n").len() as u64);
    }
}

/// What a process that starts now sees. A file that lost something, but not its size nor its time in whole
/// seconds, is as the index says until somebody reads it; the next look knows.
pub fn fresh(home: &Home) -> Vec<Seen> {
    let mbox = home.mbox();
    let mut view = look(&mbox);
    let count = view.len();
    let is_gone = |seq| {
        let mut mail = view.mail(seq).unwrap();
        let body = mail.body().map(drop);
        matches!(body, Err(Error::Expunged))
    };
    if (1..=count).filter_map(Seq::new).any(is_gone) {
        view = look(&mbox);
    }
    sizes_are_right(&mut *view);
    seen(&mut *view)
}

pub fn exists(path: &Path) -> bool {
    path.exists()
}
