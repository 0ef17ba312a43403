//! Real Dovecot and ours on one cache: each finds what the other has put there, and Dovecot has
//! nothing to complain about.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use index::cache::Sync;
use index::cache::parts::{decode_parts, plain_body, plain_body_structure};
use index::cache::{
    Cache, CachedMail, EXT_NAME, EXT_RECORD_SIZE, FieldId, HeaderLines, MailBits, NewRecord,
    Picture, Purged, Settings, Stored, decode_u32, decode_u64, encode_link, merge_header_lines,
};
use index::log::Origin;
use index::log::record::{Body, ExtIntro};
use index::{CacheView, Cached, Index, Options};
use mailbox::{Seq, Uid};
use sys::fs::{Fs, How, Lock};
use tempfile::TempDir;
use testkit::{Dovecot, Imap};

use crate::support::{Links, facts, open_with, uid};

const OWNER: u32 = 5999;

const SETTINGS: &str = "
mail_location = sdbox:~/sdbox
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

const MESSAGES: [&str; 4] = [
    "From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: one\r\n\
     Date: Mon, 1 Jan 2024 10:00:00 +0200\r\nMessage-ID: <1@x>\r\n\r\nbody one\r\n",
    "Subject: two\r\nFrom: ann@example.org\r\nSubject: two again\r\n\r\nbody two\r\nmore\r\n",
    "MIME-Version: 1.0\r\nSubject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
     --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>x</p>\r\n--b\r\n\
     Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner body\r\n--b--\r\n",
    "Subject: four\r\n\tfolded\r\nContent-Transfer-Encoding: 8bit\r\n\r\nb\u{f6}dy\r\n",
];

/// A store that Dovecot made, with a cache that it has filled.
struct Store {
    dovecot: Dovecot,
    share: TempDir,
}

impl Store {
    fn new() -> Self {
        let share = tempfile::tempdir().unwrap();
        let home = share.path().join("ann");
        fs::create_dir(&home).unwrap();
        for path in [share.path(), &home] {
            chown(path, Some(OWNER), Some(OWNER)).unwrap();
        }
        let dovecot = Dovecot::boot_sharing(SETTINGS, share.path());
        dovecot.write_file(
            "/etc/pam.d/dovecot",
            b"auth requisite pam_deny.so nodelay\n",
        );
        let store = Self { dovecot, share };
        let mut imap = store.login();
        for message in MESSAGES {
            assert!(imap.append("INBOX", "", message.as_bytes()).is_ok());
        }
        store
    }

    fn login(&self) -> Imap {
        let mut imap = Imap::connect(self.dovecot.connect(143));
        imap.ok("LOGIN ann any");
        imap
    }

    fn selected(&self) -> Imap {
        let mut imap = self.login();
        imap.ok("SELECT INBOX");
        imap
    }

    fn directory(&self) -> PathBuf {
        let home = self.share.path().join("ann");
        home.join("sdbox/mailboxes/INBOX/dbox-Mails")
    }

    fn path(&self) -> PathBuf {
        self.directory().join("dovecot.index.cache")
    }

    /// As a process of ours sees it.
    fn ours(&self) -> Ours {
        let links = Links::of_index(&self.directory());
        let settings = Settings {
            never_cache_fields: Vec::new(),
            ..Settings::default()
        };
        Ours {
            cache: open_with(Fs::real(), &self.path(), links.index_id, settings),
            links,
        }
    }

    fn log(&self, bodies: &[Body]) {
        write_log(&self.directory().join("dovecot.index.log"), bodies);
    }

    /// Our tests are root; Dovecot is not.
    fn hand_over(&self) {
        chown(self.path(), Some(OWNER), Some(OWNER)).unwrap();
    }

    fn store(&self, ours: &Ours, records: &[NewRecord]) -> Stored {
        let stored = ours.picture(|picture| ours.cache.store(picture, records).unwrap());
        self.hand_over();
        let mut bodies = Vec::new();
        if let Some(purged) = &stored.purged {
            bodies = reset(ours.links.reset_id, purged);
        }
        let offsets = stored.appended.offsets.iter();
        let links = records.iter().zip(offsets);
        let links: Vec<_> = links
            .filter_map(|(r, offset)| Some((r.uid, (*offset)?)))
            .collect();
        bodies.extend([intro(stored.appended.file_seq), update(&links)]);
        self.log(&bodies);
        stored
    }

