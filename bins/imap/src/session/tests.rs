//! Whole sessions over a socket pair and a store in memory.

use broker::StopReason;

use super::testing::{Memory, TestClient};
use super::{EndReason, FetchFailure, Settings};

const MESSAGE: &[u8] = b"From: a@b\r\nSubject: x\r\n\r\nbody\r\n";

/// A store with so many mails in INBOX.
fn with_mails(count: usize) -> Memory {
    let memory = Memory::new();
    for _ in 0..count {
        memory.deliver("INBOX", MESSAGE);
    }
    memory
}

/// A client with INBOX selected.
fn selected(count: usize) -> (Memory, TestClient) {
    let memory = with_mails(count);
    let mut client = TestClient::new(&memory);
    assert!(client.result("SELECT INBOX").starts_with("OK [READ-WRITE]"));
    (memory, client)
}

#[test]
fn what_login_had_read_is_run_exactly_once() {
    let mut client = TestClient::with(
        &Memory::new(),
        Settings::default(),
        b"b NOOP\r\nc SELECT INBOX\r\nd LOG",
    );
    client.until(|line| line.starts_with("c OK"));
    client.send("OUT\r\n");
    let (lines, ended) = client.ended();
    assert_eq!(lines, ["* BYE Logging out", "d OK Logout completed."]);
    assert!(matches!(ended.reason, EndReason::LoggedOut));
    assert!(
        ended
            .to_string()
            .starts_with("Disconnected: Logged out in=34 out="),
        "{ended}"
    );
}

#[test]
fn select_tells_what_rfc_3501_wants() {
    let memory = with_mails(2);
    let mut client = TestClient::new(&memory);
    assert_eq!(
        client.run("SELECT inbox"),
        [
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags permitted.",
            "* 2 EXISTS",
            "* 0 RECENT",
            "* OK [UNSEEN 1] First unseen.",
            "* OK [UIDVALIDITY 7] UIDs valid",
            "* OK [UIDNEXT 3] Predicted next UID",
            "x OK [READ-WRITE] Select completed.",
        ]
    );
    assert_eq!(
        client.run("EXAMINE INBOX")[..3],
        [
            "* OK [CLOSED] Previous mailbox closed.",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS ()] Read-only mailbox.",
        ]
    );
    assert_eq!(
        client.result("SELECT nosuch"),
        "NO Mailbox doesn't exist: nosuch."
    );
    assert_eq!(client.result("CLOSE"), "BAD No mailbox selected.");
}

#[test]
fn wrong_commands_get_dovecots_answers() {
    let mut client = TestClient::new(&Memory::new());
    for (command, answer) in [
        ("FOO", "BAD Error in IMAP command FOO: Unknown command."),
        (
            "UID FOO",
            "BAD Error in IMAP command UID FOO: Unknown command.",
        ),
        (
            "SELECT",
            "BAD Error in IMAP command SELECT: Invalid arguments.",
        ),
        (
            "SELECT \"x",
            "BAD Error in IMAP command SELECT: Missing '\"'.",
        ),
        (
            "CREATE \"a\0b\"",
            "BAD Error in IMAP command CREATE: NULs not allowed in strings.",
        ),
        ("CREATE &bad", "NO Mailbox name is not valid mUTF-7."),
        (
            "CREATE \"\"",
            "NO [CANNOT] Invalid mailbox name: Name is empty.",
        ),
        (
            "STATUS INBOX ()",
            "BAD Error in IMAP command STATUS: Empty status list.",
        ),
        (
            "APPEND INBOX",
            "BAD Error in IMAP command APPEND: Missing message size.",
        ),
        (
            "SELECT {99999999999999999999}",
            "BAD Error in IMAP command SELECT: Invalid literal size.",
        ),
    ] {
        assert_eq!(client.result(command), answer, "{command}");
        client.result("NOOP");
    }
    client.send("\r\n");
    assert_eq!(
        client.next_line().as_deref(),
        Some("* BAD Error in IMAP tag: Invalid tag.")
    );
}

#[test]
fn twenty_bad_commands_in_a_row_end_the_session() {
    let mut client = TestClient::new(&Memory::new());
    client.send("x FOO\r\n".repeat(30));
    let (lines, ended) = client.ended();
    assert_eq!(lines.len(), 21);
    assert_eq!(
        lines.last().map(String::as_str),
        Some("* BYE Too many invalid IMAP commands.")
    );
    assert!(matches!(ended.reason, EndReason::TooManyErrors));
}

