//! What we take out of real messages is what Dovecot has cached of them, byte for byte.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::Arc;

use index::{CacheView, Cached, Index, Options};
use index_cache::{CachedMail, FieldId, NulWatch, Settings, Source, Sync};
use mailbox::Seq;
use sys::fs::Fs;
use testkit::{Dovecot, Imap};

const OWNER: u32 = 5999;

const SETTINGS: &str = "
mail_never_cache_fields =
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

#[test]
fn as_dovecot_has_cached_it() {
    let share = tempfile::tempdir().unwrap();
    chown(share.path(), Some(OWNER), Some(OWNER)).unwrap();
    let messages = messages();
    deliver(&share.path().join("ann"), &messages);
    let dovecot = Dovecot::boot_sharing(SETTINGS, share.path());
    dovecot.write_file(
        "/etc/pam.d/dovecot",
        b"auth requisite pam_deny.so nodelay\n",
    );
    let mut imap = Imap::connect(dovecot.connect(143));
    imap.ok("LOGIN ann any");
    fill(&mut imap);

    let directory = share.path().join("ann/Maildir");
    let options = Options::mailbox(&mailbox::Settings::default());
    let index = Arc::new(Index::open(&Fs::real(), &directory, options).unwrap());
    let cached = Cached::new(&index, Settings::default(), Sync::Never);
    let mut view = CacheView::new(&cached, &index.refresh().unwrap());
    let mut seen = Seen::default();
    for (number, bytes) in (1..).zip(&messages) {
        let wanted = wanted(&view);
        let mail = view.mail(Seq::new(number).unwrap());
        seen.compare(number, bytes, mail, &wanted);
    }
    assert_eq!(seen.wrong, Vec::<String>::new(), "{:?}", seen.agreed);
    println!("{:?}", seen.agreed);
    for name in [
        "date.sent",
        "mime.parts",
        "imap.bodystructure",
        "hdr.Received",
        "size.virtual",
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

#[derive(Debug, Default)]
struct Seen {
    agreed: BTreeMap<String, u32>,
    wrong: Vec<String>,
}

impl Seen {
    fn compare(
        &mut self,
        number: u32,
        bytes: &[u8],
        mail: &CachedMail,
        wanted: &[(FieldId, String)],
    ) {
        let mut watch = NulWatch::new(bytes);
        let message = message::parse(&mut watch).unwrap();
        let header_size = usize::try_from(message.root().header.size.physical).unwrap();
        let source = Source {
            message: &message,
            header: &bytes[..header_size],
            nuls: watch.nuls(),
        };
        for (id, value) in source.values(wanted) {
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