    fn purge(&self, ours: &Ours) {
        let purged = ours.picture(|picture| ours.cache.purge(picture).unwrap());
        self.hand_over();
        self.log(&reset(ours.links.reset_id, &purged));
    }

    fn has_no_complaints(&self) {
        let complaints = self.dovecot.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

struct Ours {
    links: Links,
    cache: Arc<Cache>,
}

impl Ours {
    fn picture<T>(&self, with: impl FnOnce(&Picture<'_>) -> T) -> T {
        with(&Picture {
            reset_id: self.links.reset_id,
            facts: facts(4),
            links: &|| self.links.pairs(),
        })
    }

    fn mail(&self, number: u32) -> CachedMail {
        let mut mail = CachedMail::default();
        let mut reader = self.cache.reader(self.links.reset_id).unwrap();
        reader.read(
            self.links.of.get(&number).copied().filter(|l| *l != 0),
            &mut mail,
        );
        mail
    }

    fn record(&self, number: u32, id: FieldId, value: &[u8]) -> NewRecord {
        assert!(self.cache.may_add(id, uid(number), &facts(4)));
        NewRecord {
            uid: uid(number),
            link: self
                .links
                .of
                .get(&number)
                .copied()
                .filter(|link| *link != 0),
            values: vec![(id, value.to_vec())],
        }
    }
}

fn intro(reset_id: u32) -> Body {
    Body::ExtIntro(vec![ExtIntro {
        ext_id: None,
        reset_id,
        header_size: 0,
        record_size: EXT_RECORD_SIZE,
        record_align: EXT_RECORD_SIZE,
        flags: 1,
        name: EXT_NAME.to_owned(),
    }])
}

fn update(links: &[(Uid, u32)]) -> Body {
    let entry = |(uid, link): &(Uid, u32)| [uid.get().to_le_bytes(), encode_link(Some(*link))];
    Body::ExtRecordUpdate(links.iter().flat_map(entry).flatten().collect())
}

fn reset(old: u32, purged: &Purged) -> Vec<Body> {
    let reset = Body::ExtReset {
        reset_id: purged.file_seq,
        preserve: 0,
        short: false,
    };
    let mut bodies = vec![intro(old), reset];
    if !purged.links.is_empty() {
        bodies.extend([intro(purged.file_seq), update(&purged.links)]);
    }
    bodies
}

/// One transaction, under the lock.
fn write_log(path: &Path, bodies: &[Body]) {
    let encode = |body: &Body| body.encode(Origin::External).unwrap();
    let records: Vec<u8> = bodies.iter().flat_map(encode).collect();
    let size = u32::try_from(records.len() + 12).unwrap();
    let mut bytes = encode(&Body::Boundary(size));
    bytes.extend(records);
    let lock = Fs::real().open(path, How::ReadWrite, 0).unwrap();
    lock.try_lock(Lock::Exclusive).unwrap();
    let log = Fs::real().open(path, How::Append, 0).unwrap();
    log.append(&bytes).unwrap();
}

fn envelope(imap: &mut Imap, number: u32) -> String {
    let reply = imap.ok(&format!("UID FETCH {number} ENVELOPE"));
    reply.find("ENVELOPE (").text.clone()
}

/// Well-formed, and in no message.
const FORGED: &str = "\"Tue, 2 Jan 2024 00:00:00 +0000\" \"out of the cache\" \
    ((\"Culver\" NIL \"culver\" \"example.org\")) NIL NIL NIL NIL NIL NIL \"<forged@x>\"";

#[test]
fn dovecot_takes_what_we_have_put_there() {
    let store = Store::new();
    let mut imap = store.selected();
    assert!(envelope(&mut imap, 2).contains("\"two"));
    imap.ok("UID FETCH 1:4 (BODYSTRUCTURE RFC822.SIZE)");
    imap.ok("LOGOUT");

    // Appended to Dovecot's file.
    let ours = store.ours();
    let size = ours.mail(1).get(FieldId::SIZE_PHYSICAL).map(<[u8]>::to_vec);
    let record = ours.record(1, FieldId::IMAP_ENVELOPE, FORGED.as_bytes());
    let stored = store.store(&ours, &[record]);
    assert!(stored.purged.is_none());
    let mut imap = store.selected();
    assert!(envelope(&mut imap, 1).contains("\"out of the cache\""));
    assert!(envelope(&mut imap, 2).contains("\"two"));
    store.has_no_complaints();

    // A new file, while Dovecot has the old one open.
    store.purge(&store.ours());
    let ours = store.ours();
    assert_eq!(
        ours.mail(1).get(FieldId::SIZE_PHYSICAL).map(<[u8]>::to_vec),
        size
    );
    imap.ok("NOOP");
    assert!(envelope(&mut imap, 1).contains("\"out of the cache\""));
    // Dovecot adds to our file, fields included.
    imap.ok("UID FETCH 1:4 (BODY.PEEK[HEADER.FIELDS (X-New Subject)] RFC822.SIZE)");
    let structures = imap.ok("UID FETCH 1:4 BODYSTRUCTURE");
    imap.ok("LOGOUT");
    store.has_no_complaints();
    let ours = store.ours();
    let absent = ours.cache.field("hdr.X-New").unwrap();
    for number in 1..=4 {
        assert_eq!(
            ours.mail(number).get(absent),
            Some(b"".as_slice()),
            "{number}"
        );
    }
    let three = ours.mail(3);
    let structure = three.get(FieldId::IMAP_BODYSTRUCTURE).unwrap();
    let structure = format!("({})", std::str::from_utf8(structure).unwrap());
    assert!(structures.find("* 3 FETCH").text.contains(&structure));

    // A file from nothing.
    fs::remove_file(store.path()).unwrap();
    let ours = store.ours();
    let record = ours.record(2, FieldId::IMAP_ENVELOPE, FORGED.as_bytes());
    let record = NewRecord {
        link: None,
        ..record
    };
    assert!(store.store(&ours, &[record]).purged.is_some());
    let mut imap = store.selected();
    assert!(envelope(&mut imap, 2).contains("\"out of the cache\""));
    assert!(envelope(&mut imap, 1).contains("\"one\""));
    imap.ok("UID FETCH 1:4 (BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (FROM DATE)] RFC822.SIZE)");
    imap.ok("LOGOUT");
    store.has_no_complaints();
}

#[test]
fn we_find_what_dovecot_has_put_there() {
    let store = Store::new();
    let mut imap = store.selected();
    let plain = imap.ok("UID FETCH 1 (BODYSTRUCTURE BODY)");
    let items =
        "(INTERNALDATE RFC822.SIZE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT FROM DATE)])";
    // Backwards: a client without a copy of its own.
    for number in [4, 3, 2, 1, 4, 3, 2, 1] {
        imap.ok(&format!("UID FETCH {number} {items}"));
    }
    imap.ok("LOGOUT");
    let ours = store.ours();
    let subject = ours.cache.field("hdr.subject").unwrap();
    let from = ours.cache.field("hdr.from").unwrap();
    for (number, message) in (1..).zip(MESSAGES) {
        let mail = ours.mail(number);
        let root = decode_parts(mail.get(FieldId::MIME_PARTS).unwrap()).unwrap()[0];
        let size = root.header_virtual + root.body_virtual;
        assert_eq!(size, message.len() as u64);
        if let Some(size) = mail.get(FieldId::SIZE_VIRTUAL) {
            assert_eq!(decode_u64(size), Some(message.len() as u64));
        }
        assert!(decode_u32(mail.get(FieldId::DATE_RECEIVED).unwrap()).is_some());
        assert!(mail.bits().unwrap().contains(MailBits::HAS_NO_NULS));
        let decode = |id| HeaderLines::decode(mail.get(id).unwrap()).unwrap();
        let merged = merge_header_lines(&[decode(from), decode(subject)]);
        let (header, _) = message.split_once("\r\n\r\n").unwrap();
        let wanted = header.replace("\r\n", "\n") + "\n";
        for line in std::str::from_utf8(&merged).unwrap().lines() {
            assert!(wanted.contains(line), "{line:?}");
        }
    }
    let two = ours.mail(2);
    let decode = |id| HeaderLines::decode(two.get(id).unwrap()).unwrap();
    let merged = merge_header_lines(&[decode(from), decode(subject)]);
    let expected = "Subject: two\nFrom: ann@example.org\nSubject: two again\n";
    assert_eq!(std::str::from_utf8(&merged).unwrap(), expected);
    // What is not stored because it can be made.
    let one = ours.mail(1);
    assert!(one.bits().unwrap().contains(MailBits::TEXT_PLAIN_7BIT));
    let root = decode_parts(one.get(FieldId::MIME_PARTS).unwrap()).unwrap()[0];
    let (structure, body) = (plain_body_structure(&root), plain_body(&root));
    let expected = format!("BODYSTRUCTURE ({structure}) BODY ({body})");
    assert!(
        plain.find("* 1 FETCH").text.contains(&expected),
        "{expected}"
    );
    // And what it has decided.
    use index::cache::Decision;
    let decided = |id| ours.cache.policy(id).unwrap().1.decision;
    assert_eq!(decided(subject), Decision::Yes);
    assert!(ours.cache.wanted(uid(9), &facts(4)).contains(&subject));
    store.has_no_complaints();
}

#[test]
fn both_at_the_same_time() {
    let store = Store::new();
    let mut imap = store.selected();
    for round in 0..20u32 {
        imap.ok(&format!(
            "UID FETCH 1:4 BODY.PEEK[HEADER.FIELDS (X-Theirs-{round})]"
        ));
        let ours = store.ours();
        let header = ours.cache.field(&format!("hdr.X-Ours-{round}")).unwrap();
        let records: Vec<_> = (1..=4).map(|n| ours.record(n, header, b"")).collect();
        store.store(&ours, &records);
        if round % 5 == 4 {
            store.purge(&store.ours());
        }
        let mut other = store.selected();
        let asked = format!("UID FETCH 1:4 BODY.PEEK[HEADER.FIELDS (X-Ours-{round} SUBJECT)]");
        other.ok(&asked);
        imap.ok("NOOP");
        imap.ok(&asked);
    }
    imap.ok("LOGOUT");
    store.has_no_complaints();
    let ours = store.ours();
    for name in [
        "hdr.X-Ours-19",
        "hdr.X-Theirs-19",
        "hdr.X-Ours-2",
        "hdr.X-Theirs-2",
    ] {
        let header = ours.cache.field(name).unwrap();
        for number in 1..=4 {
            assert_eq!(
                ours.mail(number).get(header),
                Some(b"".as_slice()),
                "{name}"
            );
        }
    }
}

#[test]
fn a_session_of_ours_beside_one_of_dovecot() {
    let store = Store::new();
    let mut imap = store.selected();
    imap.ok("UID FETCH 1:4 (RFC822.SIZE BODYSTRUCTURE)");
    let options = Options::mailbox(&mailbox::Settings::default());
    let index = Arc::new(Index::open(&Fs::real(), &store.directory(), options).unwrap());
    let settings = Settings {
        never_cache_fields: Vec::new(),
        purge_min_size: 0,
        ..Settings::default()
    };
    let cached = Cached::new(&index, settings, Sync::Never);
    for round in 0..20u32 {
        let mut view = CacheView::new(&cached, &index.refresh().unwrap());
        let field = match round {
            0 => FieldId::IMAP_ENVELOPE,
            _ => view.field(&format!("hdr.X-Ours-{round}")).unwrap(),
        };
        let value = if round == 0 { FORGED } else { "" };
        for seq in (1..=4).filter_map(Seq::new) {
            assert_eq!(view.get(seq, field), None);
            view.learn(seq, field, value.into());
        }
        view.close();
        let mut sync = index.begin_sync().unwrap();
        cached.tidy(&mut sync);
        store.hand_over();
        sync.finish().unwrap();
        imap.ok("NOOP");
        assert!(envelope(&mut imap, 1 + round % 4).contains("\"out of the cache\""));
        imap.ok(&format!(
            "UID FETCH 1:4 BODY.PEEK[HEADER.FIELDS (X-Theirs-{round})]"
        ));
        let mut view = CacheView::new(&cached, &index.refresh().unwrap());
        let theirs = view.field(&format!("hdr.X-Theirs-{round}")).unwrap();
        for seq in (1..=4).filter_map(Seq::new) {
            assert_eq!(view.get(seq, theirs), Some(b"".as_slice()), "{round} {seq}");
        }
    }
    imap.ok("LOGOUT");
    store.has_no_complaints();
}
