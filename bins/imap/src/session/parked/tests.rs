//! Sessions that leave their thread and come back, as to another process.

use std::os::unix::net::UnixStream;

use config::Seconds;

use super::*;
use crate::session::Settings;
use crate::session::testing::{Memory, TestClient};

const MESSAGE: &[u8] = b"Subject: x\r\n\r\nbody\r\n";

fn settings() -> Settings {
    Settings {
        imap_hibernate_timeout: Seconds(1),
        ..Settings::default()
    }
}

/// A client with INBOX selected, and IDLE begun.
fn idling(mails: usize) -> (Memory, TestClient) {
    let memory = Memory::new();
    for _ in 0..mails {
        memory.deliver("INBOX", MESSAGE);
    }
    let mut client = TestClient::with(&memory, settings(), b"");
    client.run("SELECT INBOX");
    client.send("x IDLE\r\n");
    assert_eq!(client.next_line().as_deref(), Some("+ idling"));
    (memory, client)
}

/// Does this as another session of the user.
fn meanwhile(memory: &Memory, commands: &[&str]) {
    let mut other = TestClient::new(memory);
    for command in commands {
        let result = other.result(command);
        assert!(result.starts_with("OK"), "{command}: {result}");
    }
}

fn done(client: &mut TestClient) -> Vec<String> {
    client.send("DONE\r\n");
    client.until(|line| line.starts_with("x "))
}

#[test]
fn what_happened_meanwhile_is_told_once() {
    let (memory, mut client) = idling(5);
    let parked = *client.parked();
    meanwhile(
        &memory,
        &[
            "SELECT INBOX",
            "STORE 2 +FLAGS (\\Deleted)",
            "STORE 5 +FLAGS (\\Seen work)",
            "EXPUNGE",
        ],
    );
    memory.deliver("INBOX", MESSAGE);
    client.back(parked, Back::Woken);
    let told = client.until(|line| line.ends_with("RECENT"));
    assert_eq!(
        told,
        [
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work \\*)] Flags permitted.",
            "* 2 EXPUNGE",
            "* 4 FETCH (FLAGS (\\Seen work))",
            "* 5 EXISTS",
            "* 0 RECENT",
        ]
    );
    // IDLE goes on: what happens now is told by the session itself.
    memory.deliver("INBOX", MESSAGE);
    assert_eq!(client.next_line().as_deref(), Some("* 6 EXISTS"));
    assert_eq!(done(&mut client), ["* 1 RECENT", "x OK Idle completed."]);
    assert_eq!(client.result("FETCH 6 UID"), "OK Fetch completed.");
    client.send("y LOGOUT\r\n");
    let (_, ended) = client.ended();
    // All that was said before and after: SELECT, IDLE, DONE, FETCH, LOGOUT.
    assert_eq!(ended.counters.input, 16 + 8 + 6 + 15 + 10);
    assert!(ended.counters.output > 500, "{ended}");
}

#[test]
fn nothing_is_told_where_nothing_happened_and_done_is_done() {
    let (_memory, mut client) = idling(3);
    let parked = *client.parked();
    client.send("DONE\r\n");
    client.back(parked, Back::Woken);
    assert_eq!(client.next_line().as_deref(), Some("x OK Idle completed."));
    assert_eq!(client.result("NOOP"), "OK NOOP completed.");
}

#[test]
fn it_may_leave_again_and_again() {
    let (memory, mut client) = idling(1);
    for number in 2..4 {
        let parked = *client.parked();
        memory.deliver("INBOX", MESSAGE);
        client.back(parked, Back::Woken);
        let exists = format!("* {number} EXISTS");
        assert_eq!(client.next_line(), Some(exists));
        assert_eq!(client.next_line().as_deref(), Some("* 0 RECENT"));
    }
    let parked = *client.parked();
    assert!(parked.watch.is_some());
    client.send("LOGOUT\r\n");
    client.back(parked, Back::Woken);
    assert_eq!(client.next_line().as_deref(), Some("x BAD Expected DONE."));
}

