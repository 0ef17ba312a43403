//! A machine with Culver, its users, and the questions that are asked after every attack.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use testkit::{Imap, Lmtp, Machine, Record};

use crate::Honest;

/// A machine under attack.
#[derive(Debug)]
pub struct Site {
    /// The machine.
    pub machine: Machine,
    restarts: BTreeMap<String, String>,
    cursor: String,
}

/// Who there is, each with the password NAMEpw, uid from 2001 on. mallory's mail cannot be opened.
pub const USERS: [&str; 4] = ["alice", "bob", "eve", "mallory"];

const SETTINGS: &str = "
protocols = imap lmtp
ssl = yes
ssl_cert = </etc/culver/tls/cert.pem
ssl_key = </etc/culver/tls/key.pem
mail_location = maildir:~/Maildir
auth_mechanisms = plain login
auth_username_chars =
auth_username_format = %Ln
auth_master_user_separator = *
auth_failure_delay = 0
disable_plaintext_auth = no
passdb {
  driver = passwd-file
  args = /etc/culver/masters
  master = yes
}
passdb {
  driver = passwd-file
  args = /etc/culver/users
}
userdb {
  driver = passwd-file
  args = /etc/culver/users
}
namespace inbox {
  inbox = yes
  separator = /
}
";

/// Records that tell of something that must not happen.
const ALARMS: [(&str, &str); 3] = [
    ("6e335dd4e5a2a2dfb23e874a6f30df27", "a worker crashed"),
    ("f346896361d04b8257fa1c2995d49a06", "a service failed"),
    ("fc2e22bc6ee647b6b90729ab34a250b1", "a process dumped core"),
];

impl Site {
    /// Boots it.
    #[must_use]
    pub fn boot() -> Site {
        Site::boot_with("")
    }

    /// The same with more settings.
    ///
    /// # Panics
    /// It does not come up.
    #[must_use]
    pub fn boot_with(settings: &str) -> Site {
        let machine = Machine::with_culver();
        let mut users = String::new();
        for (name, uid) in USERS.iter().zip(2001..) {
            machine.run(&format!("useradd --uid {uid} --create-home {name}"));
            users.push_str(&format!(
                "{name}:{{PLAIN}}{name}pw:{uid}:{uid}::/home/{name}::\n"
            ));
        }
        machine.write_file("/etc/culver/users", users.as_bytes());
        machine.write_file("/etc/culver/masters", b"admin:{PLAIN}adminpw\n");
        machine.run(
            "chown root:culver-auth /etc/culver/users /etc/culver/masters
             chmod 640 /etc/culver/users /etc/culver/masters
             : >/home/mallory/Maildir",
        );
        machine.configure(&format!("{SETTINGS}{settings}"));
        let mut site = Site {
            machine,
            restarts: BTreeMap::new(),
            cursor: String::new(),
        };
        for user in ["alice", "bob"] {
            site.deliver(user, b"Subject: hello\r\n\r\nHello.\r\n");
        }
        site.warm();
        site.restarts = site.count_restarts();
        site.cursor = site.newest();
        site
    }

    /// An address that nobody had before.
    #[must_use]
    pub fn address() -> Ipv4Addr {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // 127.1.0.1 and on, without 0 and 255 at the end.
        Ipv4Addr::from(0x7f01_0001 + (count / 250) * 256 + count % 250)
    }

    /// A logged-in session from an address of its own.
    #[must_use]
    pub fn log_in(&self, user: &str) -> Imap {
        let mut imap = Imap::connect(self.machine.connect_from(Site::address(), 143));
        imap.ok(&format!("LOGIN {user} {user}pw"));
        imap
    }

    /// A message by LMTP.
    pub fn deliver(&self, user: &str, message: &[u8]) {
        Lmtp::connect(self.machine.connect_from(Site::address(), 24)).delivered(&[user], message);
    }

    /// Takes all mail away from a user who is not logged in.
    pub fn empty(&self, user: &str) {
        self.machine.run(&format!("rm -rf /home/{user}/Maildir"));
    }

