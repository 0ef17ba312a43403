//! `dump` agrees with Dovecot's on every value that both print, for every file of every fixture.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeMap;

use common::{Answer, Store, Who};

/// All files as they look; all indexes, whether they were ever written or are in their logs only.
const EVERYTHING: &str = r#"cd "$1" || exit 1
find . -type f | sort | while read -r f; do echo "=== $f"; doveadm dump "$f" 2>/dev/null; done
find . -name 'dovecot*.index.log' | sort | while read -r f; do
  index=${f%.log}; echo "=== $index, with its log"; doveadm dump -t index "$index" 2>/dev/null
done"#;

const FIXTURES: [&str; 13] = [
    "maildir",
    "maildir-unsynced",
    "maildirfs",
    "maildirrot",
    "mbox",
    "mboxbare",
    "mdbox",
    "mdboxalt",
    "mdboxgz",
    "mdboxindex",
    "sdbox",
    "sdbox-sieve",
    "sdboxattach",
];

fn dumps(answer: &Answer) -> BTreeMap<String, Vec<String>> {
    let mut dumps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in answer.out.lines() {
        match line.strip_prefix("=== ") {
            Some(name) => {
                name.clone_into(&mut current);
                dumps.insert(current.clone(), Vec::new());
            }
            None => dumps.get_mut(&current).unwrap().push(line.to_owned()),
        }
    }
    dumps
}

/// Dovecot 2.3.19 looks for an attribute's numbers in the wrong place.
fn is_their_fault(line: &str) -> bool {
    line == " - broken entry"
}

/// Every line of theirs is in ours, in their order.
fn missing<'l>(theirs: &'l [String], ours: &[String]) -> Option<&'l String> {
    let mut rest = ours.iter();
    let wanted = theirs.iter().filter(|line| !is_their_fault(line));
    wanted
        .into_iter()
        .find(|line| !rest.any(|ours| ours == *line))
}

fn compare(fixture: &str) -> (usize, Vec<String>) {
    let store = Store::of(fixture);
    let theirs = dumps(&store.shell(Who::Dovecot, EVERYTHING));
    let ours = dumps(&store.shell(Who::Culver, EVERYTHING));
    assert_eq!(
        theirs.keys().collect::<Vec<_>>(),
        ours.keys().collect::<Vec<_>>()
    );
    let known = theirs.iter().filter(|(_, lines)| !lines.is_empty());
    let mut failures = Vec::new();
    let mut files = 0;
    for (file, lines) in known {
        files += 1;
        if let Some(line) = missing(lines, &ours[file]) {
            failures.push(format!("{fixture}: {file}: {line}"));
        }
    }
    (files, failures)
}

#[test]
fn every_value_of_dovecots_dump_is_in_ours() {
    let mut failures = Vec::new();
    let mut files = 0;
    for fixture in FIXTURES {
        let (compared, wrong) = compare(fixture);
        assert!(compared > 10, "{fixture}: {compared} files");
        files += compared;
        failures.extend(wrong);
    }
    println!("{files} dumps compared");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Kinds that Dovecot cannot dump.
#[test]
fn our_own_kinds_are_recognised() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for fixture in ["maildir", "sdbox-sieve", "mboxbare"] {
        let store = Store::of(fixture);
        for (file, lines) in dumps(&store.shell(Who::Culver, EVERYTHING)) {
            if let Some(kind) = lines
                .first()
                .and_then(|line| line.strip_prefix("Detected file type: "))
            {
                *found.entry(kind.to_owned()).or_default() += 1;
                assert!(lines.len() > 1 || kind == "keywords", "{file}: {lines:?}");
            }
        }
    }
    for kind in [
        "cache",
        "uidlist",
        "keywords",
        "subscriptions",
        "uidvalidity",
        "log",
        "mailboxlog",
        "dbox",
    ] {
        assert!(found.contains_key(kind), "{kind}: {found:?}");
    }
}
