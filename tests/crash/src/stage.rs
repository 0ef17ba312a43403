//! A machine with one user, one format, and the ledger of what was done.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use testkit::{Imap, Lmtp, Machine, Reply, Response, Tree, checkout, package};

use crate::check::{Found, Rules, Seen};
use crate::ledger::{Flags, Ledger, MAILBOXES};
use crate::volume::AT;
use crate::{Report, ledger};

/// A format, by its `mail_location`.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Of the format.
    pub name: &'static str,
    /// `mail_location`
    pub location: &'static str,
}

/// All of them.
pub const FORMATS: [Format; 4] = [
    Format {
        name: "maildir",
        location: "maildir:~/Maildir",
    },
    Format {
        name: "sdbox",
        location: "sdbox:~/sdbox",
    },
    Format {
        name: "mdbox",
        location: "mdbox:~/mdbox",
    },
    Format {
        name: "mbox",
        location: "mbox:~/mail:INBOX=~/inbox",
    },
];

/// The one user, and the password.
pub const USER: &str = "ann";
const PASSWORD: &str = "secret";
/// More messages than these are too many to look at after each disaster.
const MANY: usize = 120;
const FEW: usize = 40;

/// Users by a file, and no limits.
const CONFIGURATION: &str = "
protocols = imap lmtp
namespace inbox {
  inbox = yes
  separator = /
}
ssl = no
disable_plaintext_auth = no
auth_username_format = %Ln
auth_failure_delay = 0
mail_max_userip_connections = 0
first_valid_uid = 500
passdb {
  driver = passwd-file
  args = /etc/culver/users
}
userdb {
  driver = passwd-file
  args = /etc/culver/users
}
";

/// What whoever comes after a crash says about what it finds, and who loses the other end of a connection.
pub const TIDYING: [&str; 4] = [
    "bytes of an unfinished transaction cut off",
    "a message that was never finished",
    "a message that was not finished is cut off",
    "the peer closed the connection",
];

/// Where a game is played.
#[derive(Debug)]
pub struct Stage {
    /// The machine.
    pub machine: Machine,
    /// The format of its mail.
    pub format: Format,
    /// The disaster has begun: from now on errors are no wonder.
    pub begun: AtomicBool,
    /// Refusals are no wonder either, and mean that nothing was done.
    pub may_refuse: AtomicBool,
    /// The power is going: nobody hears any more what is said. Linux lets a `fdatasync` that is under way while a
    /// file system is shut down return 0, though nothing of it is on disk; in truth nobody would be left to tell.
    pub dark: AtomicBool,
    /// Clients are to stop.
    pub stop: AtomicBool,
    ledger: Mutex<Ledger>,
    /// The directory that the machine shares.
    share: tempfile::TempDir,
}

impl Stage {
    /// Boots. `settings` come after the usual ones; `volume` puts something under the mail.
    ///
    /// # Panics
    /// It does not come up.
    #[must_use]
    pub fn set(format: Format, settings: &str, volume: impl FnOnce(&Machine)) -> Self {
        let share = tempfile::tempdir().expect("a directory");
        let machine = Machine::boot_sharing(Tree::Machine, share.path());
        machine.install(&package());
        volume(&machine);
        machine.run(&format!("install -d -m 700 -o 5000 -g 5000 {AT}/{USER}"));
        let user = format!("{USER}:{{PLAIN}}{PASSWORD}:5000:5000::{AT}/{USER}::\n");
        machine.write_file("/etc/culver/users", user.as_bytes());
        let location = format.location;
        machine.configure(&format!(
            "mail_location = {location}\n{CONFIGURATION}{settings}\n"
        ));
        let stage = Self {
            machine,
            format,
            begun: AtomicBool::new(false),
            may_refuse: AtomicBool::new(false),
            dark: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            ledger: Mutex::default(),
            share,
        };
        stage.log_in().ok("CREATE Other");
        stage
    }

