//! Does what came match what is expected?

use std::collections::{BTreeMap, BTreeSet};

use crate::data::{Value, parse};

/// What placeholders stand for.
pub type Names = BTreeMap<String, String>;

/// Puts what is known for `<name>`s.
pub fn fill(text: &str, names: &Names) -> String {
    let mut filled = text.to_owned();
    for (name, value) in names {
        filled = filled.replace(&format!("<{name}>"), value);
    }
    filled
}

/// A response of IMAP against an expected line. Learns names only if it matches.
pub fn response(expected: &str, came: &str, literals: &[Vec<u8>], names: &mut Names) -> bool {
    let mut learnt = names.clone();
    let matched = match (untagged_data(expected, &[]), untagged_data(came, literals)) {
        (Some(expected), Some(came)) => data(&expected, &came, &mut learnt),
        _ => literals.is_empty() && text(expected, came, &mut learnt),
    };
    if matched {
        *names = learnt;
    }
    matched
}

/// A line of text: `...` stands for anything, `<name>` for a word.
pub fn text(expected: &str, came: &str, names: &mut Names) -> bool {
    let Some(at) = expected.find(['.', '<']) else {
        return came == expected;
    };
    let (before, rest) = expected.split_at(at);
    if rest == "..." && came == before.trim_end() {
        return true;
    }
    let Some(came) = came.strip_prefix(before) else {
        return false;
    };
    if let Some(rest) = rest.strip_prefix("...") {
        let mut ends = (0..=came.len()).filter_map(|at| came.get(at..));
        return rest.is_empty() || ends.any(|came| text(rest, came, names));
    }
    let name = rest
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
        .filter(|(name, _)| is_name(name.trim_start_matches('!')));
    if let Some((name, after)) = name {
        let length = match names.get(name) {
            Some(known) if came.starts_with(known) => known.len(),
            _ => came.find([' ', ']', ')', '"', '>']).unwrap_or(came.len()),
        };
        let (value, came) = came.split_at(length);
        return learn(name, value, names) && text(after, came, names);
    }
    // It stands for itself.
    let (one, rest) = rest.split_at(1);
    came.strip_prefix(one)
        .is_some_and(|came| text(rest, came, names))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn learn(name: &str, value: &str, names: &mut Names) -> bool {
    if let Some(name) = name.strip_prefix('!') {
        return names.get(name).is_none_or(|known| known != value);
    }
    match name {
        "any" => true,
        "number" => !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()),
        _ => {
            let known = names.entry(name.to_owned());
            known.or_insert_with(|| value.to_owned()) == value
        }
    }
}

/// The message that an EXPUNGE response takes away.
pub fn expunged(response: &str) -> Option<usize> {
    let number = response.strip_prefix("* ")?.strip_suffix(" EXPUNGE")?;
    number.parse().ok()
}

/// Which messages a row of EXPUNGE responses takes away, by the numbers that they had before the first.
pub fn taken_away(row: &[usize]) -> BTreeSet<usize> {
    let mut gone = BTreeSet::new();
    for &number in row {
        let mut was = number;
        // Every one that is gone already, and stood before it, made its number less by one.
        for &before in &gone {
            was += usize::from(before <= was);
        }
        gone.insert(was);
    }
    gone
}

/// Responses that are data and not text for humans.
fn untagged_data(line: &str, literals: &[Vec<u8>]) -> Option<Vec<Value>> {
    let values = parse(line.strip_prefix("* ")?, literals)?;
    let human = ["OK", "NO", "BAD", "BYE", "PREAUTH"];
    let first = values.first()?.keyword()?;
    (!human.contains(&first.as_str())).then_some(values)
}

fn data(expected: &[Value], came: &[Value], names: &mut Names) -> bool {
    let keyword = |at: usize| came.get(at).and_then(Value::keyword);
    match keyword(0).as_deref() {
        Some("CAPABILITY" | "SEARCH") => set(expected, came, names),
        Some("FLAGS" | "LIST" | "LSUB") => in_order(expected, came, names, &mut flags),
        Some("STATUS") => in_order(expected, came, names, &mut items),
        _ if keyword(1).as_deref() == Some("FETCH") => in_order(expected, came, names, &mut items),
        _ => in_order(expected, came, names, &mut one),
    }
}

type Compare<'a> = &'a mut dyn FnMut(&Value, &Value, &mut Names) -> bool;

fn in_order(expected: &[Value], came: &[Value], names: &mut Names, compare: Compare<'_>) -> bool {
    for (at, value) in expected.iter().enumerate() {
        if is_rest(value) {
            return true;
        }
        if !came.get(at).is_some_and(|came| compare(value, came, names)) {
            return false;
        }
    }
    expected.len() == came.len()
}

