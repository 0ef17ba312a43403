//! Which queries make sense, and where they look.

use super::*;

fn parse(text: &str) -> Result<Query, Failure> {
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    Query::parse(&words)
}

fn like(patterns: &[&str]) -> Mailboxes {
    Mailboxes::Like(patterns.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn what_dovecot_understands() {
    for text in [
        "all",
        "mailbox INBOX unseen",
        "seen or flagged or draft",
        "or seen",
        "not ( seen or flagged ) uid 1:5,*",
        "savedbefore 1w savedsince 2007-04-13 x-savedon 1176418800",
        "header subject x from y text z body w",
        "larger 1M smaller 5k",
        "1:3 keyword $Forwarded unkeyword a(b",
        "older 100 younger 5",
        "mailbox-guid 41be9a165b2e046b8745000083ecc375 guid x fuzzy subject y",
        "( ( ( all ) ) )",
    ] {
        assert!(parse(text).is_ok(), "{text}");
    }
}

#[test]
fn what_it_does_not_is_said_in_its_words() {
    for (text, what) in [
        ("", "No search parameters inside list"),
        ("( )", "No search parameters inside list"),
        ("foo", "Unknown argument FOO"),
        ("( all", "Missing ')'"),
        ("all )", "Unexpected ')'"),
        ("not", "Missing argument"),
        ("seen or", "Missing argument"),
        (
            "seen or flagged draft",
            "Use parenthesis when mixing ANDs and ORs",
        ),
        ("uid x", "Invalid UID messageset"),
        ("0", "Invalid messageset"),
        ("1:2x", "Invalid messageset"),
        ("since foo", "Invalid search date parameter: foo"),
        ("larger 1x", "Invalid size: 1x"),
        ("younger 99999999999", "Invalid search interval parameter"),
        (
            "header subject",
            "Missing parameter for search key (for search key: HEADER)",
        ),
    ] {
        let failure = parse(text).unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.code()), (what, 75));
    }
    assert!(parse(&"( ".repeat(20_000)).is_err());
    assert!(parse(&"not ".repeat(20_000)).is_err());
}

#[test]
fn where_to_look() {
    for (text, expected) in [
        ("all", Mailboxes::All),
        ("mailbox INBOX all", like(&["INBOX"])),
        ("mailbox A or mailbox B", like(&["A", "B"])),
        (
            "( mailbox A uid 1 ) or ( mailbox B* seen )",
            like(&["A", "B*"]),
        ),
        ("mailbox A or seen", Mailboxes::All),
        ("not mailbox A", Mailboxes::All),
        ("mailbox-guid x all", Mailboxes::All),
    ] {
        assert_eq!(parse(text).unwrap().mailboxes(), expected, "{text}");
    }
}

#[test]
fn accidents_are_refused() {
    for (text, fine) in [
        ("all", false),
        ("mailbox A", false),
        ("mailbox A all", true),
        ("mailbox A seen", true),
        ("mailbox-guid x all", true),
        ("mailbox A or mailbox B", false),
        ("( mailbox A or mailbox B ) all", true),
        ("( mailbox A seen ) or ( mailbox B all )", true),
        ("( mailbox A seen ) or mailbox B", false),
        ("( mailbox A seen ) or draft", false),
        ("not mailbox A all", false),
    ] {
        let checked = parse(text).unwrap().check_careful("expunge");
        assert_eq!(checked.is_ok(), fine, "{text}");
    }
}