#[test]
fn commands_split_anywhere_are_the_same() {
    let input = b"a SELECT {5+}\r\nINBOX\r\nb APPEND INBOX (\\Seen) {3+}\r\nabc\r\nc IDLE\r\nDONE\r\nd STATUS INBOX (MESSAGES)\r\ne LOGOUT\r\n";
    for at in 0..input.len() {
        let (one, other) = input.split_at(at);
        let mut client = TestClient::with(&Memory::new(), Settings::default(), one);
        client.send(other);
        let (lines, _) = client.ended();
        let tagged: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.split(" (").next())
            .filter(|line| !line.starts_with('*'))
            .collect();
        let expected = [
            "a OK [READ-WRITE] Select completed.",
            "b OK [APPENDUID 7 1] Append completed.",
            "+ idling",
            "c OK Idle completed.",
            "d OK [CLIENTBUG] Status on selected mailbox completed.",
            "e OK Logout completed.",
        ];
        // With few bytes before, the greeting's reader has eaten a part of them.
        assert!(expected.ends_with(&tagged), "{at}: {tagged:?}");
    }
}

#[test]
fn append_waits_for_go_ahead_and_tells_the_uid() {
    let (_, mut client) = selected(0);
    client.send("x APPEND INBOX (\\Flagged k1) \"17-Jul-1996 02:44:25 -0700\" {5}\r\n");
    client.until(|line| line == "+ OK");
    client.send("hello\r\n");
    let lines = client.until(|line| line.starts_with("x "));
    assert_eq!(
        lines.last().map(String::as_str),
        Some("x OK [APPENDUID 7 1] Append completed.")
    );
    assert!(lines.contains(&"* 1 EXISTS".to_owned()), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("* FLAGS (") && line.ends_with("k1)")),
        "{lines:?}"
    );
    client.send("x APPEND INBOX {3+}\r\nabc (\\Seen) {3}\r\n");
    assert_eq!(client.next_line().as_deref(), Some("+ OK"));
    client.send("def {3+}\r\nghi\r\n");
    let lines = client.until(|line| line.starts_with("x "));
    let told = lines.last().map(String::as_str);
    assert_eq!(told, Some("x OK [APPENDUID 7 2:4] Append completed."));
}

#[test]
fn a_refused_message_is_never_read_as_commands() {
    let memory = Memory::new();
    let mut client = TestClient::new(&memory);
    client.send("x APPEND nosuch {12+}\r\ny LOGOUT\r\n\r\n\r\nz NOOP\r\n");
    let lines = client.until(|line| line.starts_with("z "));
    assert_eq!(
        lines,
        [
            "x NO [TRYCREATE] Mailbox doesn't exist: nosuch.",
            "z OK NOOP completed."
        ]
    );
    assert_eq!(
        client.result("APPEND nosuch {12}"),
        "NO [TRYCREATE] Mailbox doesn't exist: nosuch."
    );
    client.send("x APPEND INBOX (\\Nosuch) {12+}\r\ny LOGOUT\r\n\r\n\r\nz NOOP\r\n");
    client.until(|line| line.starts_with("z OK"));
    client.send("x APPEND INBOX {0+}\r\n\r\n");
    assert_eq!(
        client.next_line().as_deref(),
        Some("x NO Can't save a zero byte message.")
    );
    for (second, answer) in [
        (" {0+}", "NO Can't save a zero byte message."),
        (
            " (\\Bogus) {5+}",
            "BAD Error in IMAP command APPEND: Invalid system flag \\BOGUS.",
        ),
        (
            " INBOX {5+}",
            "BAD Error in IMAP command APPEND: Missing message size.",
        ),
    ] {
        let bytes = if second.contains('5') { "a FOO" } else { "" };
        client.send(format!(
            "x APPEND INBOX {{3+}}\r\nabc{second}\r\n{bytes} {{5+}}\r\nb FOO\r\n"
        ));
        assert_eq!(client.next_line(), Some(format!("x {answer}")), "{second}");
    }
    assert_eq!(client.result("NOOP"), "OK NOOP completed.");
    assert_eq!(
        client.result("STATUS INBOX (MESSAGES)"),
        "OK Status completed."
    );
}

