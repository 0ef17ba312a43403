//! What an administrator writes reaches the formats.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use config::{Facts, NoNames, Seconds, Size, Snapshot};
use mailbox::cache::Taken;
use mailbox::{Asked, Lacks, MailStore, MailboxName, NewMail};
use storage::{Kind, MailUser, MboxMd5, Settings, Shared, Storage};
use sys::fs::Fs;

fn settings(text: &str) -> Settings {
    let config = config::parse_text(Path::new("/etc/culver/culver.conf"), text);
    let snapshot = config.snapshot("imap", &NoNames).unwrap();
    let snapshot = Snapshot::from_bytes(&snapshot.to_bytes().unwrap()).unwrap();
    snapshot.settings(&Facts::default()).unwrap()
}

#[test]
fn defaults_are_those_of_the_table() {
    let ours = Settings::default();
    let table = settings("");
    assert_eq!(format!("{table:?}"), format!("{ours:?}"));
}

#[test]
fn every_setting_arrives() {
    let settings = settings(
        "mail_location = mdbox:~/mdbox
mail_plugins = $mail_plugins zlib
mail_attachment_dir = /srv/att/%u
mdbox_rotate_size = 2M
mdbox_rotate_interval = 1 day
mbox_read_locks = dotlock fcntl
mbox_write_locks = dotlock fcntl
mbox_md5 = all
mbox_lazy_writes = no
mail_always_cache_fields = hdr.subject date.sent
mail_cache_min_mail_count = 7
mail_cache_unaccessed_field_drop = 3 days
mail_index_log_rotate_min_age = 1 min
mail_index_log_rotate_max_size = 2M
namespace inbox {
  inbox = yes
}
namespace old {
  prefix = INBOX.
  separator = .
  alias_for = Archive/
  hidden = yes
}
namespace public {
  type = public
  prefix = Public/
  location = sdbox:/srv/public
}
plugin {
  zlib_save = zstd
  zlib_save_level = 9
}
",
    );
    assert_eq!(settings.mdbox_rotate_size, Size(2 << 20));
    assert_eq!(settings.mdbox_rotate_interval, Seconds(86400));
    assert_eq!(settings.mbox_md5, MboxMd5::All);
    assert!(!settings.mbox_lazy_writes);
    assert_eq!(settings.mbox_read_locks, ["dotlock", "fcntl"]);
    assert_eq!(settings.mail_attachment_dir, "/srv/att/%u");
    let cache = settings.of_caches();
    assert_eq!(cache.always_cache_fields, ["hdr.subject", "date.sent"]);
    assert_eq!(
        (cache.min_mail_count, cache.unaccessed_field_drop),
        (7, 3 * 86400)
    );
    let index = settings.of_indexes();
    assert_eq!((index.rotate_age, index.rotate_max), (60, 2 << 20));
    let encoding = settings.of_mailboxes().compression.unwrap();
    assert_eq!((encoding.method().name(), encoding.level()), ("zstd", 9));
    let alias = settings.namespace.iter().find(|one| one.name == "old");
    assert_eq!(alias.unwrap().alias_for.as_deref(), Some("Archive/"));
    assert!(
        settings
            .namespace
            .iter()
            .any(|one| one.kind == Kind::Public)
    );
}

/// Wrong settings of a plugin keep no mail out.
#[test]
fn compression_that_makes_no_sense_is_left_out() {
    let with = |plugins: &str, save: &str, level: &str| {
        let settings = settings(&format!(
            "mail_plugins = {plugins}\nplugin {{\n  zlib_save = {save}\n  zlib_save_level = {level}\n}}\n"
        ));
        let encoding = settings.of_mailboxes().compression;
        encoding.map(|encoding| (encoding.method().name(), encoding.level()))
    };
    assert_eq!(with("zlib", "gz", "3"), Some(("gz", 3)));
    assert_eq!(with("zlib", "gz", "10"), Some(("gz", 6)));
    assert_eq!(with("zlib", "gz", "x"), Some(("gz", 6)));
    assert_eq!(with("zlib", "rar", "1"), None);
    assert_eq!(with("acl", "gz", "1"), None);
}