#[test]
fn an_examined_mailbox_stays_examined_and_none_stays_none() {
    let memory = Memory::new();
    memory.deliver("INBOX", MESSAGE);
    for (select, stored) in [
        ("EXAMINE INBOX", "OK Store ignored with read-only mailbox."),
        ("NOOP", "BAD No mailbox selected."),
    ] {
        let mut client = TestClient::with(&memory, settings(), b"");
        client.run(select);
        client.send("x IDLE\r\n");
        client.next_line().unwrap();
        let parked = *client.parked();
        assert_eq!(parked.watch.is_some(), select != "NOOP");
        client.back(parked, Back::Woken);
        assert_eq!(done(&mut client), ["x OK Idle completed."]);
        assert_eq!(client.result("STORE 1 +FLAGS (\\Seen)"), stored);
    }
}

#[test]
fn a_mailbox_that_was_deleted_meanwhile_ends_the_session() {
    let memory = Memory::new();
    let mut client = TestClient::with(&memory, settings(), b"");
    client.run("CREATE x");
    client.run("SELECT x");
    client.send("x IDLE\r\n");
    let parked = *client.parked();
    meanwhile(&memory, &["DELETE x"]);
    client.back(parked, Back::Woken);
    let (lines, ended) = client.ended();
    assert_eq!(
        lines.last().unwrap(),
        "* BYE Selected mailbox was deleted, have to disconnect."
    );
    assert!(matches!(ended.reason, EndReason::MailboxDeleted));
}

#[test]
fn who_has_begun_to_speak_stays() {
    let patient = Settings {
        imap_idle_notify_interval: Seconds(2),
        ..settings()
    };
    let mut client = TestClient::with(&Memory::new(), patient, b"");
    client.send("x IDLE\r\n");
    client.next_line().unwrap();
    client.send("DO");
    // Longer than it takes to leave: where it had left, nobody would read on.
    assert_eq!(client.next_line().as_deref(), Some("* OK Still here"));
    client.send("NE\r\n");
    assert_eq!(client.next_line().as_deref(), Some("x OK Idle completed."));
}

#[test]
fn who_cannot_be_held_stays_to_the_end_of_idle() {
    let memory = Memory::new();
    let interval = Settings {
        imap_idle_notify_interval: Seconds(2),
        ..settings()
    };
    let mut client = TestClient::with(&memory, interval, b"");
    client.send("x IDLE\r\n");
    client.next_line().unwrap();
    let parked = *client.parked();
    assert_eq!(
        parked.hold.keepalive.map(|keepalive| keepalive.interval),
        Some(2000)
    );
    assert!(
        parked.hold.stats.starts_with("in="),
        "{}",
        parked.hold.stats
    );
    client.back(parked, Back::NotHeld);
    // It has been longer here than it takes to leave.
    for _ in 0..2 {
        assert_eq!(client.next_line().as_deref(), Some("* OK Still here"));
    }
    assert_eq!(done(&mut client), ["x OK Idle completed."]);
}

#[test]
fn a_change_that_nobody_told_of_yet_wakes() {
    let (memory, mut client) = idling(1);
    let parked = *client.parked();
    let watch = UnixStream::from(parked.watch.unwrap());
    watch.set_nonblocking(true).unwrap();
    assert!(std::io::Read::read(&mut &watch, &mut [0]).is_err());
    memory.deliver("INBOX", MESSAGE);
    assert_eq!(std::io::Read::read(&mut &watch, &mut [0]).unwrap(), 1);
}

#[test]
fn what_is_no_parked_session_is_an_error() {
    let (_memory, mut client) = idling(3);
    let state = client.parked().state;
    for end in 0..state.len() {
        assert!(
            Returned::decode(&state[..end], 0, Back::Woken).is_err(),
            "{end}"
        );
    }
    let returned = Returned::decode(&state, 5, Back::Woken).unwrap();
    assert_eq!(returned.state.tag, "x");
    let again = postcard::to_stdvec(&State {
        counters: Counters {
            output: returned.state.counters.output - 5,
            ..returned.state.counters
        },
        ..returned.state
    });
    assert_eq!(again.unwrap(), state);
}
