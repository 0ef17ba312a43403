//! Lines whole, cut off anywhere, and hostile.

use super::{Comment, Joined, Joiner, Presence, RawValue, Statement};

fn parse(line: &str) -> Result<Statement, String> {
    Statement::parse(line)
}

fn assign(key: &str, value: RawValue) -> Result<Statement, String> {
    Ok(Statement::Assign {
        key: key.to_owned(),
        value,
    })
}

fn begin(kind: &str, name: &str) -> Result<Statement, String> {
    Ok(Statement::Begin {
        kind: kind.to_owned(),
        name: name.to_owned(),
    })
}

#[test]
fn statements() {
    let plain = |text: &str| RawValue::Plain(text.to_owned());
    let quoted = |text: &str| RawValue::Quoted(text.to_owned());
    assert_eq!(parse("a = b"), assign("a", plain("b")));
    assert_eq!(parse("a=b c "), assign("a", plain("b c")));
    assert_eq!(parse("a ="), assign("a", plain("")));
    assert_eq!(parse("a = \" b\\\"c \""), assign("a", quoted(" b\"c ")));
    assert_eq!(parse("a = \"b\" c"), assign("a", plain("\"b\" c")));
    assert_eq!(
        parse("a = < /x/y"),
        assign("a", RawValue::File("/x/y".to_owned()))
    );
    assert_eq!(
        parse("mailbox \"Sent Messages\" {"),
        begin("mailbox", "Sent Messages")
    );
    assert_eq!(parse("namespace {"), begin("namespace", ""));
    assert_eq!(parse("protocol !imap {"), begin("protocol", "!imap"));
    assert!(parse("protocol imap{").is_err());
    assert_eq!(parse("}"), Ok(Statement::End));
    let pattern = "conf.d/*.conf".to_owned();
    assert_eq!(
        parse("!include_try conf.d/*.conf"),
        Ok(Statement::Include {
            pattern,
            must_exist: Presence::Optional
        })
    );
    for wrong in [
        "= b", "a b", "a {b", "a b c {", "} x", "!include", "!else x",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

fn joined(text: &str) -> Vec<String> {
    let mut joiner = Joiner::default();
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Joined::Whole { line, .. } = joiner.add(line) {
            lines.push(line);
        }
    }
    lines.extend(joiner.rest());
    lines
}

#[test]
fn lines_are_joined_and_comments_gone() {
    assert_eq!(
        joined("a = b \\\n   c  # d\n# e\n\tf = g\r\n"),
        ["a = b c", "", "f = g"]
    );
    assert_eq!(joined("a = \"b # c\" # d"), ["a = \"b # c\""]);
    assert_eq!(joined("a = it's # no comment"), ["a = it's # no comment"]);
    // Dovecot keeps nothing of a line that an empty one or a comment goes on from.
    assert_eq!(joined("a = b \\\n# c\n d"), ["", "d"]);
    assert_eq!(joined("a = b \\"), ["a = b"]);
    let ambiguous = Joiner::default().add("a = b#c");
    assert_eq!(
        ambiguous,
        Joined::Whole {
            line: "a = b".to_owned(),
            ambiguous: Comment::Ambiguous
        }
    );
}

proptest::proptest! {
    #[test]
    fn nothing_panics(text in "[a-z={}\"'<$!#\\\\ \t\n\u{e9}]{0,80}") {
        for line in joined(&text) {
            let _ = Statement::parse(&line);
        }
    }
}
