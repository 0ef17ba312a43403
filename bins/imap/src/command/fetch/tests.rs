//! FETCH over whole sessions. The answers are those of Dovecot 2.3.19 to the same commands.

use std::fmt::Write as _;

use crate::session::testing::{Memory, TestClient};

const PLAIN: &[u8] = b"From: A B <a@b.c>\nSubject: one\nTo: x@y.z\n\nline 1\nline 2\n";
const MULTIPART: &[u8] =
    b"Content-Type: multipart/mixed; boundary=x\r\nSubject: two\r\n\r\n--x\r\n\r\nfirst\r\n--x\r\n\
    Content-Type: text/html\r\n\r\n<b>\r\n--x--\r\n";

fn client(command: &str) -> TestClient {
    let memory = Memory::new();
    memory.deliver("INBOX", PLAIN);
    memory.deliver("INBOX", MULTIPART);
    let mut client = TestClient::new(&memory);
    client.run(command);
    client
}

/// The untagged part of the answer, lines joined by LF.
fn fetch(client: &mut TestClient, command: &str) -> String {
    let mut lines = client.run(command);
    assert_eq!(
        lines.pop().as_deref(),
        Some("x OK Fetch completed."),
        "{command}: {lines:?}"
    );
    lines.join("\n")
}

#[test]
fn what_the_view_and_the_store_know() {
    let mut client = client("EXAMINE INBOX");
    assert_eq!(
        fetch(&mut client, "FETCH 1:2 (FLAGS UID)"),
        "* 1 FETCH (FLAGS (\\Recent) UID 1)\n* 2 FETCH (FLAGS (\\Recent) UID 2)"
    );
    assert_eq!(
        fetch(&mut client, "FETCH 1 FAST"),
        "* 1 FETCH (FLAGS (\\Recent) INTERNALDATE \"01-Jan-1970 00:00:00 +0000\" RFC822.SIZE 62)"
    );
    assert_eq!(
        fetch(&mut client, "UID FETCH 2,99 (RFC822.SIZE RFC822.SIZE)"),
        "* 2 FETCH (UID 2 RFC822.SIZE 117)"
    );
    assert_eq!(fetch(&mut client, "UID FETCH 99 FLAGS"), "");
    assert_eq!(
        fetch(&mut client, "UID FETCH 99:* UID"),
        "* 2 FETCH (UID 2)"
    );
}

#[test]
fn sections_with_their_sizes() {
    let mut client = client("EXAMINE INBOX");
    for (section, answer) in [
        (
            "BODY[]",
            "{62}\nFrom: A B <a@b.c>\nSubject: one\nTo: x@y.z\n\nline 1\nline 2\n)",
        ),
        (
            "RFC822.HEADER",
            "{46}\nFrom: A B <a@b.c>\nSubject: one\nTo: x@y.z\n\n)",
        ),
        ("BODY[TEXT]", "{16}\nline 1\nline 2\n)"),
        ("BODY[TEXT]<6.4>", "{4}\n\nli)"),
        ("BODY[TEXT]<16.4>", "{0}\n)"),
        ("BODY[TEXT]<99.1>", "{0}\n)"),
        ("BODY[1]", "{16}\nline 1\nline 2\n)"),
        ("BODY[2]", "{0}\n)"),
        (
            "BODY[HEADER.FIELDS (SUBJECT \"X Y\")]",
            "{16}\nSubject: one\n\n)",
        ),
        (
            "BODY[HEADER.FIELDS.NOT (SUBJECT TO)]",
            "{21}\nFrom: A B <a@b.c>\n\n)",
        ),
        ("BODY[]<4294967295.4294967295>", "{0}\n)"),
    ] {
        let peek = section.replace("BODY[", "BODY.PEEK[");
        let label = section.split_inclusive('>').next().unwrap_or(section);
        let label = match label.split_once('<') {
            Some((label, partial)) => {
                format!("{label}<{}>", partial.split('.').next().unwrap_or_default())
            }
            None => label.to_owned(),
        };
        assert_eq!(
            fetch(&mut client, &format!("FETCH 1 {peek}")),
            format!("* 1 FETCH ({label} {answer}"),
            "{section}"
        );
    }
}