    /// How many messages a user has.
    ///
    /// # Panics
    /// The server does not say.
    #[must_use]
    pub fn messages(&self, user: &str) -> u32 {
        let mut imap = self.log_in(user);
        let reply = imap.ok("STATUS INBOX (MESSAGES)");
        let text = &reply.find("STATUS").text;
        let count = text
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .trim_end_matches(')');
        count.parse().expect("a number")
    }

    /// Every code path has run once, so that what it takes for good is not counted as an attack's.
    fn warm(&self) {
        for _ in 0..3 {
            let tcp = self.machine.connect_from(Site::address(), 993);
            let mut imap = Imap::connect_tls(tcp);
            imap.ok("LOGIN alice alicepw");
            imap.ok("SELECT INBOX");
            imap.ok("FETCH 1 (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])");
            let mut imap =
                Imap::connect(self.machine.connect_from(Site::address(), 143)).starttls();
            assert!(!imap.command("LOGIN alice wrong").is_ok());
            imap.ok("LOGIN bob bobpw");
        }
    }

    /// Records since the last time, and nothing wrong among them; services as they were; an old session and
    /// a new one answer.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn calm(&mut self, honest: &Honest) -> Result<Vec<Record>, String> {
        let mut complaints = Vec::new();
        let now = self.count_restarts();
        if now != self.restarts {
            complaints.push(format!(
                "services were restarted: {:?}, now {now:?}",
                self.restarts
            ));
            self.restarts = now;
        }
        let records = self.records();
        complaints.extend(records.iter().filter_map(alarm));
        complaints.extend(honest.complaint());
        let started = Instant::now();
        let mut imap = self.log_in("bob");
        imap.ok("NOOP");
        if started.elapsed() > Duration::from_secs(5) {
            complaints.push(format!("a new login took {:?}", started.elapsed()));
        }
        if complaints.is_empty() {
            Ok(records)
        } else {
            Err(complaints.join("\n    "))
        }
    }

    /// Records of our units since the last time.
    pub fn records(&mut self) -> Vec<Record> {
        let after = format!("--after-cursor={}", self.cursor);
        let records = self.machine.journal(&[&after]);
        if let Some(last) = records.last() {
            self.cursor = last.field("__CURSOR");
        }
        records
    }

    fn newest(&self) -> String {
        let records = self.machine.journal(&["--lines=1"]);
        records
            .last()
            .map(|record| record.field("__CURSOR"))
            .unwrap_or_default()
    }

    fn count_restarts(&self) -> BTreeMap<String, String> {
        let shown = self.machine.run(
            "systemctl show 'culver*.service' --property=Id,MainPID,NRestarts,ActiveState | paste -sd' ' | sed 's/  /\\n/g'",
        );
        shown
            .lines()
            .filter_map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let id = words.iter().find_map(|word| word.strip_prefix("Id="))?;
                let mut rest: Vec<&str> = words
                    .iter()
                    .copied()
                    .filter(|word| !word.starts_with("Id="))
                    .collect();
                rest.sort_unstable();
                Some((id.to_owned(), rest.join(" ")))
            })
            .collect()
    }
}

/// What no record may say, whatever comes from outside.
fn alarm(record: &Record) -> Option<String> {
    let message = record.message();
    let id = record.field("MESSAGE_ID");
    if let Some((_, what)) = ALARMS.iter().find(|(alarm, _)| *alarm == id) {
        return Some(format!("{what}: {message}"));
    }
    if message.contains("panicked at") || message.contains("BUG:") {
        return Some(format!("a panic: {message}"));
    }
    if record.field("SYSLOG_IDENTIFIER") != "culver" {
        return None;
    }
    let fields = ["MESSAGE", "CULVER_USER", "CULVER_SESSION", "CULVER_MAILBOX"];
    for field in fields {
        let text = record.field(field);
        if text.chars().any(char::is_control) {
            return Some(format!(
                "unescaped in the journal: {field}={text:?} of: {message}"
            ));
        }
    }
    None
}