    /// The ledger.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session, as soon as there can be one: services that were killed come back by themselves.
    ///
    /// # Panics
    /// There is none within a minute.
    #[must_use]
    pub fn log_in(&self) -> Imap {
        let begun = Instant::now();
        loop {
            let attempt = self
                .machine
                .try_connect(Ipv4Addr::LOCALHOST, 143)
                .and_then(|stream| {
                    let mut imap = Imap::try_connect(stream)?;
                    let reply = imap.try_command(&format!("LOGIN {USER} {PASSWORD}"))?;
                    Ok((imap, reply))
                });
            match attempt {
                Ok((imap, reply)) if reply.is_ok() => return imap,
                other => assert!(begun.elapsed() < Duration::from_secs(60), "{other:?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The same for LMTP.
    ///
    /// # Panics
    /// There is none within a minute.
    #[must_use]
    pub fn lmtp(&self) -> Lmtp {
        let begun = Instant::now();
        loop {
            let attempt = self
                .machine
                .try_connect(Ipv4Addr::LOCALHOST, 24)
                .and_then(Lmtp::try_connect);
            match attempt {
                Ok(lmtp) => return lmtp,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every process that is ours dies at once.
    ///
    /// # Panics
    /// There are none.
    pub fn kill(&self) {
        let group = self.machine.control_group();
        let services = fs::read_dir(group.join("system.slice")).expect("groups of services");
        let mut groups: Vec<PathBuf> = services
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("culver-"))
            .map(|entry| entry.path())
            .collect();
        // What an administrator runs.
        groups.push(group.join("enter"));
        let killed = groups
            .iter()
            .filter(|group| fs::write(group.join("cgroup.kill"), "1").is_ok());
        assert!(killed.count() > 5, "no services in {}", group.display());
    }

    /// Looks at what is there, as the first who does after a disaster; compares; keeps evidence and ends the
    /// game if something is wrong.
    ///
    /// # Panics
    /// Something is wrong.
    pub fn judge(&self, rules: &Rules, report: &mut Report, excused: &[&str]) {
        // Nobody may hold a lock that this waits for; what is there now is what will be judged.
        let before = self.share.path().join("before");
        let _ = fs::remove_dir_all(&before);
        copy(&self.machine.path(AT), &before);
        let mut found = [Found::default(), Found::default()];
        let mut imap = self.log_in();
        for (mailbox, name) in MAILBOXES.iter().enumerate() {
            let begun = Instant::now();
            found[mailbox] = select(&mut imap, name);
            report.looks.push(begun.elapsed());
            texts(&mut imap, &mut found[mailbox]);
        }
        let told = format!("{:#?}", self.ledger());
        let mut wrong = self.ledger().settle(&found, rules);
        wrong.extend(self.unexplained(excused));
        if !wrong.is_empty() {
            let kept = self.keep(&before, &told);
            panic!(
                "{}, round {}: {} things are wrong; evidence in {}\n{}",
                self.format.name,
                report.rounds + 1,
                wrong.len(),
                kept.display(),
                wrong.join("\n")
            );
        }
        report.rounds += 1;
        report.acknowledged = self.ledger().acknowledged;
        self.thin_out(&mut imap);
        self.begun.store(false, Ordering::SeqCst);
        self.dark.store(false, Ordering::SeqCst);
    }

    /// Some messages go, so that a long game stays a short round.
    fn thin_out(&self, imap: &mut Imap) {
        let mut dice = crate::Dice::of(0);
        for (mailbox, name) in MAILBOXES.iter().enumerate() {
            let all = self.ledger().claim(mailbox, usize::MAX, &mut dice);
            let (gone, kept) = match all.len() > MANY {
                true => all.split_at(all.len() - FEW),
                false => all.split_at(0),
            };
            self.ledger().release(kept);
            if gone.is_empty() {
                continue;
            }
            let uids = crate::clients::set(gone);
            imap.ok(&format!("SELECT {name}"));
            imap.ok(&format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)"));
            imap.ok(&format!("UID EXPUNGE {uids}"));
            let mut ledger = self.ledger();
            gone.iter().for_each(|claim| ledger.gone(claim));
        }
    }

    /// Warnings and worse of ours since the last time that no disaster explains.
    fn unexplained(&self, excused: &[&str]) -> Vec<String> {
        let records = self
            .machine
            .journal(&["--cursor-file=/run/crash-cursor", "--priority=warning"]);
        let ours = records.iter().filter(|record| {
            record.field("SYSLOG_IDENTIFIER").starts_with("culver")
                || !record.field("CULVER_SERVICE").is_empty()
        });
        let lines = ours.map(|record| format!("journal: {}", record.message()));
        lines
            .filter(|line| !excused.iter().any(|part| line.contains(part)))
            .collect()
    }

    /// What a round that went wrong leaves: the store before and after anybody looked, the journal, and what
    /// the ledger said before it was judged by.
    fn keep(&self, before: &Path, ledger: &str) -> PathBuf {
        let name = format!("{}-{}", self.format.name, std::process::id());
        let place = checkout().join("target/crash").join(name);
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).expect("a place for evidence");
        copy(before, &place.join("before"));
        copy(&self.machine.path(AT), &place.join("after"));
        let journal = self
            .machine
            .run("journalctl --no-pager --output=short-precise");
        fs::write(place.join("journal"), journal).expect("evidence");
        fs::write(place.join("ledger"), ledger).expect("evidence");
        place
    }
}

/// As much as there is: locks come and go while services run.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).output();
    assert!(copied.is_ok(), "cp runs");
}

/// What anybody asks for who opens a mailbox.
fn select(imap: &mut Imap, name: &str) -> Found {
    let selected = imap.ok(&format!("SELECT {name}"));
    let number = |what: &str| -> u32 {
        let text = &selected.find(what).text;
        let rest = text.split_once(what).expect("it was found").1;
        rest.trim_start()
            .split(']')
            .next()
            .unwrap_or_default()
            .parse()
            .expect("a number")
    };
    let mut found = Found {
        validity: number("[UIDVALIDITY"),
        next: number("[UIDNEXT"),
        ..Found::default()
    };
    let fetched = imap.ok("UID FETCH 1:* (UID FLAGS)");
    for response in fetches(&fetched) {
        let uid = number_after(&response.text, "UID ");
        let seen = Seen {
            key: 0,
            flags: flags(&response.text).expect("flags"),
            intact: false,
        };
        assert!(
            found.messages.insert(uid, seen).is_none(),
            "{name}: UID {uid} twice"
        );
    }
    found
}

fn fetches(reply: &Reply) -> impl Iterator<Item = &Response> {
    let untagged = reply.untagged.iter();
    untagged.filter(|response| response.text.contains(" FETCH ("))
}

/// Without `\Recent`.
fn flags(text: &str) -> Option<Flags> {
    let (flags, _) = text.split_once("FLAGS (")?.1.split_once(')')?;
    let flags = flags.split_whitespace();
    let flags = flags.filter(|flag| *flag != "\\Recent");
    Some(flags.map(str::to_owned).collect())
}

/// Fetches the messages themselves. Who reads an mbox may learn of flags by it that its index had lost: they
/// are told in responses of their own.
fn texts(imap: &mut Imap, found: &mut Found) {
    let fetched = imap.ok("UID FETCH 1:* (UID BODY.PEEK[])");
    for response in fetches(&fetched) {
        let uid = number_after(&response.text, "UID ");
        let seen = found
            .messages
            .get_mut(&uid)
            .expect("it was there a moment ago");
        if let Some(flags) = flags(&response.text) {
            seen.flags = flags;
        }
        let Some(body) = response.literals.first() else {
            continue;
        };
        let head = String::from_utf8_lossy(body);
        let key = head
            .split_once("Subject: crash ")
            .map_or(0, |(_, rest)| number_after(rest, ""));
        let text = ledger::text(key);
        seen.key = key;
        seen.intact = match key % 2 {
            0 => body.ends_with(&text),
            _ => *body == text,
        };
    }
}

fn number_after(text: &str, what: &str) -> u32 {
    let rest = text.split_once(what).map_or("", |(_, rest)| rest);
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().unwrap_or(0)
}
