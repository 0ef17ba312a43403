//! SEARCH over whole sessions.

use crate::session::testing::{Memory, TestClient};

const ONE: &[u8] = b"From: Anna <anna@example.org>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= to you\nDate: Thu, 1 Feb 2024 23:59:00 -0800\n\nThe quick fox\n";
const TWO: &[u8] = b"From: bob@example.org\nTo: anna@example.org\nSubject: second\n\nlazy DOGS and more than that, so that it is larger\n";

fn client() -> TestClient {
    let memory = Memory::new();
    for message in [ONE, TWO, TWO] {
        memory.deliver("INBOX", message);
    }
    let mut client = TestClient::new(&memory);
    client.run("SELECT INBOX");
    client.run("STORE 2 +FLAGS.SILENT (\\Seen k1)");
    client.run("STORE 3 +FLAGS.SILENT (\\Deleted)");
    client.run("EXPUNGE");
    memory.deliver("INBOX", TWO);
    client.run("NOOP");
    client
}

fn search(client: &mut TestClient, program: &str) -> String {
    let lines = client.run(&format!("SEARCH {program}"));
    assert_eq!(
        lines.last().map(String::as_str),
        Some("x OK Search completed."),
        "{program}"
    );
    lines[0]
        .trim_start_matches("* SEARCH")
        .trim_start()
        .to_owned()
}

#[test]
fn every_kind_of_key() {
    let mut client = client();
    for (program, expected) in [
        ("ALL", "1 2 3"),
        ("SEEN", "2"),
        ("UNSEEN", "1 3"),
        ("KEYWORD K1", "2"),
        ("UNKEYWORD k1", "1 3"),
        ("KEYWORD none", ""),
        ("NOT KEYWORD none", "1 2 3"),
        ("1:2,9", "1 2"),
        ("*", "3"),
        ("9:*", "3"),
        ("UID 3:*", "3"),
        ("UID 3", ""),
        ("2:3 UID 1:2", "2"),
        ("ON 1-Jan-1970", "1 2 3"),
        ("BEFORE 1-Jan-1970", ""),
        ("SINCE 2-Jan-1970", ""),
        ("SENTON 1-Feb-2024", "1"),
        ("SENTSINCE 2-Feb-2024", ""),
        ("SENTBEFORE 2-Feb-2024", "1 2 3"),
        ("LARGER 100", "1 2 3"),
        ("SMALLER 10", ""),
        ("FROM ANNA", "1"),
        ("TO example.org", "2 3"),
        ("SUBJECT \"gr\u{fc}\u{df}e\"", "1"),
        ("HEADER Date \"\"", "1"),
        ("HEADER nosuch \"\"", ""),
        ("NOT HEADER nosuch \"\"", "1 2 3"),
        ("BODY dogs", "2 3"),
        ("BODY anna", ""),
        ("TEXT anna", "1 2 3"),
        ("TEXT \"quick fox\"", "1"),
        ("OR SEEN FROM anna", "1 2"),
        ("NOT (SEEN KEYWORD k1)", "1 3"),
        ("OR (BODY fox) (BODY dogs UNSEEN)", "1 3"),
        ("CHARSET iso-8859-1 SUBJECT {5}\r\ngr\u{fc}", ""),
    ] {
        if let Some((head, tail)) = program.split_once("\r\n") {
            client.send(format!("x SEARCH {head}\r\n"));
            client.until(|line| line == "+ OK");
            client.send(format!("{tail} \r\n"));
            client.until(|line| line.starts_with("x OK"));
            continue;
        }
        assert_eq!(search(&mut client, program), expected, "{program}");
    }
}

#[test]
fn uids_and_charsets() {
    let mut client = client();
    assert_eq!(client.run("UID SEARCH 3")[0], "* SEARCH 4");
    assert_eq!(
        client.result("SEARCH CHARSET foo ALL"),
        "NO [BADCHARSET] Unknown charset."
    );
    client.send(b"x SEARCH SUBJECT \"\xe4\"\r\n");
    assert_eq!(
        client.next_line().as_deref(),
        Some("x BAD Error in IMAP command SEARCH: Invalid search key.")
    );
    client.send(b"x SEARCH CHARSET iso-8859-1 SUBJECT \"gr\xfc\xdfe\"\r\n");
    assert_eq!(client.next_line().as_deref(), Some("* SEARCH 1"));
    client.until(|line| line.starts_with("x OK"));
}

#[test]
fn wrong_programs() {
    let mut client = client();
    for (program, text) in [
        ("", "Missing search parameters."),
        ("FOO", "Unknown argument FOO."),
        ("NOT", "Missing argument."),
        ("()", "No search parameters inside list."),
        ("UID 0", "Invalid UID messageset."),
        ("0", "Invalid messageset."),
        ("ON foo", "Invalid search date parameter."),
        ("LARGER x", "Invalid search size parameter."),
    ] {
        let answer = client.result(format!("SEARCH {program}").trim_end());
        assert_eq!(
            answer,
            format!("BAD Error in IMAP command SEARCH: {text}"),
            "{program}"
        );
    }
    let deep = format!("SEARCH {}SEEN", "NOT ".repeat(1000));
    assert!(client.result(&deep).starts_with("BAD"));
}
