//! What we take out of real messages is what Dovecot has cached of them, byte for byte.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use index::{CacheEntry, CacheView, Cached, Index, Options, State};
use index_cache::{CachedMail, FieldId, Settings, Sync};
use mailbox::cache::{Nuls, Watch};
use mailbox::{Asked, Lesson, MailCache, Seq};
use sys::fs::Fs;
use testkit::{Dovecot, Imap};

const OWNER: u32 = 5999;

const USERS: &str = "
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=5999 gid=5999 home=/srv/share/%u
}
";

const HEADERS: [&str; 9] = [
    "Subject",
    "From",
    "To",
    "Date",
    "Message-ID",
    "Received",
    "Content-Type",
    "References",
    "X-None",
];

/// The corpora with both line ends.
fn messages() -> Vec<Vec<u8>> {
    let corpora = testkit::corpora().into_iter();
    corpora
        .flat_map(|message| [bare(&message.bytes), message.bytes])
        .collect()
}

fn bare(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let bare = |line: &[u8]| match line.strip_suffix(b"\r\n") {
        Some(line) => [line, b"\n"].concat(),
        None => line.to_vec(),
    };
    lines.flat_map(bare).collect()
}

fn deliver(home: &Path, messages: &[Vec<u8>]) {
    let owned = |path: &Path| chown(path, Some(OWNER), Some(OWNER)).unwrap();
    fs::create_dir(home).unwrap();
    owned(home);
    for directory in ["Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"] {
        fs::create_dir(home.join(directory)).unwrap();
        owned(&home.join(directory));
    }
    for (number, message) in messages.iter().enumerate() {
        let name = format!(
            "Maildir/cur/{}.M{number}P1.corpus:2,S",
            1_000_000_000 + number
        );
        fs::write(home.join(&name), message).unwrap();
        owned(&home.join(&name));
    }
}

/// Everything that fills a cache.
fn fill(imap: &mut Imap) {
    imap.ok("SELECT INBOX");
    let headers = HEADERS.join(" ");
    for items in [
        "RFC822.SIZE",
        "BODYSTRUCTURE",
        "BODY",
        "ENVELOPE",
        &format!("BODY.PEEK[HEADER.FIELDS ({headers})]"),
    ] {
        imap.ok(&format!("FETCH 1:* ({items})"));
    }
    imap.ok("SORT (DATE) UTF-8 ALL");
    imap.ok("SEARCH SENTSINCE 1-Jan-2001");
    imap.ok("LOGOUT");
}

/// The messages in a store of Dovecot's.
struct Store {
    share: tempfile::TempDir,
    dovecot: Dovecot,
    messages: Vec<Vec<u8>>,
}

impl Store {
    fn new(settings: &str) -> Self {
        let share = tempfile::tempdir().unwrap();
        chown(share.path(), Some(OWNER), Some(OWNER)).unwrap();
        let messages = messages();
        deliver(&share.path().join("ann"), &messages);
        let dovecot = Dovecot::boot_sharing(&format!("{USERS}{settings}"), share.path());
        let pam = b"auth requisite pam_deny.so nodelay\n";
        dovecot.write_file("/etc/pam.d/dovecot", pam);
        Self {
            share,
            dovecot,
            messages,
        }
    }

    fn login(&self) -> Imap {
        let mut imap = Imap::connect(self.dovecot.connect(143));
        imap.ok("LOGIN ann any");
        imap
    }

    fn directory(&self) -> PathBuf {
        self.share.path().join("ann/Maildir")
    }

    fn view(&self) -> CacheView {
        let options = Options::mailbox(&mailbox::Settings::default());
        let index = Index::open(&Fs::real(), &self.directory(), options).unwrap();
        let cached = Cached::new(&Arc::new(index), Settings::default(), Sync::Never);
        let state = cached_state(&self.directory());
        CacheView::new(&cached, &state)
    }
}

fn cached_state(directory: &Path) -> Arc<State> {
    let options = Options::mailbox(&mailbox::Settings::default());
    Index::look(&Fs::real(), directory, options).unwrap()
}