#[test]
fn too_long_lines_and_literals_are_refused() {
    let mut client = TestClient::new(&Memory::new());
    let long = format!("FETCH {}1 FLAGS", "1:4294967295,".repeat(60_000));
    assert_eq!(
        client.result(&long),
        "BAD Error in IMAP command: Too long argument."
    );
    assert_eq!(
        client.result("SETMETADATA INBOX (/private/x {100000000}"),
        "BAD Error in IMAP command: Literal size too large."
    );
    client.send("x LIST {1048577+}\r\n");
    client.send(vec![b'A'; 1_048_577]);
    client.send(" x\r\ny NOOP\r\n");
    let lines = client.until(|line| line.starts_with("y "));
    assert_eq!(
        lines,
        [
            "x BAD Error in IMAP command: Literal size too large.",
            "y OK NOOP completed."
        ]
    );
    client.send("x LIST {99999999999+}\r\n");
    let (_, ended) = client.ended();
    assert!(matches!(ended.reason, EndReason::Desynchronised));
}

#[test]
fn store_tells_new_flags_unless_silent() {
    let (_, mut client) = selected(3);
    assert_eq!(
        client.run("STORE 2 +FLAGS (\\Seen)"),
        ["* 2 FETCH (FLAGS (\\Seen))", "x OK Store completed."]
    );
    assert_eq!(
        client.run("STORE 1:* FLAGS.SILENT (\\Draft k)"),
        [
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft k)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft k \\*)] Flags permitted.",
            "x OK Store completed.",
        ]
    );
    assert_eq!(
        client.run("UID STORE 3 -FLAGS \\Draft"),
        ["* 3 FETCH (UID 3 FLAGS (k))", "x OK Store completed."]
    );
    assert_eq!(
        client.result("STORE 4 FLAGS ()"),
        "BAD Error in IMAP command STORE: Invalid messageset."
    );
    assert_eq!(client.result("UID STORE 4 FLAGS ()"), "OK Store completed.");
    assert_eq!(
        client.result("STORE 1 +FLAGS (a]b)"),
        "NO [CANNOT] Invalid characters in keyword."
    );
    assert_eq!(
        client.result(&format!("STORE 1 +FLAGS ({})", "k".repeat(51))),
        "NO [CANNOT] Keyword length too long."
    );
    client.result("EXAMINE INBOX");
    assert_eq!(
        client.run("STORE 1 FLAGS (\\Deleted)"),
        ["x OK Store ignored with read-only mailbox."]
    );
}

#[test]
fn what_others_change_is_told_even_behind_silent() {
    let (memory, mut client) = selected(1);
    let mut other = TestClient::new(&memory);
    other.run("SELECT INBOX");
    other.run("STORE 1 +FLAGS (\\Flagged)");
    assert_eq!(
        client.run("STORE 1 +FLAGS.SILENT (\\Seen)"),
        [
            "* 1 FETCH (FLAGS (\\Flagged \\Seen))",
            "x OK Store completed."
        ]
    );
}

#[test]
fn expunges_wait_while_sequence_numbers_are_in_use() {
    let (memory, mut client) = selected(3);
    let mut other = TestClient::new(&memory);
    other.run("SELECT INBOX");
    other.run("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(
        other.run("UID EXPUNGE 2:3"),
        ["* 2 EXPUNGE", "x OK Expunge completed."]
    );
    assert_eq!(
        other.run("EXPUNGE"),
        ["* 1 EXPUNGE", "x OK Expunge completed."]
    );
    let lines = client.run("STORE 3 +FLAGS (\\Seen)");
    assert!(
        !lines.iter().any(|line| line.ends_with("EXPUNGE")),
        "{lines:?}"
    );
    assert_eq!(
        client.run("NOOP"),
        ["* 1 EXPUNGE", "* 1 EXPUNGE", "x OK NOOP completed."]
    );
    let (_, ended) = {
        other.send("z LOGOUT\r\n");
        other.ended()
    };
    assert_eq!((ended.counters.deleted, ended.counters.expunged), (2, 2));
}

