//! The machines that transcripts are replayed in, and users with mail in them.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use testkit::{Dovecot, Fixture, Imap, Lmtp, Machine};

use crate::script::{Mail, Script};

/// A server in its machine.
#[derive(Debug)]
pub struct Server {
    /// For failed tests.
    pub name: &'static str,
    /// Where it runs.
    pub machine: Machine,
    /// useradd locks its files and does not wait.
    accounts: Mutex<()>,
}

/// The same for both.
const SETTINGS: &str = "
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_username_format = %Ln
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \\Drafts
  }
  mailbox Sent {
    special_use = \\Sent
  }
  mailbox \"Sent Messages\" {
    special_use = \\Sent
  }
  mailbox Junk {
    special_use = \\Junk
  }
  mailbox Trash {
    special_use = \\Trash
  }
}
";

/// What ours needs beside it; testkit's Dovecot has it from testkit.
const OURS: &str = "
protocols = imap lmtp
ssl = yes
ssl_cert = </etc/culver/tls/cert.pem
ssl_key = </etc/culver/tls/key.pem
mail_location = maildir:~/Maildir
first_valid_uid = 1
auth_failure_delay = 0
# Whoever idles is parked at once.
imap_hibernate_timeout = 1s
passdb {
  driver = pam
  args = culver
}
userdb {
  driver = passwd
}
";

impl Server {
    /// Those that `UNDER_TEST` names, both if it is not set; of them only one, if one is named. Booted once.
    pub fn under_test(only: Option<&str>) -> Vec<&'static Server> {
        let under_test = std::env::var("UNDER_TEST").ok();
        let known = ["dovecot", "culver"];
        for name in [under_test.as_deref(), only].into_iter().flatten() {
            assert!(known.contains(&name), "{name}: culver or dovecot");
        }
        let wanted = |name: &str| {
            under_test.as_deref().is_none_or(|wanted| wanted == name)
                && only.is_none_or(|only| only == name)
        };
        known
            .into_iter()
            .filter(|name| wanted(name))
            .map(|name| {
                if name == "culver" {
                    Server::culver()
                } else {
                    Server::dovecot()
                }
            })
            .collect()
    }

    fn culver() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let machine = Machine::with_culver();
            machine.configure(&format!("{OURS}{SETTINGS}"));
            Server::new("culver", machine)
        })
    }

    fn dovecot() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Server::new("dovecot", Dovecot::boot(SETTINGS).into_machine()))
    }

    fn new(name: &'static str, machine: Machine) -> Server {
        Server {
            name,
            machine,
            accounts: Mutex::new(()),
        }
    }

    /// Two new users of the system. The password is the name backwards.
    pub fn add_users(&self) -> [User<'_>; 2] {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let users = [(); 2].map(|()| {
            let name = format!("user{}", COUNT.fetch_add(1, Ordering::Relaxed));
            let password = name.chars().rev().collect();
            User {
                server: self,
                name,
                password,
            }
        });
        let [first, second] = &users;
        let _one_at_a_time = self.accounts.lock();
        self.machine.run(&format!(
            "useradd --create-home {0}\nuseradd --create-home {2}\nprintf '{0}:{1}\n{2}:{3}\n' | chpasswd",
            first.name, first.password, second.name, second.password
        ));
        users
    }
}

/// A user of one transcript.
#[derive(Debug)]
pub struct User<'a> {
    server: &'a Server,
    pub name: String,
    pub password: String,
}

impl User<'_> {
    /// Lays out the mail that the script begins with.
    pub fn set_up(&self, script: &Script) {
        let home = self.server.machine.path(&format!("/home/{}", self.name));
        if let Some(fixture) = &script.setup.fixture {
            let fixture = Fixture::unpack(fixture);
            // One directory; a variant of a fixture has the name of what it is a variant of.
            let mut homes = fs::read_dir(fixture.directory()).expect("an unpacked fixture");
            let from = homes.next().expect("a home").expect("an entry");
            copy(&from.path(), &home);
        }
        let maildir = home.join("Maildir");
        for mailbox in &script.setup.mailboxes {
            make(&directory(&maildir, mailbox));
        }
        for (mail, count) in script.setup.mail.iter().zip(1..) {
            place(&maildir, mail, count);
        }
        let owner = fs::metadata(&home).expect("a home");
        give(&home, owner.uid(), owner.gid());
    }

    /// A message of mail/ by LMTP.
    pub fn deliver(&self, file: &str) {
        let mut lmtp = Lmtp::connect(self.server.machine.connect(24));
        lmtp.delivered(&[&self.name], &message(file));
    }

    /// An IMAP connection, past greeting and login.
    pub fn log_in(&self, from: Ipv4Addr, port: u16) -> Imap {
        let tcp = self.server.machine.connect_from(from, port);
        let mut imap = if port == 993 {
            Imap::connect_tls(tcp)
        } else {
            Imap::connect(tcp)
        };
        imap.ok(&format!("LOGIN {} {}", self.name, self.password));
        imap
    }
}

/// A message of mail/ with CRLF line ends.
fn message(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("mail")
        .join(file);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace("\r\n", "\n")
        .replace('\n', "\r\n")
        .into_bytes()
}

/// Maildir++: `INBOX` is the directory itself, `a/b` is `.a.b` in it.
fn directory(maildir: &Path, mailbox: &str) -> PathBuf {
    match mailbox {
        "INBOX" => maildir.to_owned(),
        name => maildir.join(format!(".{}", name.replace('/', "."))),
    }
}

fn make(directory: &Path) {
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(directory.join(part)).expect("a directory in the machine");
    }
}

/// Message `count` of the script came on 14 November 2023, at 22:13:20 UTC and as many seconds.
fn place(maildir: &Path, mail: &Mail, count: u32) {
    let directory = directory(maildir, &mail.mailbox);
    make(maildir);
    make(&directory);
    let bytes = message(&mail.file);
    let time = 1_700_000_000 + u64::from(count);
    let new = mail.flags.iter().any(|flag| flag == "new");
    let mut letters: Vec<char> = mail
        .flags
        .iter()
        .filter(|flag| *flag != "new")
        .map(|flag| letter(flag))
        .collect();
    letters.sort_unstable();
    let letters: String = letters.iter().collect();
    let size = bytes.len();
    let mut path = directory.join(if new { "new" } else { "cur" });
    path.push(format!("{time}.M{count}P1.test,S={size},W={size}"));
    if !new {
        path.as_mut_os_string().push(format!(":2,{letters}"));
    }
    fs::write(&path, bytes).expect("a message in the machine");
    let file = fs::File::options()
        .write(true)
        .open(&path)
        .expect("the message");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(time))
        .expect("its time");
}

fn letter(flag: &str) -> char {
    match flag {
        "\\Answered" => 'R',
        "\\Deleted" => 'T',
        "\\Draft" => 'D',
        "\\Flagged" => 'F',
        "\\Seen" => 'S',
        other => panic!("{other} has no letter in Maildir"),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory in the machine");
    for entry in fs::read_dir(from).expect("a directory of the fixture") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
            let time = fs::metadata(&path)
                .and_then(|metadata| metadata.modified())
                .expect("its time");
            let file = fs::File::options()
                .write(true)
                .open(&target)
                .expect("the copy");
            file.set_modified(time).expect("its time");
        }
    }
}

fn give(path: &Path, uid: u32, gid: u32) {
    chown(path, Some(uid), Some(gid)).expect("giving to the user");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            give(&entry.expect("an entry").path(), uid, gid);
        }
    }
}