/// A list of which the order does not matter.
fn flags(expected: &Value, came: &Value, names: &mut Names) -> bool {
    match (expected, came) {
        (Value::List(expected), Value::List(came)) => set(expected, came, names),
        _ => mailbox_name(expected, came, names),
    }
}

/// Names and values in turns, of which the order does not matter.
fn items(expected: &Value, came: &Value, names: &mut Names) -> bool {
    let (Value::List(expected), Value::List(came)) = (expected, came) else {
        return mailbox_name(expected, came, names);
    };
    let open = expected.last().is_some_and(is_rest);
    if !open && expected.len() != came.len() {
        return false;
    }
    expected
        .chunks(2)
        .filter(|pair| pair.len() == 2)
        .all(|pair| {
            let [name, value] = pair else { return false };
            let found = came.chunks(2).find(|came| {
                came.first().and_then(Value::keyword) == name.keyword() && came.len() == 2
            });
            found
                .and_then(|came| came.last())
                .is_some_and(|came| match name.keyword().as_deref() {
                    Some("FLAGS") => flags(value, came, names),
                    _ => one(value, came, names),
                })
        })
}

fn set(expected: &[Value], came: &[Value], names: &mut Names) -> bool {
    let mut left: Vec<&Value> = came.iter().collect();
    for value in expected.iter().filter(|value| !is_rest(value)) {
        let Some(at) = left.iter().position(|came| one(value, came, names)) else {
            return false;
        };
        left.remove(at);
    }
    left.is_empty() || expected.iter().any(is_rest)
}

/// An astring: quoted or not is the server's choice.
fn mailbox_name(expected: &Value, came: &Value, names: &mut Names) -> bool {
    let plain = |value: &Value| match value {
        Value::Text(bytes) => Value::Atom(String::from_utf8_lossy(bytes).into_owned()),
        other => other.clone(),
    };
    match (expected, came) {
        (Value::Atom(atom), _) if atom == "NIL" => expected == came,
        (_, Value::Atom(atom)) if atom == "NIL" => expected == came,
        _ => one(&plain(expected), &plain(came), names),
    }
}

fn one(expected: &Value, came: &Value, names: &mut Names) -> bool {
    match (expected, came) {
        (Value::Atom(expected), Value::Atom(came)) => {
            expected == came || text(expected, came, names) || is_any(expected)
        }
        (Value::Atom(expected), _) => is_any(expected),
        (Value::Text(expected), Value::Text(came)) => match expected.strip_suffix(b"...") {
            Some(start) => came.starts_with(start),
            None => {
                expected == came || expected == b"<any>" || {
                    let expected = String::from_utf8_lossy(expected);
                    std::str::from_utf8(came).is_ok_and(|came| text(&expected, came, names))
                }
            }
        },
        (Value::List(expected), Value::List(came)) => in_order(expected, came, names, &mut one),
        _ => false,
    }
}

fn is_rest(value: &Value) -> bool {
    matches!(value, Value::Atom(atom) if atom == "...")
}