#[test]
fn copy_and_move_tell_uids() {
    let (_, mut client) = selected(3);
    assert_eq!(
        client.result("COPY 1 Trash"),
        "NO [TRYCREATE] Mailbox doesn't exist: Trash."
    );
    client.run("CREATE Trash");
    assert_eq!(
        client.result("COPY 1,3 Trash"),
        "OK [COPYUID 7 1,3 1:2] Copy completed."
    );
    assert_eq!(client.result("UID COPY 9 Trash"), "OK No messages found.");
    assert_eq!(
        client.run("UID MOVE 2:3 Trash"),
        [
            "* OK [COPYUID 7 2:3 3:4] Moved UIDs.",
            "* 2 EXPUNGE",
            "* 2 EXPUNGE",
            "x OK Move completed.",
        ]
    );
    client.run("EXAMINE INBOX");
    assert_eq!(client.result("MOVE 1 Trash"), "NO Mailbox is read-only.");
    client.send("z LOGOUT\r\n");
    let (_, ended) = client.ended();
    assert_eq!((ended.counters.trashed, ended.counters.expunged), (4, 2));
}

#[test]
fn close_expunges_and_unselect_does_not() {
    let (_, mut client) = selected(2);
    client.run("STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(client.run("UNSELECT"), ["x OK Unselect completed."]);
    client.run("EXAMINE INBOX");
    assert_eq!(client.run("CLOSE"), ["x OK Close completed."]);
    assert_eq!(
        client.run("STATUS INBOX (MESSAGES)")[0],
        "* STATUS INBOX (MESSAGES 2)"
    );
    client.run("SELECT INBOX");
    assert_eq!(client.run("CLOSE"), ["x OK Close completed."]);
    assert_eq!(
        client.run("STATUS INBOX (UIDNEXT MESSAGES)")[0],
        "* STATUS INBOX (MESSAGES 1 UIDNEXT 3)"
    );
}

#[test]
fn lists_in_their_forms() {
    let memory = Memory::new();
    let mut client = TestClient::new(&memory);
    for name in ["Trash", "Entw&APw-rfe"] {
        assert_eq!(
            client.result(&format!("CREATE {name}")),
            "OK Create completed."
        );
    }
    client.run("SUBSCRIBE Trash");
    assert_eq!(
        client.run("LIST \"\" \"\"")[0],
        "* LIST (\\Noselect) \"/\" \"\""
    );
    assert_eq!(
        client.run("LIST a/b \"\"")[0],
        "* LIST (\\Noselect) \"/\" a/"
    );
    assert_eq!(
        client.run("LIST \"\" *")[..3],
        [
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\HasNoChildren \\Trash) \"/\" Trash",
            "* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe",
        ]
    );
    assert_eq!(
        client.run("LIST (SPECIAL-USE) \"\" *")[0],
        "* LIST (\\Trash) \"/\" Trash"
    );
    assert_eq!(
        client.run("LIST (SUBSCRIBED) \"\" *")[0],
        "* LIST (\\Subscribed) \"/\" Trash"
    );
    assert_eq!(
        client.run("LIST \"\" Trash RETURN (SPECIAL-USE CHILDREN SUBSCRIBED)")[0],
        "* LIST (\\Subscribed \\HasNoChildren \\Trash) \"/\" Trash"
    );
    assert_eq!(
        client.run("LIST \"\" (INBOX)"),
        [
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "x OK List completed."
        ]
    );
    assert_eq!(
        client.run("LSUB \"\" *"),
        ["* LSUB (\\Trash) \"/\" Trash", "x OK Lsub completed."]
    );
    assert_eq!(client.run("LIST \"\" &bad"), ["x OK List completed."]);
}

#[test]
fn small_commands() {
    let mut client = TestClient::new(&Memory::new());
    assert!(
        client.run("CAPABILITY")[0].starts_with("* CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE ")
    );
    assert_eq!(
        client.run("NAMESPACE")[0],
        "* NAMESPACE ((\"\" \"/\")) NIL NIL"
    );
    assert_eq!(client.run("ID NIL")[0], "* ID (\"name\" \"Culver\")");
    assert_eq!(client.result("ID (\"name\" \"x\")"), "OK ID completed.");
    assert_eq!(client.result("ENABLE CONDSTORE"), "OK Enabled.");
    assert_eq!(
        client.result("RENAME nosuch y"),
        "NO [NONEXISTENT] Mailbox doesn't exist: nosuch."
    );
    assert_eq!(
        client.result("CREATE INBOX"),
        "NO [ALREADYEXISTS] Mailbox already exists."
    );
    assert_eq!(
        client.result("LOGIN a b"),
        "BAD Error in IMAP command LOGIN: Unknown command."
    );
}

