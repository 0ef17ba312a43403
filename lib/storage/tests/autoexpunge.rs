//! What is too old or too much goes at the end of a session: Dovecot's and ours leave the same of one store.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use config::Facts;
use mailbox::{Access, MailStore, Mailbox, Seq, Uid};
use storage::{MailUser, Shared, Storage};
use sys::fs::{Fs, How, Lock};
use testkit::Fixture;

/// Dovecot's imap, already logged in, with the store at /srv/share.
const THEIRS: &str = r#"
mount --make-rprivate / && mount -t tmpfs none "$WORK" && mkdir "$WORK"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=$TREE,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
chown -R 5999:5999 "$SHARE" && cd "$WORK/root" && mkdir -p srv/share && mount --bind "$SHARE" srv/share
mount -t proc proc proc && mount --bind /dev dev
printf '%s\nlog_path = /dev/stderr\nssl = no\n' "$CONF" > etc/dovecot/dovecot.conf
exec chroot --userspec=5999:5999 . env -i PATH=/usr/bin:/bin HOME="$MAILHOME" USER=tester /usr/lib/dovecot/imap
"#;

const FORMATS: [(&str, &str); 4] = [
    ("maildir", "maildir:~/Maildir"),
    ("sdbox", "sdbox:~/sdbox"),
    ("mdbox", "mdbox:~/mdbox"),
    ("mbox", "mbox:~/mail:INBOX=~/inbox.mbox"),
];

/// Old ones go, all but a few go, none go, and names with wildcards.
const RULES: &str = "
  mailbox INBOX {
    autoexpunge_max_mails = 4
  }
  mailbox Sub {
    autoexpunge = 1s
  }
  mailbox S*/Deep* {
    autoexpunge = 2000 weeks
    autoexpunge_max_mails = 2
  }
  mailbox Tr* {
    autoexpunge = 2000 weeks
  }
  mailbox Nope {
    auto = create
    autoexpunge = 1s
  }
";

struct Copy {
    fixture: Fixture,
    conf: String,
}

impl Copy {
    fn of((fixture, location): (&str, &str)) -> Self {
        let namespace = format!("namespace inbox {{\n  inbox = yes\n  separator = /\n{RULES}}}\n");
        Self {
            fixture: Fixture::unpack(fixture),
            conf: format!("mail_location = {location}\n{namespace}"),
        }
    }

    fn open(&self) -> Storage {
        let config = config::parse_text(&PathBuf::from("culver.conf"), &self.conf);
        let snapshot = config.snapshot("imap", &config::NoNames).unwrap();
        let settings = snapshot.settings(&Facts::of_protocol("imap")).unwrap();
        let user = MailUser {
            name: "tester".to_owned(),
            home: Some(self.fixture.home().to_str().unwrap().to_owned()),
            variables: Vec::new(),
        };
        Storage::open(&Shared::new(Fs::real()), &user, &settings).unwrap()
    }

    /// A session of Dovecot.
    fn dovecot(&self) {
        let tree = testkit::checkout().join("tests/machine/root-tree");
        let tree = Command::new(tree).arg("dovecot").output().unwrap().stdout;
        let work = tempfile::tempdir().unwrap();
        let home = self.fixture.home();
        let name = home.file_name().unwrap().to_str().unwrap();
        let mut imap = Command::new("unshare")
            .args(["--mount", "bash", "-ec", THEIRS])
            .env("WORK", work.path())
            .env("TREE", String::from_utf8(tree).unwrap().trim())
            .env("SHARE", self.fixture.directory())
            .env("CONF", &self.conf)
            .env("MAILHOME", format!("/srv/share/{name}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        imap.stdin
            .take()
            .unwrap()
            .write_all(b"a LOGOUT\r\n")
            .unwrap();
        let told = imap.wait_with_output().unwrap();
        assert!(told.stdout.starts_with(b"* PREAUTH"), "{told:?}");
    }

    /// UIDs of each mailbox, and how many of them are recent.
    fn mails(&self) -> BTreeMap<String, (Vec<Uid>, u32)> {
        let mut store = self.open();
        let names = store.list(&["*".to_owned()]).unwrap().into_iter();
        let names: Vec<_> = names.filter(|entry| entry.selectable).collect();
        let told = names.into_iter().map(|entry| {
            let view = store.open(&entry.name, Access::ReadOnly).unwrap();
            let told = (uids(&*view), view.status().recent);
            (entry.name.to_string(), told)
        });
        told.collect()
    }
}

fn uids(view: &dyn Mailbox) -> Vec<Uid> {
    let seqs = (1..=view.len()).filter_map(Seq::new);
    seqs.filter_map(|seq| view.uid(seq)).collect()
}

#[test]
fn both_leave_the_same() {
    for format in FORMATS {
        let (theirs, ours) = (Copy::of(format), Copy::of(format));
        let before = ours.mails();
        theirs.mails();
        theirs.dovecot();
        let count = ours.open().autoexpunge();
        let (after, expected) = (ours.mails(), theirs.mails());
        assert_eq!(after, expected, "{format:?}");
        let gone = |name: &str| before[name].0.len() - after[name].0.len();
        assert!(
            gone("INBOX") > 0 && after["INBOX"].0.len() == 4,
            "{format:?}"
        );
        let all: usize = before.keys().map(|name| gone(name)).sum();
        assert_eq!(count, all as u64, "{format:?}");
        assert_eq!(ours.open().autoexpunge(), 0, "{format:?}");
    }
}

#[test]
fn one_does_it_at_a_time() {
    let copy = Copy::of(FORMATS[1]);
    let path = copy.fixture.home().join("dovecot.autoexpunge.lock");
    let file = Fs::real().open(&path, How::AppendCreate, 0o600).unwrap();
    file.try_lock(Lock::Exclusive).unwrap();
    let before = copy.mails();
    assert_eq!(copy.open().autoexpunge(), 0);
    copy.dovecot();
    assert_eq!(copy.mails(), before);
    drop(file);
    assert!(copy.open().autoexpunge() > 0);
    assert!(!path.exists());
}