/// What a client sees; every message's answer is one string.
fn answers(imap: &mut Imap) -> Vec<String> {
    imap.ok("SELECT INBOX");
    let items = "(RFC822.SIZE ENVELOPE BODYSTRUCTURE)";
    let reply = imap.ok(&format!("FETCH 1:* {items}"));
    let fetched = reply
        .untagged
        .iter()
        .filter(|line| line.text.contains(" FETCH ("));
    let answers = fetched.map(|line| format!("{} {:?}", line.text, line.literals));
    answers.collect()
}

/// Dovecot's own settings: ENVELOPE comes out of cached header fields.
#[test]
fn dovecot_serves_from_what_we_have_written() {
    let store = Store::new("");
    let before = answers(&mut store.login());
    assert_eq!(before.len(), store.messages.len());
    let path = store.directory().join("dovecot.index.cache");
    fs::remove_file(&path).unwrap();
    let mut view = store.view();
    let asked = [
        FieldId::SIZE_VIRTUAL,
        FieldId::IMAP_ENVELOPE,
        FieldId::IMAP_BODYSTRUCTURE,
    ];
    let mut skipped = 0;
    for (number, bytes) in (1..).zip(&store.messages) {
        let seq = Seq::new(number).unwrap();
        view.learn_from(seq, &source(bytes, &parsed(bytes)), &asked);
        skipped += u32::from(bytes.contains(&0));
    }
    view.close();
    chown(&path, Some(OWNER), Some(OWNER)).unwrap();
    // Nothing is left to be read but the cache.
    for entry in fs::read_dir(store.directory().join("cur")).unwrap() {
        let path = entry.unwrap().path();
        if !fs::read(&path).unwrap().contains(&0) {
            fs::write(path, b"").unwrap();
        }
    }
    let after = answers(&mut store.login());
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        assert_eq!(after, before);
    }
    assert!(skipped < 10);
    assert_eq!(store.dovecot.complaints(), Vec::<String>::new());
    // And so do we.
    let mut view = store.view();
    for (number, bytes) in (1..).zip(&store.messages) {
        let seq = Seq::new(number).unwrap();
        let message = parsed(bytes).0;
        let (mut envelope, mut structure) = (Vec::new(), Vec::new());
        message.write_envelope(&mut envelope).unwrap();
        message.write_body_structure(&mut structure).unwrap();
        if !bytes.contains(&0) {
            assert_eq!(view.envelope(seq).unwrap(), envelope, "{number}");
            assert_eq!(view.body_structure(seq).unwrap(), structure, "{number}");
        }
    }
}

fn parsed(bytes: &[u8]) -> (message::Message, Nuls) {
    let mut watch = Watch::new(bytes);
    let message = message::parse(&mut watch).unwrap();
    (message, watch.seen.nuls())
}

fn source<'a>(bytes: &'a [u8], (message, nuls): &'a (message::Message, Nuls)) -> Lesson<'a> {
    let header_size = usize::try_from(message.root().header.size.physical).unwrap();
    Lesson {
        message: Some(message),
        header: &bytes[..header_size],
        nuls: *nuls,
    }
}

#[test]
fn as_dovecot_has_cached_it() {
    let store = Store::new("mail_never_cache_fields =\n");
    fill(&mut store.login());
    let messages = &store.messages;
    let mut view = store.view();
    let mut seen = Seen::default();
    for (number, bytes) in (1..).zip(messages) {
        let wanted = wanted(&view);
        let mail = view.mail(Seq::new(number).unwrap());
        seen.compare(number, bytes, mail, &wanted);
        seen.compare_answers(number, bytes, &mut view);
    }
    assert_eq!(seen.wrong, Vec::<String>::new(), "{:?}", seen.agreed);
    println!("{:?}", seen.agreed);
    for name in [
        "date.sent",
        "mime.parts",
        "imap.bodystructure",
        "hdr.Received",
        "size.virtual",
        "Envelope",
        "BodyStructure",
        "Fields",
        "Sent",
    ] {
        assert!(seen.agreed[name] > 50, "{name}: {:?}", seen.agreed);
    }
}

