//! What is behind a mailbox: identity and numbers, the cache. Dovecot's doveadm and ours say and do the same, and
//! Dovecot finds the same afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::both::Both;
use common::{Store, Who};

const NUMBERS: &[&str] = &[
    "mailbox",
    "status",
    "messages recent uidnext uidvalidity highestmodseq guid",
    "INBOX",
    "Sub*",
];
const MAILS: &[&str] = &["-f", "flow", "fetch", "mailbox uid flags", "all"];

/// Every number alone, then what does not go up, then a new UIDVALIDITY.
fn updates(fixture: &str, location: &str, more: &[&[&str]]) {
    let mut both = Both::of_location(fixture, location);
    let guid = "00112233445566778899aabbccddeeff";
    let always: &[&[&str]] = &[
        &["--min-next-uid", "500", "INBOX"],
        &["--min-highest-modseq", "90000", "INBOX"],
        &["--mailbox-guid", guid, "INBOX"],
        &["--min-next-uid", "100", "INBOX"],
        &["--min-highest-modseq", "5", "INBOX"],
        &[
            "--min-next-uid",
            "600",
            "--min-first-recent-uid",
            "4",
            "INBOX",
        ],
        &["--min-first-recent-uid", "4", "INBOX"],
        &["INBOX"],
        &["--min-next-uid", "7", "Nope"],
        &["--min-next-uid", "7", "S*"],
        &["--min-next-uid", "x", "INBOX"],
        &["--mailbox-guid", "x", "INBOX"],
        &["--min-next-uid", "7", "INBOX", "Sub"],
        &[],
    ];
    for words in always.iter().chain(more) {
        both.agree(&[&["mailbox", "update"], *words].concat());
        both.agree(NUMBERS);
    }
    both.agree(MAILS);
    let [theirs, ours] =
        [&both.theirs, &both.ours].map(|store| store.doveadm(Who::Dovecot, NUMBERS, b""));
    assert_eq!(theirs.out, ours.out);
    assert_eq!(ours.err, "");
    both.change(&["save", "-m", "Sub"], b"Subject: next\n\nx\n");
    both.agree(MAILS);
}

const VALIDITY: &[&[&str]] = &[
    &["--uid-validity", "12345", "INBOX"],
    &["--uid-validity", "77", "Sub"],
];

#[test]
fn a_maildir_is_updated() {
    updates("maildir", "maildir:~/Maildir", &[]);
}

#[test]
fn an_sdbox_is_updated() {
    updates("sdbox", "sdbox:~/sdbox", VALIDITY);
}

#[test]
fn an_mdbox_is_updated() {
    updates("mdbox", "mdbox:~/mdbox", VALIDITY);
}

#[test]
fn an_mbox_is_updated() {
    updates("mbox", "mbox:~/mail:INBOX=~/inbox.mbox", &[]);
}

/// Messages, UIDs and flags stay; what modseqs they get is each server's business.
#[test]
fn a_maildir_gets_another_uidvalidity() {
    let mut both = Both::of("maildir");
    for words in VALIDITY {
        both.change(&[&["mailbox", "update"], *words].concat(), b"");
        both.agree(&[
            "mailbox",
            "status",
            "messages uidnext uidvalidity guid",
            "*",
        ]);
        both.agree(MAILS);
    }
}

#[test]
fn a_new_mailbox_has_the_guid_that_it_is_to_have() {
    for (fixture, location) in [("maildir", "maildir:~/Maildir"), ("mdbox", "mdbox:~/mdbox")] {
        let mut both = Both::of_location(fixture, location);
        let guid = "00112233445566778899aabbccddeeff";
        both.change(&["mailbox", "create", "-g", guid, "New"], b"");
        both.agree(&["mailbox", "status", "guid", "New"]);
        both.agree(&["mailbox", "create", "-g", "xx", "Other"]);
    }
}

/// Two copies with what settings say about caches.
fn cached() -> Both {
    let mut both = Both::of_location("sdbox", "sdbox:~/sdbox");
    for store in [&mut both.theirs, &mut both.ours] {
        store.conf += "mail_never_cache_fields = hdr.from\n";
        store.zone = "XXX5";
    }
    both
}

#[test]
fn decisions_are_told_and_changed() {
    let mut both = cached();
    let decision = ["mailbox", "cache", "decision"];
    let named = ["--fields", "flags,hdr.Subject HDR.FROM foo"];
    let later = ["--last-used", "1900000000"];
    for words in [
        &["--all", "INBOX"][..],
        &["--all", "INBOX", "Trash", "Nope", "Sub"],
        &["--all", "S*"],
        &["--all"],
        &[named[0], named[1], "INBOX"],
        &[named[0], named[1], "--decision", "no", "INBOX"],
        &[named[0], named[1], "INBOX"],
        &[
            named[0],
            named[1],
            later[0],
            later[1],
            "--decision",
            "yes",
            "INBOX",
        ],
        &["--all", "INBOX"],
        &["--all", "--decision", "temp", "INBOX"],
        &["--all", "INBOX"],
    ] {
        both.agree_exactly(&[&decision[..], words].concat());
    }
    for format in ["flow", "tab", "pager", "json"] {
        both.agree_exactly(&[&["-f", format], &decision[..], &named[..], &["INBOX"]].concat());
    }
    let clean = "find \"$1\" -name dovecot.index.cache -delete";
    for (store, who) in [(&both.theirs, Who::Dovecot), (&both.ours, Who::Culver)] {
        assert_eq!(store.shell(who, clean).code, 0);
    }
    both.agree_exactly(&[&decision[..], &["--all", "INBOX"]].concat());
    both.agree_exactly(&[&decision[..], &["--all", "--decision", "yes", "INBOX"]].concat());
}

/// What is cached of each mail of INBOX.
fn dump(store: &Store) -> Vec<String> {
    let dump =
        "find \"$1\" -path '*INBOX*' -name dovecot.index.cache -exec doveadm dump -t cache {} ';'";
    let told = store.shell(Who::Culver, dump).out;
    let records = told
        .lines()
        .skip_while(|line| !line.starts_with("-- RECORDS"));
    let values = records.filter(|line| line.starts_with("    - "));
    values.map(str::to_owned).collect()
}

#[test]
fn caches_are_purged_and_forget() {
    let mut both = cached();
    let before = dump(&both.ours);
    assert!(before.len() > 20, "{before:?}");
    for words in [
        &[
            "mailbox", "cache", "remove", "mailbox", "INBOX", "uid", "2:4",
        ][..],
        &[
            "mailbox", "cache", "remove", "mailbox", "INBOX", "uid", "99",
        ],
        &["mailbox", "cache", "purge", "Nope", "INBOX"],
        &["mailbox", "cache", "purge", "INBOX"],
        &["mailbox", "cache", "purge", "INBOX", "Sub"],
        &["mailbox", "cache", "purge"],
        &["mailbox", "cache", "remove"],
    ] {
        both.agree(words);
    }
    assert!(dump(&both.ours).len() < before.len());
}