#[test]
fn parts_and_structures() {
    let mut client = client("EXAMINE INBOX");
    assert_eq!(
        fetch(
            &mut client,
            "FETCH 2 (BODY.PEEK[2.MIME] BODY.PEEK[2] BODY.PEEK[1])"
        ),
        "* 2 FETCH (BODY[2.MIME] {27}\nContent-Type: text/html\n\n BODY[2] {3}\n<b> BODY[1] {5}\nfirst)"
    );
    let structure = fetch(&mut client, "FETCH 2 (BODYSTRUCTURE UID ENVELOPE)");
    assert!(
        structure.starts_with("* 2 FETCH (BODYSTRUCTURE ((\"text\" \"plain\""),
        "{structure}"
    );
    assert!(
        structure.contains(" UID 2 ENVELOPE (NIL \"two\" NIL"),
        "{structure}"
    );
    assert!(fetch(&mut client, "FETCH 1:* FULL").contains(" BODY (\"text\" \"plain\""));
}

#[test]
fn fetching_sets_seen_and_says_so_once() {
    let mut client = client("SELECT INBOX");
    assert_eq!(
        fetch(&mut client, "FETCH 1 (BODY.PEEK[TEXT]<0.1>)"),
        "* 1 FETCH (BODY[TEXT]<0> {1}\nl)"
    );
    assert_eq!(
        fetch(&mut client, "FETCH 1 (BODY[TEXT]<0.1> UID)"),
        "* 1 FETCH (UID 1 FLAGS (\\Seen) BODY[TEXT]<0> {1}\nl)"
    );
    assert_eq!(
        fetch(&mut client, "FETCH 1 BODY[TEXT]<0.1>"),
        "* 1 FETCH (BODY[TEXT]<0> {1}\nl)"
    );
    assert_eq!(
        fetch(&mut client, "FETCH 2 (FLAGS RFC822.TEXT)")
            .split(' ')
            .nth(4),
        Some("(\\Seen)")
    );
    assert_eq!(
        fetch(&mut client, "FETCH 1:2 FLAGS"),
        "* 1 FETCH (FLAGS (\\Seen))\n* 2 FETCH (FLAGS (\\Seen))"
    );
}

#[test]
fn what_is_expunged_meanwhile_is_left_out() {
    let memory = Memory::new();
    memory.deliver("INBOX", PLAIN);
    memory.deliver("INBOX", PLAIN);
    let (mut client, mut other) = (TestClient::new(&memory), TestClient::new(&memory));
    client.run("SELECT INBOX");
    other.run("SELECT INBOX");
    other.run("STORE 1 +FLAGS (\\Deleted)");
    other.run("EXPUNGE");
    let lines = client.run("FETCH 1:2 RFC822.SIZE");
    assert_eq!(
        lines,
        [
            "* 2 FETCH (RFC822.SIZE 62)",
            "x OK [EXPUNGEISSUED] Some messages were already expunged."
        ]
    );
}

#[test]
fn wrong_arguments() {
    let mut client = client("SELECT INBOX");
    for (arguments, text) in [
        ("", "Invalid arguments."),
        ("1", "Invalid arguments."),
        ("0 FLAGS", "Invalid messageset."),
        ("3 FLAGS", "Invalid messageset."),
        ("1 (FOO)", "Unknown parameter: FOO."),
        ("1 ()", "FETCH list is empty."),
        ("1 BODY[MIME]", "Invalid BODY[..] section."),
        ("4294967296 FLAGS", "Invalid messageset."),
    ] {
        let answer = client.result(&format!("FETCH {arguments}"));
        assert_eq!(
            answer,
            format!("BAD Error in IMAP command FETCH: {text}"),
            "{arguments}"
        );
    }
}

#[test]
fn pieces_come_together_whatever_their_size() {
    let mut text = String::from("Subject: x\n\n");
    for number in 0..3000 {
        writeln!(text, "line {number}").unwrap();
    }
    let memory = Memory::new();
    memory.deliver("INBOX", text.as_bytes());
    let mut client = TestClient::new(&memory);
    client.run("SELECT INBOX");
    let whole = text.replace('\n', "\r\n");
    for size in [700, 5000, 17_001] {
        let (mut at, mut got) = (0, Vec::new());
        loop {
            client.send(format!("x FETCH 1 BODY.PEEK[]<{at}.{size}>\r\n"));
            let piece = client.literal();
            client.until(|line| line.starts_with("x "));
            if piece.is_empty() {
                break;
            }
            at += piece.len();
            got.extend(piece);
        }
        assert_eq!(got, whole.as_bytes(), "pieces of {size}");
    }
}