fn is_any(atom: &str) -> bool {
    atom == "<any>"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes(expected: &str, came: &str) {
        assert!(
            response(expected, came, &[], &mut Names::new()),
            "{expected} / {came}"
        );
    }

    fn no(expected: &str, came: &str) {
        assert!(
            !response(expected, came, &[], &mut Names::new()),
            "{expected} / {came}"
        );
    }

    #[test]
    fn texts() {
        yes("a OK ...", "a OK done");
        yes("a OK ...", "a OK");
        no("a OK ...", "a NO done");
        yes("250 <a@b.c> ... Saved", "250 <a@b.c> x.y Saved");
        no("250 <a@b.c> ... Saved", "250 <a@b.c> x.y Lost");
        yes("250 2.0.0 <...", "250 2.0.0 <a> x");
        let mut names = Names::from([("user".to_owned(), "user1".to_owned())]);
        assert!(text(
            "250 <<user>> ... Saved",
            "250 <user1> x Saved",
            &mut names
        ));
        assert!(!text(
            "250 <<user>> ... Saved",
            "250 <user2> x Saved",
            &mut names
        ));
        yes(
            "* OK [UIDNEXT 3] ...",
            "* OK [UIDNEXT 3] Predicted next UID",
        );
        yes(
            "* OK [UIDVALIDITY <v>] ...",
            "* OK [UIDVALIDITY 17] UIDs valid",
        );
        no(
            "* OK [UIDVALIDITY <number>] ...",
            "* OK [UIDVALIDITY x] UIDs valid",
        );
    }

    #[test]
    fn names_are_learnt_once() {
        let mut names = Names::new();
        assert!(response(
            "a OK [APPENDUID <v> 1] ...",
            "a OK [APPENDUID 99 1] Done.",
            &[],
            &mut names
        ));
        assert!(response(
            "* OK [UIDVALIDITY <v>] ...",
            "* OK [UIDVALIDITY 99] x",
            &[],
            &mut names
        ));
        assert!(!response(
            "* OK [UIDVALIDITY <v>] ...",
            "* OK [UIDVALIDITY 98] x",
            &[],
            &mut names
        ));
        assert_eq!(fill("C <v>", &names), "C 99");
    }

    #[test]
    fn a_name_may_have_to_differ() {
        let mut names = Names::from([("v".to_owned(), "99".to_owned())]);
        assert!(response(
            "* STATUS x (UIDVALIDITY <!v>)",
            "* STATUS x (UIDVALIDITY 98)",
            &[],
            &mut names
        ));
        assert!(!response(
            "* STATUS x (UIDVALIDITY <!v>)",
            "* STATUS x (UIDVALIDITY 99)",
            &[],
            &mut names
        ));
    }

    #[test]
    fn expunges_upwards_and_downwards() {
        assert_eq!(taken_away(&[4, 3, 1]), taken_away(&[1, 2, 2]));
        assert_eq!(taken_away(&[1, 1, 1]), BTreeSet::from([1, 2, 3]));
        assert_eq!(taken_away(&[2, 1, 1]), BTreeSet::from([1, 2, 3]));
        assert_ne!(taken_away(&[1, 1]), taken_away(&[1, 2]));
        assert_eq!(expunged("* 12 EXPUNGE"), Some(12));
        assert_eq!(expunged("* 12 EXISTS"), None);
    }

    #[test]
    fn fetch_items_in_any_order() {
        yes(
            "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))",
            "* 1 FETCH (FLAGS (\\Recent \\Seen) UID 1)",
        );
        no("* 1 FETCH (UID 1)", "* 1 FETCH (UID 1 FLAGS ())");
        yes("* 1 FETCH (UID 1 ...)", "* 1 FETCH (UID 1 FLAGS ())");
        no(
            "* 1 FETCH (FLAGS (\\Seen))",
            "* 1 FETCH (FLAGS (\\Seen \\Flagged))",
        );
        yes(
            "* 1 FETCH (FLAGS (\\Seen ...))",
            "* 1 FETCH (FLAGS (\\Seen \\Flagged))",
        );
        no("* 2 FETCH (UID 1)", "* 1 FETCH (UID 1)");
        yes(
            "* 1 FETCH (INTERNALDATE \"<any>\")",
            "* 1 FETCH (INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")",
        );
        yes("* 1 FETCH (X (\"a\" <any>))", "* 1 FETCH (X (\"a\" (b c)))");
    }

    #[test]
    fn a_literal_is_a_string() {
        let literal = [b"a\r\n".to_vec()];
        let mut names = Names::new();
        assert!(response(
            "* 1 FETCH (BODY[] \"a\\r\\n\")",
            "* 1 FETCH (BODY[] {3})",
            &literal,
            &mut names
        ));
        assert!(!response(
            "* 1 FETCH (BODY[] \"a\")",
            "* 1 FETCH (BODY[] {3})",
            &literal,
            &mut names
        ));
        assert!(response(
            "* 1 FETCH (BODY[] \"a...\")",
            "* 1 FETCH (BODY[] {3})",
            &literal,
            &mut names
        ));
    }

    #[test]
    fn lists_of_mailboxes() {
        yes(
            "* LIST (\\HasNoChildren \\Sent) \"/\" Sent",
            "* LIST (\\Sent \\HasNoChildren) \"/\" \"Sent\"",
        );
        no(
            "* LIST (\\HasNoChildren) \"/\" Sent",
            "* LIST (\\HasNoChildren) \".\" Sent",
        );
        no("* LIST () \"/\" Sent", "* LIST () \"/\" Drafts");
        yes(
            "* STATUS \"INBOX\" (UIDNEXT 1 MESSAGES 2)",
            "* STATUS INBOX (MESSAGES 2 UIDNEXT 1)",
        );
        no("* STATUS INBOX (MESSAGES 2)", "* STATUS Sent (MESSAGES 2)");
    }

    #[test]
    fn sets_and_rests() {
        yes(
            "* CAPABILITY IMAP4rev1 IDLE ...",
            "* CAPABILITY IMAP4rev1 SASL-IR IDLE",
        );
        no(
            "* CAPABILITY IMAP4rev1 MOVE ...",
            "* CAPABILITY IMAP4rev1 SASL-IR IDLE",
        );
        yes("* SEARCH 2 1", "* SEARCH 1 2");
        no("* SEARCH 1", "* SEARCH 1 2");
        yes("* SEARCH", "* SEARCH");
        yes("* ...", "* 3 EXISTS");
        no("* 2 EXISTS", "* 3 EXISTS");
        no("* 2 EXPUNGE", "* 2 EXISTS");
    }
}
