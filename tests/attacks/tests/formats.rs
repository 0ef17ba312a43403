//! Files of dbox and mbox that a user, a backup or another program left in a mailbox.

#![allow(clippy::panic, reason = "a failed test is a panic")]

use attacks::{Honest, Site};

/// What is done to the bytes of a file.
type Wreck = fn(Vec<u8>) -> Vec<u8>;

fn message(number: usize) -> String {
    format!("Subject: {number}\r\n\r\nbody {number}\r\n")
}

/// UIDs, UIDVALIDITY and bodies of alice's INBOX, as far as it can be read.
fn look(site: &Site) -> Option<(Vec<u32>, String, Vec<Vec<u8>>)> {
    let mut imap = site.log_in("alice");
    let selected = imap.command("SELECT INBOX");
    if !selected.is_ok() {
        return None;
    }
    let validity = selected.find("UIDVALIDITY").text.clone();
    let uids = imap.ok("UID SEARCH ALL");
    let uids = uids.find("* SEARCH").text.split(' ').skip(2);
    let uids: Vec<u32> = uids.map(|uid| uid.parse().expect("a UID")).collect();
    let mut bodies = Vec::new();
    for uid in &uids {
        match imap.try_command(&format!("UID FETCH {uid} BODY.PEEK[TEXT]")) {
            Ok(reply) => {
                let told = reply.untagged.iter();
                bodies.extend(told.flat_map(|response| response.literals.clone()));
            }
            // A message that cannot be read ends the session, as in Dovecot (imap_fetch_failure).
            Err(_) => {
                imap = site.log_in("alice");
                imap.ok("SELECT INBOX");
            }
        }
    }
    Some((uids, validity, bodies))
}

/// Where the last message begins.
fn last(bytes: &[u8]) -> usize {
    let mut windows = bytes.windows(3);
    windows
        .rposition(|window| window == b"\x01\x02N")
        .expect("a message")
}

fn size_without_end(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = last(&bytes) + 13;
    bytes[at..at + 16].copy_from_slice(b"ffffffffffffffff");
    bytes
}

fn no_magic(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = last(&bytes);
    bytes[at..at + 3].fill(0);
    bytes
}

fn another_guid(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut windows = bytes.windows(2);
    let at = windows
        .rposition(|window| window == b"\nG")
        .expect("a GUID");
    bytes[at + 2..at + 10].copy_from_slice(b"00000000");
    bytes
}

fn attachment_elsewhere(mut bytes: Vec<u8>) -> Vec<u8> {
    assert!(bytes.ends_with(b"\n\n"));
    bytes.pop();
    bytes.extend_from_slice(b"X1:0 5 - ../../../../../../etc/shadow\nX0 5 - ../../x\n\n");
    bytes
}

fn cut_in_the_last_message(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(last(&bytes) + 40);
    bytes
}

fn cut_in_half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn nothing_left(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.clear();
    bytes
}

fn noise(mut bytes: Vec<u8>) -> Vec<u8> {
    for (number, byte) in bytes.iter_mut().enumerate() {
        *byte ^= u8::try_from(number * 7 % 251).unwrap_or(1);
    }
    bytes
}

const MESSAGES: [(&str, Wreck); 8] = [
    ("a size without end", size_without_end),
    ("no magic", no_magic),
    ("another GUID", another_guid),
    ("attachments elsewhere", attachment_elsewhere),
    ("cut in the last message", cut_in_the_last_message),
    ("cut in half", cut_in_half),
    ("nothing left", nothing_left),
    ("noise", noise),
];
const INDEXES: [(&str, Wreck); 3] = [
    ("cut in half", cut_in_half),
    ("nothing left", nothing_left),
    ("noise", noise),
];

