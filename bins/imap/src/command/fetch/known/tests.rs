//! Sessions over real stores: the cache answers as the mail itself would, and opens none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailbox::{MailStore, MailboxName, NewMail};
use storage::{MailUser, Shared, Storage};
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};

use crate::session::Settings;
use crate::session::testing::TestClient;

const QUESTIONS: [&str; 8] = [
    "FETCH 1:* (ENVELOPE)",
    "FETCH 1:* (BODYSTRUCTURE RFC822.SIZE)",
    "FETCH 1:* (BODY INTERNALDATE UID)",
    "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT From subject X-None Received)])",
    "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (DATE TO)]<3.20> UID)",
    "SEARCH SUBJECT a NOT FROM b",
    "SEARCH SENTSINCE 1-Jan-2001",
    "SEARCH HEADER Received \"\"",
];
const PICTURE: &[u8] = b"Subject: x\nMIME-Version: 1.0\nContent-Type: image/gif\n\nGIF89a\n";
/// Whatever is in these, no message is.
const NO_MESSAGES: [&str; 3] = ["dovecot", "subscriptions", "culver"];

struct Rig {
    home: tempfile::TempDir,
    faults: Arc<FaultyFs>,
    location: &'static str,
}

impl Rig {
    fn new(location: &'static str, messages: &[Vec<u8>]) -> Self {
        let rig = Self {
            home: tempfile::tempdir().unwrap(),
            faults: Arc::new(FaultyFs::new(Fault::None)),
            location,
        };
        rig.deliver(messages);
        rig
    }

    fn deliver(&self, messages: &[Vec<u8>]) {
        let inbox = MailboxName::new("INBOX").unwrap();
        let mut store = self.store();
        let mut save = store.begin_save(&inbox).unwrap();
        for bytes in messages {
            save.save(&NewMail::default(), &mut bytes.as_slice())
                .unwrap();
        }
        save.commit().unwrap();
    }

    /// Of a process of its own.
    fn store(&self) -> Storage {
        let home = self.home.path().to_str().unwrap();
        open(&self.faults, home, self.location)
    }

    fn client(&self) -> TestClient {
        let (faults, location) = (Arc::clone(&self.faults), self.location);
        let home = self.home.path().to_str().unwrap().to_owned();
        let stores = move || Box::new(open(&faults, &home, location)) as _;
        let mut client = TestClient::over(stores, Settings::default(), b"");
        client.run("SELECT INBOX");
        client
    }

    /// What a new session answers to all questions.
    fn answers(&self) -> Vec<Vec<String>> {
        let mut client = self.client();
        let answers = QUESTIONS.map(|question| client.run(question)).to_vec();
        client.run("LOGOUT");
        client.ended();
        answers
    }

    /// Files of messages that were opened since the counting began.
    fn opened(&self) -> Vec<PathBuf> {
        let calls = self.faults.calls().into_iter();
        let paths = calls
            .filter(|call| call.name == "open")
            .map(|call| call.path);
        paths.filter(|path| holds_messages(path)).collect()
    }

    fn cache(&self) -> PathBuf {
        let mut found = Vec::new();
        find(self.home.path(), "dovecot.index.cache", &mut found);
        found.pop().unwrap()
    }
}

fn open(faults: &Arc<FaultyFs>, home: &str, location: &str) -> Storage {
    let settings = storage::Settings {
        mail_location: location.to_owned(),
        ..storage::Settings::default()
    };
    let user = MailUser {
        name: "demo".to_owned(),
        home: Some(home.to_owned()),
        variables: Vec::new(),
    };
    let shared = Shared::new(Fs::new(Arc::clone(faults) as _));
    Storage::open(&shared, &user, &settings).unwrap()
}

fn holds_messages(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    !NO_MESSAGES.iter().any(|prefix| name.starts_with(prefix)) && !path.is_dir()
}

fn find(dir: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, name, found);
        } else if path.ends_with(name) {
            found.push(path);
        }
    }
}

/// Nothing is cached of messages with NULs.
fn corpora() -> Vec<Vec<u8>> {
    let messages = testkit::corpora().into_iter().map(|message| message.bytes);
    messages.filter(|bytes| !bytes.contains(&0)).collect()
}

#[test]
fn what_is_cached_is_answered_without_the_mail() {
    let messages = corpora();
    for location in ["sdbox:~/mail", "mdbox:~/mail", "mbox:~/mail:INBOX=~/inbox"] {
        let rig = Rig::new(location, &messages);
        let computed = rig.answers();
        assert!(computed.iter().all(|answer| !answer.is_empty()));
        rig.faults.set(Fault::None);
        let cached = rig.answers();
        for ((question, computed), cached) in QUESTIONS.iter().zip(&computed).zip(&cached) {
            assert_eq!(computed, cached, "{location}: {question}");
        }
        let opened = rig.opened();
        // An mbox is looked at when it is selected: once.
        let most = usize::from(location.starts_with("mbox")) * 3;
        assert!(opened.len() <= most, "{location}: {opened:?}");
    }
}

/// What clients have asked for is cached of new messages when they are saved.
#[test]
fn new_messages_are_cached_before_anybody_asks() {
    let messages = corpora();
    for location in ["sdbox:~/mail", "mdbox:~/mail", "mbox:~/mail:INBOX=~/inbox"] {
        let rig = Rig::new(location, &[PICTURE.to_vec(), PICTURE.to_vec()]);
        rig.answers();
        rig.deliver(&messages);
        rig.faults.set(Fault::None);
        let cached = rig.answers();
        let opened = rig.opened();
        let most = usize::from(location.starts_with("mbox")) * 3;
        assert!(opened.len() <= most, "{location}: {opened:?}");
        std::fs::remove_file(rig.cache()).unwrap();
        let computed = rig.answers();
        for ((question, computed), cached) in QUESTIONS.iter().zip(&computed).zip(&cached) {
            assert_eq!(computed, cached, "{location}: {question}");
        }
    }
}

#[test]
fn what_is_learnt_is_there_for_the_next_session_at_once() {
    let rig = Rig::new("sdbox:~/mail", &corpora());
    let mut one = rig.client();
    let computed = one.run("FETCH 1:* ENVELOPE");
    rig.faults.set(Fault::None);
    let mut other = rig.client();
    assert_eq!(other.run("FETCH 1:* ENVELOPE"), computed);
    assert_eq!(one.run("FETCH 1:* ENVELOPE"), computed);
    assert_eq!(rig.opened(), Vec::<PathBuf>::new());
}

#[test]
fn damaged_values_are_computed_anew() {
    let messages = corpora();
    let rig = Rig::new("sdbox:~/mail", &messages);
    let computed = rig.answers();
    let cache = std::fs::read(rig.cache()).unwrap();
    for (good, bad) in [
        (&b"\"boundary\""[..], &b"\"boundary("[..]),
        (b"Subject: ", b"Sudject: "),
        (b"NIL NIL", b"N)L NIL"),
    ] {
        let mut damaged = cache.clone();
        let at = damaged.windows(good.len()).position(|bytes| bytes == good);
        damaged[at.unwrap()..][..bad.len()].copy_from_slice(bad);
        std::fs::write(rig.cache(), damaged).unwrap();
        assert_eq!(rig.answers(), computed, "{}", bad.escape_ascii());
    }
}

#[test]
fn a_cache_that_cannot_be_written_costs_time_only() {
    let rig = Rig::new("sdbox:~/mail", &corpora());
    let computed = rig.answers();
    std::fs::remove_file(rig.cache()).unwrap();
    rig.faults.set(Fault::Full { nth: 1 });
    let again = rig.answers();
    assert_eq!(again, computed);
}