#[test]
fn idle_tells_news_without_being_asked() {
    let (memory, mut client) = selected(0);
    client.send("x IDLE\r\n");
    client.until(|line| line == "+ idling");
    memory.deliver("INBOX", MESSAGE);
    client.until(|line| line == "* 1 EXISTS");
    client.send("done\r\n");
    client.until(|line| line == "x OK Idle completed.");
    client.send("x IDLE\r\nnonsense\r\n");
    client.until(|line| line == "x BAD Expected DONE.");
    client.send("a IDLE\r\nDONE\r\nb IDLE\r\nDONE\r\nc NOOP\r\n");
    client.until(|line| line == "c OK NOOP completed.");
}

#[test]
fn idle_says_that_it_is_still_here() {
    let settings = Settings {
        imap_idle_notify_interval: config::Seconds(1),
        ..Settings::default()
    };
    let mut client = TestClient::with(&Memory::new(), settings, b"");
    client.send("x IDLE\r\n");
    client.until(|line| line == "* OK Still here");
}

#[test]
fn a_session_can_be_stopped() {
    for (reason, farewell) in [
        (StopReason::Drain, "* BYE Server shutting down."),
        (StopReason::Kicked, "* BYE Disconnected by administrator."),
    ] {
        for command in ["", "x IDLE\r\n"] {
            let mut client = TestClient::new(&Memory::new());
            client.send(command);
            if !command.is_empty() {
                client.until(|line| line == "+ idling");
            }
            client.stop.stop(reason);
            let (lines, ended) = client.ended();
            assert_eq!(lines, [farewell]);
            assert!(matches!(ended.reason, EndReason::Stopped(why) if why == reason));
        }
    }
}