/// Wrecks the newest of `files` in each way: alice sees only what was sent to her, her mailbox goes on, and nobody
/// else is disturbed.
fn wreck(location: &str, files: &str, ways: &[(&str, Wreck)]) {
    let mut site = Site::boot_with(&format!("mail_location = {location}\n"));
    let honest = Honest::start(&site);
    let mut sent = vec![b"Hello.\r\n".to_vec()];
    for (number, (name, way)) in ways.iter().enumerate() {
        site.deliver("alice", message(number).as_bytes());
        sent.push(format!("body {number}\r\n").into_bytes());
        let _ = look(&site).expect("INBOX");
        let path = site.machine.run(&format!("ls -t {files} | head -1"));
        let path = path.trim();
        let bytes = way(site.machine.read_file(path));
        site.machine.write_file(path, &bytes);
        site.machine.run(&format!("chown alice: {path}"));
        let seen = look(&site);
        let (uids, _, bodies) = seen.unwrap_or_default();
        assert!(
            uids.iter().zip(uids.iter().skip(1)).all(|(a, b)| a < b),
            "{location}, {name}: {uids:?}"
        );
        for body in &bodies {
            let text = String::from_utf8_lossy(body);
            assert!(sent.contains(body), "{location}, {name}: {text}");
        }
        println!(
            "{location}, {name}: {} UIDs, {} bodies of {}",
            uids.len(),
            bodies.len(),
            sent.len()
        );
        site.calm(&honest)
            .unwrap_or_else(|what| panic!("{location}, {name}: {what}"));
    }
}

/// FS-04, one file a message.
#[test]
fn hostile_sdbox_files() {
    let mailbox = "/home/alice/sdbox/mailboxes/INBOX/dbox-Mails";
    wreck("sdbox:~/sdbox", &format!("{mailbox}/u.*"), &MESSAGES);
    wreck(
        "sdbox:~/sdbox",
        &format!("{mailbox}/dovecot.index.log"),
        &INDEXES,
    );
}

/// FS-04, many messages a file, and the map that finds them.
#[test]
fn hostile_mdbox_files() {
    let storage = "/home/alice/mdbox/storage";
    wreck("mdbox:~/mdbox", &format!("{storage}/m.*"), &MESSAGES);
    wreck(
        "mdbox:~/mdbox",
        &format!("{storage}/dovecot.map.index.log"),
        &INDEXES,
    );
}

const TRICKS: [(&str, &str); 7] = [
    (
        "X-UID of nothing",
        "From a@b  Thu Jan  1 00:00:00 2026\nX-IMAPbase: 1 0000000005\nX-UID: 0\nSubject: a\n\nbody 0\n\n",
    ),
    (
        "a UIDVALIDITY beyond any",
        "From a@b  Thu Jan  1 00:00:00 2026\nX-IMAPbase: 4294967296 4294967296 x\nX-UID: 4294967295\nSubject: a\n\nbody 0\n\n",
    ),
    (
        "lengths that lie",
        "From a@b  Thu Jan  1 00:00:00 2026\nContent-Length: 99999999999999999999\nSubject: a\n\nbody 0\n\nFrom a@b  Thu Jan  1 00:00:00 2026\nContent-Length: 3\nSubject: b\n\nbody 1\n\n",
    ),
    (
        "From_ in a body",
        "From a@b  Thu Jan  1 00:00:00 2026\nContent-Length: 24\nSubject: a\n\nbody 0\nFrom the beginning\n\nFrom a@b  Thu Jan  1 00:00:00 2026\n\n\n",
    ),
    (
        "line ends of all kinds",
        "From a@b  Thu Jan  1 00:00:00 2026\r\nSubject: a\r\nX-UID: 7\n\r\nbody 0\n\r\rFrom x\n\r\n\nFrom a@b  Thu Jan  1 00:00:00 2026\nX\r\n\r\nbody 1",
    ),
    ("no From_", "Subject: a\n\nbody 0\n"),
    ("From_ and nothing", "From "),
];

/// FS-05: whatever the file says, UIDs are UIDs, and the same at the next look.
#[test]
fn hostile_mbox_files() {
    let mut site = Site::boot_with("mail_location = mbox:~/mail:INBOX=~/inbox\n");
    let honest = Honest::start(&site);
    for (name, content) in TRICKS {
        site.machine
            .write_file("/home/alice/inbox", content.as_bytes());
        site.machine.run("chown alice: /home/alice/inbox");
        let first = look(&site);
        if let Some((uids, _, _)) = &first {
            let ascend = uids.iter().zip(uids.iter().skip(1)).all(|(a, b)| a < b);
            assert!(ascend && !uids.contains(&0), "{name}: {uids:?}");
        }
        assert_eq!(look(&site), first, "{name}");
        site.calm(&honest)
            .unwrap_or_else(|what| panic!("{name}: {what}"));
    }
    site.machine.run("rm /home/alice/inbox");
    site.deliver("alice", message(0).as_bytes());
    let (_, _, bodies) = look(&site).expect("INBOX");
    assert_eq!(bodies, [b"body 0\r\n".to_vec()]);
}
