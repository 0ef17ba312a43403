//! `-u`, `-A`, `-F`: each user's mail is worked on by a process that is that user and nothing more.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ipc::auth_master::{MailUser, Refusal, Reply, Request};
use ipc::{Channel, Username, VERSION};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};

/// Who owns the mail.
const UID: u32 = 5999;
const USERS: [(&str, u32); 4] = [("ann", UID), ("bob", UID), ("carl", 6000), ("root", 0)];
const MESSAGE: &[u8] = b"Subject: hello\nMessage-ID: <one@x>\n\nhello\n";

/// An auth that knows some users, and their homes.
struct Site {
    directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(site.path(""), open).unwrap();
        for (name, uid) in USERS {
            std::fs::create_dir(site.path(name)).unwrap();
            std::os::unix::fs::chown(site.path(name), Some(uid), Some(uid)).unwrap();
        }
        std::fs::write(
            site.path("culver.conf"),
            "mail_location = maildir:~/Maildir\nfirst_valid_uid = 1\n",
        )
        .unwrap();
        let listener = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        bind(
            &listener,
            &SocketAddrUnix::new(site.path("userdb")).unwrap(),
        )
        .unwrap();
        listen(&listener, 16).unwrap();
        let homes = site.path("");
        std::thread::spawn(move || serve(&listener, &homes));
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn doveadm(&self, words: &[&str], input: &[u8]) -> (i32, String, String) {
        use std::io::Write as _;
        let mut child = Command::new(env!("CARGO_BIN_EXE_doveadm"))
            .arg("-c")
            .arg(self.path("culver.conf"))
            .arg("--userdb")
            .arg(self.path("userdb"))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who does not read has ended.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

fn serve(listener: &OwnedFd, homes: &Path) {
    while let Ok(client) = sys::seqpacket::accept(listener.as_fd()) {
        sys::seqpacket::set_blocking(&client).unwrap();
        let homes = homes.to_owned();
        std::thread::spawn(move || {
            let channel = Channel::new(client);
            while let Ok((request, _)) = channel.recv::<Request>() {
                answer(&channel, &request, &homes);
            }
        });
    }
}

fn answer(channel: &Channel, request: &Request, homes: &Path) {
    let say = |reply: &Reply| channel.send(reply, &[]).unwrap();
    match request {
        Request::Hello { .. } => say(&Reply::Hello { version: VERSION }),
        Request::List { id } => {
            let names = USERS.iter().map(|(name, _)| username(name));
            let users = names.collect();
            say(&Reply::Users { id: *id, users });
            let users = Vec::new();
            say(&Reply::Users { id: *id, users });
        }
        Request::Lookup { id, user, .. } => match USERS.iter().find(|(name, _)| name == user) {
            Some((name, uid)) => say(&Reply::User {
                id: *id,
                user: MailUser {
                    name: username(name),
                    uid: Some(*uid),
                    gid: Some(*uid),
                    home: Some(homes.join(name).to_str().unwrap().to_owned()),
                    chroot: None,
                    mail: None,
                    groups: Vec::new(),
                    fields: Vec::new(),
                },
            }),
            None => say(&Reply::Refused {
                id: *id,
                why: Refusal::UnknownUser,
            }),
        },
        other => panic!("{other:?}"),
    }
}

fn username(name: &str) -> Username {
    Username::try_from(name.to_owned()).unwrap()
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    assert!(root, "changing the user needs root");
    root
}

#[test]
fn a_users_files_are_the_users() {
    let site = Site::new();
    assert!(is_root());
    assert_eq!(site.doveadm(&["save", "-u", "ann"], MESSAGE).0, 0);
    let mut files = 0;
    for entry in std::fs::read_dir(site.path("ann/Maildir")).unwrap() {
        let data = entry.unwrap().metadata().unwrap();
        assert_eq!((data.uid(), data.gid()), (UID, UID));
        files += 1;
    }
    assert!(files > 3);
    let fetched = site.doveadm(
        &[
            "-f",
            "flow",
            "fetch",
            "-u",
            "ann",
            "user uid hdr.subject",
            "all",
        ],
        b"",
    );
    assert_eq!(
        (fetched.0, fetched.1.as_str()),
        (0, "user=ann uid=1 hdr.subject=hello\n"),
        "{}",
        fetched.2
    );
}

#[test]
fn another_users_mail_is_out_of_reach() {
    let site = Site::new();
    assert_eq!(site.doveadm(&["save", "-u", "carl"], MESSAGE).0, 0);
    let location = format!("maildir:{}", site.path("carl/Maildir").display());
    let import = ["import", "-u", "ann", &location, "", "all"];
    let (code, out, err) = site.doveadm(&import, b"");
    assert_eq!((code, out.as_str()), (75, ""), "{err}");
    assert!(!site.path("ann/Maildir/cur").exists(), "{err}");
    let copied = site.doveadm(&["copy", "-u", "ann", "INBOX", "user", "carl", "all"], b"");
    assert_eq!(copied.0, 64, "{}", copied.2);
}

#[test]
fn one_uid_may_own_the_mail_of_many() {
    let site = Site::new();
    assert_eq!(site.doveadm(&["save", "-u", "ann"], MESSAGE).0, 0);
    let copy = ["copy", "-u", "bob", "INBOX", "user", "ann", "all"];
    let (code, _, err) = site.doveadm(&copy, b"");
    assert_eq!(code, 0, "{err}");
    let (_, out, _) = site.doveadm(
        &["-f", "flow", "fetch", "-u", "bob", "hdr.subject", "all"],
        b"",
    );
    assert_eq!(out, "hdr.subject=hello\n");
}

#[test]
fn many_users_one_after_the_other() {
    let site = Site::new();
    let list = site.path("list");
    std::fs::write(&list, "ann\nbob\nnobody\n").unwrap();
    let list = list.to_str().unwrap();
    let (code, _, err) = site.doveadm(&["save", "-F", list], MESSAGE);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("doveadm(nobody): Info: User no longer exists"),
        "{err}"
    );
    let status = ["mailbox", "status", "-F", list, "messages", "INBOX"];
    assert_eq!(
        site.doveadm(&status, b"").1,
        "ann INBOX messages=1\nbob INBOX messages=1\n"
    );
    let some = ["-f", "json", "search", "-u", "z*", "all"];
    assert_eq!(site.doveadm(&some, b"").1, "[]");
    let some = ["-f", "tab", "fetch", "-u", "*b*", "uid", "all"];
    assert_eq!(site.doveadm(&some, b"").1, "Username\tuid\nbob\t1\n");
    // One of them is root: told, and the others are served.
    let (code, out, err) = site.doveadm(&["-f", "flow", "fetch", "-A", "uid", "all"], b"");
    assert_eq!(
        (code, out.as_str()),
        (75, "ann uid=1\nbob uid=1\n"),
        "{err}"
    );
    assert!(err.contains("uid 0 is not permitted"), "{err}");
}

#[test]
fn who_is_refused() {
    let site = Site::new();
    for (words, code) in [
        (&["search", "-u", "nobody", "all"][..], 67),
        (&["search", "-u", "root", "all"], 75),
        (&["search", "-S", "/run/x", "-u", "ann", "all"], 64),
        (&["search", "-u", "ann", "mailbox"], 75),
    ] {
        let (found, out, err) = site.doveadm(words, b"");
        assert_eq!((found, out.as_str()), (code, ""), "{words:?}: {err}");
    }
    // Nobody works on mail as root.
    let (code, _, err) = site.doveadm(&["search", "all"], b"");
    assert!(code == 75 || code == 64, "{err}");
}