#[test]
fn a_deleted_mailbox_ends_the_sessions_that_look_into_it() {
    let memory = Memory::new();
    let mut client = TestClient::new(&memory);
    client.run("CREATE x");
    client.run("SELECT x");
    let mut other = TestClient::new(&memory);
    assert_eq!(other.result("DELETE x"), "OK Delete completed.");
    client.send("y NOOP\r\n");
    let (lines, _) = client.ended();
    assert_eq!(
        lines,
        ["* BYE Selected mailbox was deleted, have to disconnect."]
    );
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_message_leaves_nothing() {
    let memory = Memory::new();
    let mut client = TestClient::new(&memory);
    client.send("x APPEND INBOX {100+}\r\nabc");
    drop(client.into_fd());
    let mut other = TestClient::new(&memory);
    assert_eq!(
        other.run("STATUS INBOX (MESSAGES)")[0],
        "* STATUS INBOX (MESSAGES 0)"
    );
}

#[test]
fn a_command_that_is_done_is_told_before_the_session_ends() {
    let memory = Memory::new();
    let mut client = TestClient::new(&memory);
    client.run("CREATE x");
    client.run("SELECT x");
    TestClient::new(&memory).run("DELETE x");
    client.send("a APPEND INBOX {3+}\r\nabc\r\n");
    let (lines, _) = client.ended();
    assert_eq!(
        lines,
        [
            "a OK [APPENDUID 7 1] Append completed.",
            "* BYE Selected mailbox was deleted, have to disconnect."
        ]
    );
}

#[test]
fn numbers_that_overflow() {
    let (_, mut client) = selected(1);
    for command in [
        "FETCH 1 BODY[]<4294967295.4294967295>",
        "FETCH 1 BODY[]<0.18446744073709551615>",
        "FETCH 1:1,1:1 FLAGS",
    ] {
        assert!(client.result(command).starts_with("OK"), "{command}");
    }
    for command in [
        "FETCH 1 BODY[4294967296.1]",
        "FETCH 4294967295:1 FLAGS",
        "FETCH 0 FLAGS",
        "FETCH 1 BODY[]<18446744073709551616.1>",
    ] {
        assert!(client.result(command).starts_with("BAD"), "{command}");
    }
    let set = vec!["4294967295:1"; 4000].join(",");
    assert_eq!(
        client.result(&format!("UID FETCH {set} FLAGS")),
        "OK Fetch completed."
    );
}

#[test]
fn a_mail_that_cannot_be_read() {
    let memory = Memory::new();
    for message in [b"BROKEN".as_slice(), MESSAGE] {
        memory.deliver("INBOX", message);
    }
    let fails_by = |imap_fetch_failure| {
        let settings = Settings {
            imap_fetch_failure,
            ..Settings::default()
        };
        let mut client = TestClient::with(&memory, settings, b"");
        client.run("EXAMINE INBOX");
        client.send("a FETCH 1:2 BODY[HEADER.FIELDS (Subject)]\r\nb LOGOUT\r\n");
        let (lines, ended) = client.ended();
        (
            lines.iter().any(|line| line.starts_with("* 2 FETCH")),
            lines.last().cloned(),
            ended.to_string(),
        )
    };
    let (second, _, ended) = fails_by(FetchFailure::DisconnectImmediately);
    assert!(!second && ended.contains("FETCH failed"), "{ended}");
    let (second, _, ended) = fails_by(FetchFailure::DisconnectAfter);
    assert!(second && ended.contains("FETCH failed"), "{ended}");
    let (second, last, ended) = fails_by(FetchFailure::NoAfter);
    assert_eq!(last.as_deref(), Some("b OK Logout completed."));
    assert!(second && ended.contains("Logged out"), "{ended}");
}

#[test]
fn a_mail_that_is_shorter_than_promised_ends_the_session_in_silence() {
    let memory = Memory::new();
    memory.deliver("INBOX", b"SHORT: x\r\n\r\nbody");
    let mut client = TestClient::new(&memory);
    client.run("EXAMINE INBOX");
    client.send("a FETCH 1 BODY[]\r\nb NOOP\r\n");
    let (lines, ended) = client.ended();
    // No word of ours becomes a part of the literal.
    assert!(
        lines[0].ends_with("{1000}") && lines.last().is_some_and(String::is_empty),
        "{lines:?}"
    );
    assert!(matches!(ended.reason, EndReason::Unreadable(_)));
}

/// Pieces of commands, good and bad, in any order: a byte of input is one of them, or itself.
const FRAGMENTS: &[&str] = &[
    "x SELECT INBOX\r\n",
    "x EXAMINE INBOX\r\n",
    "x FETCH 1:* (FLAGS BODY[])\r\n",
    "x UID FETCH * BODY.PEEK[1]<0.9>\r\n",
    "x STORE 1 +FLAGS (\\Deleted)\r\n",
    "x EXPUNGE\r\n",
    "x IDLE\r\n",
    "DONE\r\n",
    "x APPEND INBOX {5+}\r\n",
    "hello",
    "\r\n",
    "x APPEND INBOX {5}\r\n",
    "x SEARCH OR SEEN TEXT a\r\n",
    "x COPY 1 INBOX\r\n",
    "x MOVE 1 b\r\n",
    "x CREATE b\r\n",
    "x DELETE b\r\n",
    "x LIST \"\" *\r\n",
    "x CLOSE\r\n",
    "x UID STORE 1:9 FLAGS.SILENT (k)\r\n",
    "x UID SEARCH 1:*\r\n",
    "{3+}\r\n",
    "{3}\r\n",
    "\"",
    "(",
    ")",
    " ",
    "x STATUS INBOX (UNSEEN)\r\n",
    "x FETCH 1 BODY[HEADER.FIELDS (a)]\r\n",
    "\0",
    "\u{e4}",
    "x LSUB {0+}\r\n",
    " *\r\n",
    "x UNSELECT\r\n",
];

#[test]
fn no_conversation_breaks_a_session() {
    bolero::check!()
        .with_iterations(200)
        .for_each(|order: &[u8]| {
            let mut said = Vec::new();
            for byte in order.iter().take(100) {
                match byte.checked_sub(128) {
                    Some(piece) => {
                        said.extend(FRAGMENTS[usize::from(piece) % FRAGMENTS.len()].bytes())
                    }
                    None => said.push(*byte),
                }
            }
            let mut client = TestClient::new(&with_mails(2));
            client.send(said);
            client.hang_up();
            let (lines, ended) = client.ended();
            // It ends when the client does, or with a farewell, and never in the middle of a line.
            let farewell = lines.iter().any(|line| line.starts_with("* BYE "));
            assert!(
                farewell || matches!(ended.reason, EndReason::Closed),
                "{:?}",
                ended.reason
            );
        });
}