#[test]
fn messages_are_saved_compressed_in_every_format_that_can() {
    for format in ["maildir", "sdbox", "mdbox"] {
        let home = tempfile::tempdir().unwrap();
        let settings = settings(&format!(
            "mail_location = {format}:~/mail\nmail_plugins = zlib\nplugin {{\n  zlib_save = gz\n}}\n"
        ));
        let user = MailUser {
            name: "a".to_owned(),
            home: Some(home.path().to_str().unwrap().to_owned()),
            variables: Vec::new(),
        };
        let shared: Arc<Shared> = Shared::new(Fs::real());
        let mut store = Storage::open(&shared, &user, &settings).unwrap();
        let inbox = MailboxName::new("INBOX").unwrap();
        let mut save = store.begin_save(&inbox).unwrap();
        let text = format!("Subject: x\n\n{}", "a line\n".repeat(1000));
        save.save(&NewMail::default(), &mut text.as_bytes())
            .unwrap();
        save.commit().unwrap();
        no_file_is_larger(home.path(), 3000, format);
        let mut view = store.open(&inbox, mailbox::Access::ReadOnly).unwrap();
        let mut mail = view.mail(mailbox::Seq::MIN).unwrap();
        let mut read = String::new();
        std::io::Read::read_to_string(&mut mail.body().unwrap(), &mut read).unwrap();
        assert_eq!(read, text, "{format}");
    }
}

/// Learns the envelope of a message.
fn cache_one(home: &Path, settings: &Settings) {
    let user = MailUser {
        name: "a".to_owned(),
        home: Some(home.to_str().unwrap().to_owned()),
        variables: Vec::new(),
    };
    let mut store = Storage::open(&Shared::new(Fs::real()), &user, settings).unwrap();
    let inbox = MailboxName::new("INBOX").unwrap();
    let mut save = store.begin_save(&inbox).unwrap();
    save.save(&NewMail::default(), &mut &b"Subject: x\n\nbody\n"[..])
        .unwrap();
    save.commit().unwrap();
    let mut view = store.open(&inbox, mailbox::Access::ReadWrite).unwrap();
    let mut mail = view.mail(mailbox::Seq::MIN).unwrap();
    let taken = Taken::read(mail.body().unwrap(), Lacks::Header).unwrap();
    let cache = mail.cache().unwrap();
    cache.learn(&taken.unwrap().lesson(), &[Asked::Envelope]);
}

/// The bytes of the only cache.
fn cache_file(dir: &Path) -> Option<Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.find_map(|path| match path.is_dir() {
        true => cache_file(&path),
        false if path.ends_with("dovecot.index.cache") => Some(std::fs::read(path).unwrap()),
        false => None,
    })
}

#[test]
fn caches_obey_in_every_format_that_has_one() {
    for location in ["sdbox:~/mail", "mdbox:~/mail", "mbox:~/mail:INBOX=~/inbox"] {
        let cached = |extra: &str| {
            let home = tempfile::tempdir().unwrap();
            let settings = settings(&format!("mail_location = {location}\n{extra}"));
            cache_one(home.path(), &settings);
            cache_file(home.path()).unwrap_or_default()
        };
        let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
        assert!(has(&cached(""), b"Subject: x\n"), "{location}");
        let few = cached("mail_cache_min_mail_count = 2\n");
        assert!(!has(&few, b"Subject: x\n"), "{location}");
        let never = cached("mail_never_cache_fields = hdr.subject imap.envelope\n");
        assert!(!has(&never, b"Subject: x\n"), "{location}");
        let whole = cached("mail_never_cache_fields =\n");
        assert!(has(&whole, b"NIL \"x\" NIL"), "{location}");
    }
}

/// No file of mail is larger.
fn no_file_is_larger(dir: &Path, limit: u64, format: &str) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_file_is_larger(&path, limit, format);
        } else if !path.to_str().unwrap().contains("dovecot") {
            let size = std::fs::metadata(&path).unwrap().len();
            assert!(size < limit, "{format}: {} has {size}", path.display());
        }
    }
}
