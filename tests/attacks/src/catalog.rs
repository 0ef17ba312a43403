//! `tests/fixtures/security/attacks.jsonl`: what is attacked, and where each entry is tested.

use serde_json::Value;
use testkit::checkout;

/// A line of the catalog.
#[derive(Debug, Clone)]
pub struct Attack {
    /// `IMAP-01`.
    pub id: String,
    /// `imap`, `lmtp`, …
    pub proto: String,
    /// `preauth`, `auth`, `deliver`, `ipc`, `fs`.
    pub state: String,
    /// What is done, in order.
    pub steps: Vec<Value>,
    /// What must come of it.
    pub expect: Value,
}

/// Where an entry is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// `tests/written.rs` does its steps as they are written.
    AsWritten,
    /// The steps are words, or are not enough: a test of its own, by its name.
    Test(&'static str),
    /// What it attacks does not exist yet, and why it cannot be tested before.
    Later(&'static str),
}

const POP3: &str = "POP3 is not served yet";
const SIEVE: &str = "Sieve does not exist yet";
const MANAGESIEVE: &str = "ManageSieve is not served yet";

/// Every entry. A test compares it with the catalog: none is forgotten in silence.
pub const PLANS: &[(&str, Plan)] = &[
    ("IMAP-01", Plan::AsWritten),
    ("IMAP-02", Plan::AsWritten),
    ("IMAP-04", Plan::AsWritten),
    ("IMAP-07", Plan::AsWritten),
    ("IMAP-08", Plan::AsWritten),
    ("IMAP-10", Plan::AsWritten),
    ("IMAP-11", Plan::AsWritten),
    ("IMAP-12", Plan::AsWritten),
    ("IMAP-15", Plan::AsWritten),
    ("IMAP-16", Plan::AsWritten),
    ("IMAP-17", Plan::AsWritten),
    ("IMAP-23", Plan::AsWritten),
    ("IMAP-24", Plan::AsWritten),
    ("IMAP-26", Plan::AsWritten),
    ("IMAP-27", Plan::AsWritten),
    ("IMAP-28", Plan::AsWritten),
    ("IMAP-29", Plan::AsWritten),
    ("IMAP-31", Plan::AsWritten),
    ("IMAP-32", Plan::AsWritten),
    ("IMAP-34", Plan::AsWritten),
    (
        "IMAP-35",
        Plan::Test("limits: a_slow_loris_has_a_minute_in_total"),
    ),
    (
        "IMAP-36",
        Plan::Test("limits: five_thousand_connections_from_one_address"),
    ),
    (
        "IMAP-39",
        Plan::Test("limits: handshakes_that_fail_leave_nothing_behind"),
    ),
    ("IMAP-40", Plan::AsWritten),
    ("IMAP-41", Plan::AsWritten),
    ("IMAP-42", Plan::Test("tls: key_updates_and_tiny_records")),
    ("IMAP-44", Plan::Test("tls: old_versions_are_refused")),
    ("IMAP-45", Plan::AsWritten),
    ("IMAP-46", Plan::AsWritten),
    ("IMAP-47", Plan::AsWritten),
    ("IMAP-48", Plan::AsWritten),
    ("IMAP-63", Plan::AsWritten),
    ("IMAP-67", Plan::AsWritten),
    ("IMAP-69", Plan::AsWritten),
    ("IMAP-70", Plan::AsWritten),
    ("IMAP-71", Plan::AsWritten),
    ("IMAP-72", Plan::Test("limits: a_client_that_never_reads")),
    ("IMAP-73", Plan::AsWritten),
    ("IMAP-74", Plan::Later("COMPRESS is not offered")),
    ("IMAP-78", Plan::AsWritten),
    (
        "IMAP-80",
        Plan::Test("storage: hostile_index_files_change_nothing"),
    ),
    ("POP3-01", Plan::Later(POP3)),
    ("POP3-02", Plan::Later(POP3)),
    ("POP3-03", Plan::Later(POP3)),
    ("POP3-04", Plan::Later(POP3)),
    ("POP3-06", Plan::Later(POP3)),
    ("POP3-08", Plan::Later(POP3)),
    ("LMTP-01", Plan::AsWritten),
    ("LMTP-03", Plan::AsWritten),
    ("LMTP-05", Plan::AsWritten),
    ("LMTP-06", Plan::AsWritten),
    ("LMTP-08", Plan::AsWritten),
    ("LMTP-09", Plan::AsWritten),
    ("LMTP-13", Plan::AsWritten),
    (
        "LMTP-15",
        Plan::Test("messages: hostile_messages_are_delivered_and_read"),
    ),
    (
        "LMTP-17",
        Plan::Test("messages: hostile_messages_are_delivered_and_read"),
    ),
    (
        "LMTP-21",
        Plan::Test("messages: hostile_messages_are_delivered_and_read"),
    ),
    (
        "LMTP-22",
        Plan::Test("messages: hostile_messages_are_delivered_and_read"),
    ),
    ("LMTP-25", Plan::AsWritten),
    (
        "LMTP-26",
        Plan::Test("messages: a_thousand_recipients_and_one_fails"),
    ),
    ("LMTP-27", Plan::AsWritten),
    ("LMTP-28", Plan::AsWritten),
    ("LMTP-30", Plan::AsWritten),
    (
        "LMTP-31",
        Plan::Test("messages: a_reply_that_is_lost_loses_no_mail"),
    ),
    ("SIEVE-01", Plan::Later(SIEVE)),
    ("SIEVE-03", Plan::Later(SIEVE)),
    ("MSIEVE-01", Plan::Later(MANAGESIEVE)),
    ("MSIEVE-02", Plan::Later(MANAGESIEVE)),
    (
        "AUTH-01",
        Plan::Later("there is no NTLM; that it is refused: handoff: mechanisms_that_do_not_exist"),
    ),
    (
        "AUTH-02",
        Plan::Later(
            "there is no DIGEST-MD5, CRAM-MD5 or SCRAM; that they are refused: handoff: mechanisms_that_do_not_exist",
        ),
    ),
    (
        "AUTH-03",
        Plan::Later("there is no OTP; that it is refused: handoff: mechanisms_that_do_not_exist"),
    ),
    (
        "AUTH-04",
        Plan::Test("handoff: mechanisms_that_do_not_exist"),
    ),
    (
        "AUTH-06",
        Plan::Test("handoff: tokens_are_worth_nothing_elsewhere"),
    ),
    ("AUTH-07", Plan::Test("handoff: no_token_before_success")),
    (
        "AUTH-08",
        Plan::Test("handoff: a_login_process_names_nobody"),
    ),
    (
        "AUTH-09",
        Plan::Test("handoff: a_flood_of_exchanges_is_forgotten"),
    ),
    (
        "IPC-03",
        Plan::Test("handoff: strangers_are_refused_at_every_socket"),
    ),
    (
        "IPC-04",
        Plan::Test("handoff: tokens_are_worth_nothing_elsewhere"),
    ),
    ("IPC-06", Plan::Test("handoff: a_worker_has_nothing_left")),
    (
        "IPC-07",
        Plan::Test("handoff: counts_of_a_dead_manager_fall_to_zero"),
    ),
    ("IPC-08", Plan::Later("there is no doveadm server")),
    ("IPC-09", Plan::Later("there is no dict service")),
    (
        "IPC-10",
        Plan::Test("handoff: a_login_process_knows_no_secrets"),
    ),
    ("FS-03", Plan::Test("storage: hostile_uidlists")),
    ("FS-04", Plan::Test("formats: hostile_mdbox_files")),
    ("FS-05", Plan::Test("formats: hostile_mbox_files")),
    ("FS-07", Plan::Test("tests/machine: kill")),
    ("FS-08", Plan::Test("storage: clocks_that_jump")),
    ("FS-10", Plan::Test("storage: a_mailbox_from_yesterday")),
    (
        "LOG-01",
        Plan::Test("journal: a_journal_that_does_not_read"),
    ),
];

/// The whole catalog.
///
/// # Panics
/// A line is not what it should be.
#[must_use]
pub fn attacks() -> Vec<Attack> {
    let path = checkout().join("tests/fixtures/security/attacks.jsonl");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(parse).collect()
}

fn parse(line: &str) -> Attack {
    let entry: Value = serde_json::from_str(line).expect("JSON");
    let word = |key: &str| entry[key].as_str().expect("a string").to_owned();
    Attack {
        id: word("id"),
        proto: word("proto"),
        state: word("state"),
        steps: entry["steps"].as_array().expect("steps").clone(),
        expect: entry["expect"].clone(),
    }
}

/// The catalog's strings are bytes, one a character.
///
/// # Panics
/// A character is no byte.
#[must_use]
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).expect("a byte"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_entry_is_forgotten() {
        let mut ids: Vec<String> = attacks().into_iter().map(|attack| attack.id).collect();
        let mut planned: Vec<&str> = PLANS.iter().map(|(id, _)| *id).collect();
        ids.sort();
        planned.sort_unstable();
        assert_eq!(ids, planned);
    }

    #[test]
    fn tests_that_are_named_exist() {
        for (id, plan) in PLANS {
            let Plan::Test(name) = plan else { continue };
            let Some((file, function)) = name.split_once(": ") else {
                panic!("{id}: {name} is no FILE: FUNCTION");
            };
            if file.starts_with("tests/") {
                continue;
            }
            let path = checkout().join(format!("tests/attacks/tests/{file}.rs"));
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                text.contains(&format!("fn {function}()")),
                "{id}: no {name}"
            );
        }
    }

    #[test]
    fn bytes_are_not_characters() {
        assert_eq!(bytes("\u{c3}("), [0xc3, b'(']);
    }
}