fn wanted(view: &CacheView) -> Vec<(FieldId, String)> {
    let mut names: Vec<String> = HEADERS.iter().map(|name| format!("hdr.{name}")).collect();
    let own = "flags date.sent size.virtual size.physical imap.body imap.bodystructure imap.envelope mime.parts";
    names.extend(own.split(' ').map(str::to_owned));
    let wanted = names
        .into_iter()
        .map(|name| (view.field(&name).unwrap(), name));
    wanted.collect()
}

/// What a session says that has read the message.
fn computed(message: &message::Message, bytes: &[u8], asked: Asked<'_>) -> Vec<u8> {
    let mut told = Vec::new();
    match asked {
        Asked::Envelope => message.write_envelope(&mut told).unwrap(),
        Asked::Body => message.write_body(&mut told).unwrap(),
        Asked::BodyStructure => message.write_body_structure(&mut told).unwrap(),
        Asked::Fields(names) => {
            let names = message::FieldNames::only(names);
            let header = message.root().header;
            let source = std::io::Cursor::new(bytes);
            let mut filter = message::FieldFilter::new(source, header, names).unwrap();
            std::io::Read::read_to_end(&mut filter, &mut told).unwrap();
        }
        Asked::Sent => {}
    }
    told
}

#[derive(Debug, Default)]
struct Seen {
    agreed: BTreeMap<String, u32>,
    wrong: Vec<String>,
}

impl Seen {
    /// What clients are told out of Dovecot's cache is what the message says.
    fn compare_answers(&mut self, number: u32, bytes: &[u8], view: &mut CacheView) {
        let names = HEADERS.map(str::to_owned);
        let (message, _) = parsed(bytes);
        let mut cache = CacheEntry::new(view, Seq::new(number).unwrap());
        for (what, asked) in [
            ("Envelope", Asked::Envelope),
            ("Body", Asked::Body),
            ("BodyStructure", Asked::BodyStructure),
            ("Fields", Asked::Fields(&names)),
        ] {
            let computed = computed(&message, bytes, asked);
            match cache.ask(asked) {
                Some(cached) if cached == computed => {
                    *self.agreed.entry(what.to_owned()).or_default() += 1;
                }
                Some(cached) => {
                    let (cached, computed) = (cached.escape_ascii(), computed.escape_ascii());
                    self.wrong
                        .push(format!("{number} {what}: {cached} / {computed}"));
                }
                None => {}
            }
        }
        if let Some(sent) = cache.sent() {
            let field = message::field::read(bytes, |name| name.eq_ignore_ascii_case(b"date"));
            let field = field.unwrap().into_iter().next();
            let date = field.and_then(|field| message::date::parse(&field.value));
            let date = date.map_or((0, 0), |date| (date.unix, date.offset_minutes));
            match date == (sent.unix, sent.offset_minutes) {
                true => *self.agreed.entry("Sent".to_owned()).or_default() += 1,
                false => self
                    .wrong
                    .push(format!("{number} Sent: {sent:?} / {date:?}")),
            }
        }
    }

    fn compare(
        &mut self,
        number: u32,
        bytes: &[u8],
        mail: &CachedMail,
        wanted: &[(FieldId, String)],
    ) {
        let parsed = parsed(bytes);
        let source = source(bytes, &parsed);
        for (id, value) in index_cache::values(&source, wanted) {
            let name = &wanted.iter().find(|(known, _)| *known == id).unwrap().1;
            let Some(theirs) = mail.get(id) else {
                continue;
            };
            let theirs = match mail.bits() {
                Some(bits) if id == FieldId::FLAGS => bits.0.to_le_bytes().to_vec(),
                _ => theirs.to_vec(),
            };
            if theirs == value {
                *self.agreed.entry(name.clone()).or_default() += 1;
            } else {
                let (ours, theirs) = (value.escape_ascii(), theirs.escape_ascii());
                self.wrong
                    .push(format!("{number} {name}: {ours} / {theirs}"));
            }
        }
    }
}
