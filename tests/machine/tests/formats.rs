//! `mail_location` decides the format; everything else is the same through LMTP, IMAP and doveadm.

#![allow(clippy::panic, reason = "a failed test is a panic")]

use testkit::{Imap, Lmtp, Machine};

fn machine(location: &str) -> Machine {
    let machine = Machine::with_culver();
    machine.add_user("ann", "secret");
    let config = String::from_utf8(machine.read_file("/etc/culver/culver.conf")).expect("text");
    machine.configure(&format!("{config}\nmail_location = {location}\n"));
    machine
}

fn log_in(machine: &Machine) -> Imap {
    let mut imap = Imap::connect(machine.connect(143));
    imap.ok("LOGIN ann secret");
    imap
}

fn deliver(machine: &Machine, number: usize) {
    let message = format!("Subject: {number}\r\nFrom: a@example.org\r\n\r\nbody {number}\r\n");
    Lmtp::connect(machine.connect(24)).delivered(&["ann"], message.as_bytes());
}

fn uids(imap: &mut Imap) -> String {
    let reply = imap.ok("UID SEARCH ALL");
    reply.find("* SEARCH").text.clone()
}

/// A day in the life of a mailbox, and `files`, by which the format is known.
fn a_day(location: &str, files: &str) {
    let machine = machine(location);
    for number in 1..=3 {
        deliver(&machine, number);
    }
    let mut imap = log_in(&machine);
    let selected = imap.ok("SELECT INBOX");
    let validity = selected.find("UIDVALIDITY").text.clone();
    assert_eq!(uids(&mut imap), "* SEARCH 1 2 3");
    assert_eq!(imap.fetch(2, "BODY.PEEK[TEXT]"), b"body 2\r\n");
    imap.ok("CREATE Old");
    imap.ok("UID STORE 2 +FLAGS (\\Flagged Later)");
    imap.ok("UID COPY 2:3 Old");
    imap.ok("UID MOVE 1 Old");
    assert!(
        imap.append("Old", "(\\Seen) ", b"Subject: 4\r\n\r\nappended\r\n")
            .is_ok()
    );
    imap.ok("UID STORE 3 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    assert_eq!(uids(&mut imap), "* SEARCH 2");

    // Somebody else's mail wakes who waits.
    imap.send(b"i IDLE\r\n");
    loop {
        let response = imap.response().expect("an answer");
        if response.text.starts_with("+ ") {
            break;
        }
    }
    deliver(&machine, 5);
    loop {
        let response = imap.response().expect("news");
        if response.text == "* 2 EXISTS" {
            break;
        }
    }
    imap.send(b"DONE\r\n");
    assert!(imap.reply("i").expect("the end of IDLE").is_ok());

    // Other processes find what these leave.
    machine.run("systemctl restart culver-imap.service culver-deliver.service");
    let mut imap = log_in(&machine);
    let selected = imap.ok("SELECT INBOX");
    assert_eq!(selected.find("UIDVALIDITY").text, validity);
    assert_eq!(uids(&mut imap), "* SEARCH 2 4");
    let flags = imap.ok("FETCH 1 FLAGS");
    let flags = &flags.find("FETCH").text;
    assert!(
        flags.contains("\\Flagged") && flags.contains("Later"),
        "{flags}"
    );
    imap.ok("SELECT Old");
    assert_eq!(uids(&mut imap), "* SEARCH 1 2 3 4");
    assert_eq!(imap.fetch(4, "BODY.PEEK[TEXT]"), b"appended\r\n");
    imap.ok("LOGOUT");

    let fetched = machine.run("doveadm -f tab fetch -u ann 'uid hdr.subject' mailbox INBOX");
    assert_eq!(fetched, "uid\thdr.subject\n2\t2\n4\t5\n");
    machine.run("doveadm expunge -u ann mailbox Old uid 2");
    machine.run("doveadm purge -u ann");
    machine.run("doveadm force-resync -u ann '*'");
    let left = machine.run("doveadm search -u ann mailbox Old");
    assert_eq!(left.lines().count(), 3, "{left}");
    machine.run(&format!("ls -d {files}"));
    machine.assert_healthy();
}

#[test]
fn maildir() {
    a_day("maildir:~/Maildir", "/home/ann/Maildir/.Old/cur");
}

#[test]
fn sdbox() {
    a_day(
        "sdbox:~/sdbox",
        "/home/ann/sdbox/mailboxes/INBOX/dbox-Mails/u.2",
    );
}

#[test]
fn mdbox() {
    a_day("mdbox:~/mdbox", "/home/ann/mdbox/storage/m.*");
}

#[test]
fn mbox() {
    a_day("mbox:~/mail:INBOX=~/inbox", "/home/ann/inbox");
}
