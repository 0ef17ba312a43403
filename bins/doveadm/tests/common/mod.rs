//! Dovecot's doveadm and ours on copies of one store, each as the user whose mail it is.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: not every test needs all of them, and they may fail loudly"
)]

pub mod both;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use testkit::Fixture;

/// What both read.
pub const CONF: &str = "mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \\Drafts
  }
  mailbox Sent {
    special_use = \\Sent
  }
}
";

/// Dovecot's root tree with the store at /srv/share; nothing that it writes beside it stays.
const THEIRS: &str = r#"
mount --make-rprivate / && mount -t tmpfs none "$WORK" && mkdir "$WORK"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=$TREE,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
cd "$WORK/root" && mkdir -p srv/share && mount --bind "$SHARE" srv/share
mount -t proc proc proc && mount --bind /dev dev
printf '%s\nlog_path = /dev/stderr\ninfo_log_path = /dev/stderr\nssl = no\n' "$CONF" > etc/dovecot/dovecot.conf
exec chroot --userspec=5999:5999 . env -i TZ="$ZONE" PATH=/usr/bin:/bin HOME="$MAILHOME" USER=tester "$@"
"#;

/// The same paths for ours.
const OURS: &str = r#"
mount --make-rprivate / && mount -t tmpfs none /srv && chmod 755 /srv && mkdir /srv/share
mount --bind "$SHARE" /srv/share && touch /srv/doveadm && mount --bind "$BINARY" /srv/doveadm
printf '%s\n' "$CONF" > /srv/culver.conf && chmod 644 /srv/culver.conf
shift
exec setpriv --reuid 5999 --regid 5999 --clear-groups \
  env -i TZ="$ZONE" PATH=/usr/bin:/bin HOME="$MAILHOME" USER=tester /srv/doveadm -c /srv/culver.conf "$@"
"#;

/// Ours on the PATH, for scripts.
const SHELL: &str = r#"
mount --make-rprivate / && mount -t tmpfs none /srv && chmod 755 /srv && mkdir /srv/share /srv/bin
mount --bind "$SHARE" /srv/share && touch /srv/bin/doveadm && mount --bind "$BINARY" /srv/bin/doveadm
exec setpriv --reuid 5999 --regid 5999 --clear-groups env -i TZ="$ZONE" HOME="$MAILHOME" USER=tester "$@"
"#;

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Dovecot,
    Culver,
}

/// How a command went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A copy of a fixture.
pub struct Store {
    pub fixture: Fixture,
    name: String,
    pub conf: String,
    pub zone: &'static str,
}

impl Store {
    pub fn of(name: &str) -> Self {
        Self {
            fixture: Fixture::unpack(name),
            name: name.to_owned(),
            conf: CONF.to_owned(),
            zone: "",
        }
    }

    /// Runs a shell script, with the directory above the store as $1 and doveadm of one or the other as `doveadm`.
    pub fn shell(&self, who: Who, script: &str) -> Answer {
        let (frame, path) = match who {
            Who::Dovecot => (THEIRS, "PATH=/usr/bin:/bin"),
            Who::Culver => (SHELL, "PATH=/srv/bin:/usr/bin:/bin"),
        };
        let mut command = self.framed(frame);
        command.args(["env", path, "bash", "-c", script, "script"]);
        command.arg("/srv/share");
        run(&mut command, b"")
    }

    /// Runs doveadm of one or the other.
    pub fn doveadm(&self, who: Who, words: &[&str], input: &[u8]) -> Answer {
        let script = match who {
            Who::Dovecot => THEIRS,
            Who::Culver => OURS,
        };
        let mut command = self.framed(script);
        command.arg("doveadm").args(words);
        run(&mut command, input)
    }

    fn framed(&self, script: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "bash", "-ec", script, "doveadm"])
            .env("WORK", scratch())
            .env("TREE", tree())
            .env("SHARE", self.fixture.directory())
            .env("BINARY", env!("CARGO_BIN_EXE_doveadm"))
            .env("CONF", &self.conf)
            .env("ZONE", self.zone)
            .env("MAILHOME", format!("/srv/share/{}", self.name));
        command
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command, input: &[u8]) -> Answer {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Who does not read has ended.
    let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    answer(&output)
}

fn answer(output: &Output) -> Answer {
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Debian with Dovecot, built at the first run of any suite.
fn tree() -> &'static Path {
    static TREE: OnceLock<PathBuf> = OnceLock::new();
    TREE.get_or_init(|| {
        let script = testkit::checkout().join("tests/machine/root-tree");
        let output = Command::new(script).arg("dovecot").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
}

/// Where each namespace mounts its own.
fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<tempfile::TempDir> = OnceLock::new();
    SCRATCH.get_or_init(|| tempfile::tempdir().unwrap()).path()
}

/// Lines in order: which mailbox comes first is not said.
pub fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// What differs, for people.
pub fn difference(theirs: &[String], ours: &[String]) -> String {
    let missing = theirs.iter().filter(|line| !ours.contains(line));
    let more = ours.iter().filter(|line| !theirs.contains(line));
    let missing = missing.map(|line| format!("  - {line}\n"));
    missing
        .chain(more.map(|line| format!("  + {line}\n")))
        .take(20)
        .collect()
}
