//! Every command on mail gives the rows and the exit code that Dovecot's doveadm gives on a copy of the same
//! Maildir, and leaves the same mail behind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::both::Both;
use common::{Store, Who};

/// The fields that say the same in both: `recent` and modseqs are counted by the index.
const NUMBERS: &str = "messages uidnext uidvalidity unseen vsize guid";

#[test]
fn mailboxes_are_listed_and_counted() {
    let mut both = Both::of("maildir");
    for words in [
        &["mailbox", "list"][..],
        &["-f", "tab", "mailbox", "list"],
        &["-f", "table", "mailbox", "list"],
        &["mailbox", "list", "-s"],
        &["mailbox", "list", "-7", "E*"],
        &["mailbox", "list", "Sub/*", "Tra%"],
        &["mailbox", "list", "zzz"],
        &["mailbox", "list", "zzz", "Trash"],
        &["mailbox", "list", "%"],
        &["mailbox", "list", "-s", "Sub*"],
        &["mailbox", "status", NUMBERS, "*"],
        &["-f", "tab", "mailbox", "status", NUMBERS, "*"],
        &["-f", "table", "mailbox", "status", NUMBERS, "*"],
        &["mailbox", "status", "-t", "messages unseen vsize", "*"],
        &["mailbox", "status", "guid messages", "INBOX", "Sub*"],
        &["mailbox", "status", "messages", "inbox"],
        &["mailbox", "status", "messages", "Nope"],
        &["mailbox", "status", "messages", "Nope", "Trash"],
        &["mailbox", "status", "foo", "INBOX"],
        &["mailbox", "status", "-t", "guid", "*"],
        &["mailbox", "path", "INBOX"],
        &["mailbox", "path", "Sub/Deep/Leaf"],
        &["mailbox", "path", "Nope"],
        &["mailbox", "path", "-t", "index", "Sub"],
        &["mailbox", "path", "-t", "control", "Sub"],
        &["mailbox", "path", "-t", "alt-dir", "Sub"],
        &["mailbox", "path", "-t", "nope", "Sub"],
        &["mailbox", "mutf7", "Entwürfe", "日本語"],
        &["mailbox", "mutf7", "-7", "Entw&APw-rfe"],
    ] {
        both.agree(words);
    }
    both.agree_on(
        &["-f", "json", "mailbox", "status", NUMBERS, "*"],
        b"",
        &json,
    );
    both.agree_on(
        &["-f", "pager", "mailbox", "status", NUMBERS, "*"],
        b"",
        &pages,
    );
}

fn json(text: &str) -> Vec<String> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    let mut rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    rows.sort();
    rows
}

fn pages(text: &str) -> Vec<String> {
    let mut pages: Vec<String> = text.split("\x0c\n").map(str::to_owned).collect();
    pages.sort();
    pages
}

/// Of one mailbox, since the same set of numbers is searched wrongly by Dovecot in the second.
const QUERIES: &str = "all|seen|unseen|flagged|answered|draft|deleted|undraft|keyword Work|unkeyword Work\
|keyword $Forwarded|not seen|not ( seen or flagged )|older 100|guid 1795436123.M528134P17799.vm,S=605,W=619\
|larger 1k|larger 10000|smaller 1K|since 1w|before 10mins|since 2years|fuzzy seen|1,3|1:3|0|10:*|*|uid 9999:*|uid *\
|header subject ember|from sender|to rcpt1|subject ember|cc x|header received x|text ember|body zephyr|text Grüße\
|body Grüße|on 1-Feb-2024|on 2-Feb-2024|on 2024-02-01|on 2024-02-02|since 1706832067|since 1706832068|on 1706832067\
|before 1706832067|senton 1-Jan-2024|senton 2-Jan-2024|senton 2024-01-01|senton 2024-01-02|sentbefore 2024-01-05\
|sentsince 3-Jan-2024|mailbox Sub|mailbox-guid 41be9a165b2e046b8745000083ecc375|seen or flagged uid 1|seen flagged or draft\
|seen or draft or flagged|or seen|foo|not|( seen|seen )|uid x|larger 1x|larger 0.5k|header subject|keyword a(b|text text/plain\
|uid 3:5 flagged|savedbefore 2001-01-01";

#[test]
fn queries_find_the_same_mails() {
    let mut both = Both::of("maildir");
    for zone in ["", "XXX5"] {
        (both.theirs.zone, both.ours.zone) = (zone, zone);
        for query in QUERIES.split('|') {
            let query: Vec<&str> = query.split(' ').collect();
            both.agree(&[&["search", "mailbox", "INBOX"], query.as_slice()].concat());
        }
    }
    for query in [
        "all",
        "not mailbox INBOX",
        "mailbox INBOX or mailbox Sub",
        "mailbox Sub* uid 1",
        "mailbox Sub/% uid 1",
        "( mailbox INBOX uid 1 ) or ( mailbox Sub uid 4 )",
        "mailbox inbox uid 1",
        "mailbox Entw* all",
        "mailbox-guid 41be9a165b2e046b8745000083ecc375 uid 1",
        "mailbox-guid xx all",
        "mailbox Nope all",
    ] {
        let query: Vec<&str> = query.split(' ').collect();
        both.agree(&[&["-f", "flow", "fetch", "mailbox uid"], query.as_slice()].concat());
    }
}

#[test]
fn fetch_tells_the_same() {
    let mut both = Both::of("maildir");
    let short = "user mailbox mailbox-guid seq guid size.physical size.virtual date.received \
        date.sent date.received.unixtime date.sent.unixtime imap.envelope imap.body imap.bodystructure hdr.subject \
        hdr.subject.utf8 hdr.from hdr.from.utf8 hdr.to.address hdr.to.address_name hdr.to.address_name.utf8 hdr.received \
        hdr.message-id hdr.content-type body.preview body.snippet storageid pop3.uidl pop3.order refcount";
    let long = [
        "hdr",
        "body",
        "text",
        "body.1",
        "body.2",
        "body.1.1",
        "body.1.mime",
        "body.header",
        "body.text",
        "binary.2",
        "body.2.mime",
        "binary.1.2",
    ];
    for mailbox in ["INBOX", "Sub", "日本語", "Entwürfe", "Sub/Deep/Leaf"] {
        both.agree_exactly(&["fetch", &format!("uid {short}"), "mailbox", mailbox]);
        for field in long {
            both.agree_exactly(&["fetch", &format!("uid {field}"), "mailbox", mailbox]);
        }
    }
    both.agree_exactly(&["fetch", "uid flags", "mailbox", "INBOX"]);
    both.agree_on(
        &["fetch", "uid text.utf8", "mailbox", "INBOX"],
        b"",
        &without_broken_characters,
    );
    for words in [
        &["fetch", "foo", "all"][..],
        &["fetch", "uid", "foo"],
        &["fetch", "hdr.to.foo", "mailbox", "INBOX", "uid", "1"],
        &["fetch", "body.1.x", "mailbox", "INBOX", "uid", "1"],
        &["fetch"],
        &["fetch", "uid"],
    ] {
        both.agree_exactly(words);
    }
}

/// How many replacements stand for broken bytes is a matter of taste.
fn without_broken_characters(text: &str) -> Vec<String> {
    let text = text.replace('\u{fffd}', "");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_format_looks_the_same() {
    let mut both = Both::of("maildir");
    for format in ["flow", "tab", "table", "pager", "json"] {
        for fields in [
            "uid hdr.subject flags",
            "uid body",
            "body uid",
            "body",
            "uid",
        ] {
            both.agree_exactly(&[
                "-f", format, "fetch", fields, "mailbox", "INBOX", "uid", "1:2",
            ]);
        }
        both.agree_exactly(&[
            "-f", format, "fetch", "uid", "mailbox", "INBOX", "uid", "99",
        ]);
        both.agree_exactly(&["-f", format, "search", "mailbox", "INBOX", "uid", "1:3"]);
        both.agree_exactly(&["-f", format, "search", "mailbox", "INBOX", "uid", "99"]);
    }
}

const MESSAGE: &[u8] = b"From: a@b\nSubject: saved\nMessage-ID: <saved@x>\n\nhello\n";

#[test]
fn changes_leave_the_same_mail() {
    let mut both = Both::of("maildir");
    for words in [
        &["mailbox", "create", "-s", "New", "New/Sub", "a b"][..],
        &["mailbox", "create", "New", "INBOX"],
        &["mailbox", "rename", "-s", "New", "Renamed"],
        &["mailbox", "rename", "Nope", "X"],
        &["mailbox", "subscribe", "Nope", "Trash"],
        &["mailbox", "unsubscribe", "Nope", "zzz"],
        &[
            "flags",
            "add",
            "\\Flagged kw9",
            "mailbox",
            "INBOX",
            "uid",
            "1:4",
        ],
        &[
            "flags",
            "remove",
            "\\Seen Work",
            "mailbox",
            "INBOX",
            "uid",
            "2:5",
        ],
        &["flags", "replace", "\\Draft Work", "mailbox", "Sub", "all"],
        &[
            "flags",
            "replace",
            "",
            "mailbox",
            "Sub/Deep/Leaf",
            "uid",
            "1",
        ],
        &["flags", "add", "\\Foo", "all"],
        &["flags", "add", "a b(", "mailbox", "INBOX", "uid", "1"],
        &["copy", "Renamed", "mailbox", "INBOX", "uid", "1:3"],
        &[
            "copy",
            "Renamed/Sub",
            "(",
            "mailbox",
            "INBOX",
            "or",
            "mailbox",
            "Sub",
            ")",
            "flagged",
        ],
        &["copy", "Nope", "all"],
        &["move", "Trash", "mailbox", "INBOX", "uid", "9:10"],
        &["move", "Nope", "mailbox", "INBOX", "uid", "9:10"],
        &["move", "Trash", "all"],
        &["expunge", "mailbox", "INBOX", "uid", "4"],
        &["expunge", "all"],
        &["expunge", "mailbox", "INBOX"],
        &["expunge", "-d", "mailbox", "a b", "all"],
    ] {
        both.change(words, b"");
    }
    for words in [
        &["save"][..],
        &["save", "-m", "Renamed"],
        &["save", "-m", "Nope"],
        &["save", "-m", "Renamed"],
    ] {
        both.change(words, MESSAGE);
    }
    let source = "maildir:/srv/share/maildir/Maildir";
    for words in [
        &["deduplicate", "mailbox", "Renamed", "all"][..],
        &["deduplicate", "-m", "mailbox", "Renamed", "all"],
        &["import", source, "Imported", "mailbox", "Sub*", "all"],
        &["import", "-s", source, "", "mailbox", "Sub", "uid", "1"],
        &["mailbox", "delete", "Imported"],
        &["mailbox", "delete", "-r", "-s", "Renamed"],
        &["mailbox", "delete", "-e", "Sub"],
        &["mailbox", "delete", "Nope", "Empty"],
        &["mailbox", "rename", "Sub", "INBOX"],
        &["mailbox", "create", ""],
        &["mailbox", "create", "x//y"],
        &["purge"],
        &["force-resync", "*"],
        &["index", "*"],
        &["index", "Nope"],
        &["altmove", "all"],
    ] {
        both.change(words, b"");
    }
}

/// What Dovecot keeps in its index is the same: all numbers are.
fn in_index(fixture: &str, location: &str) {
    let mut both = Both::of_location(fixture, location);
    for words in [
        &["mailbox", "list"][..],
        &["mailbox", "list", "-s"],
        &["mailbox", "path", "Sub"],
        &["mailbox", "path", "-t", "index", "Sub"],
        &["search", "all"],
        &["mailbox", "status", ALL_NUMBERS, "*"],
        &["-f", "flow", "fetch", ALL_FACTS, "all"],
    ] {
        both.agree(words);
    }
    for field in ["text", "hdr", "body", "body.1"] {
        both.agree_exactly(&["fetch", &format!("uid {field}"), "mailbox", "INBOX"]);
    }
    for words in [
        &[
            "flags",
            "add",
            "\\Flagged kw9",
            "mailbox",
            "INBOX",
            "uid",
            "1:4",
        ][..],
        &["copy", "Sub", "mailbox", "INBOX", "uid", "1:3"],
        &["move", "Trash", "mailbox", "INBOX", "uid", "5"],
        &["expunge", "mailbox", "INBOX", "uid", "2"],
        &["purge"],
        &["force-resync", "*"],
        &["altmove", "all"],
    ] {
        both.change(words, b"");
    }
    both.change(&["save", "-m", "Sub"], MESSAGE);
}

const ALL_NUMBERS: &str =
    "messages recent uidnext uidvalidity unseen highestmodseq vsize guid firstsaved";
const ALL_FACTS: &str = "mailbox uid seq flags guid modseq size.physical size.virtual date.received \
    date.saved imap.envelope hdr.subject refcount pop3.uidl";

#[test]
fn sdbox_is_told_and_changed_the_same() {
    in_index("sdbox", "sdbox:~/sdbox");
}

#[test]
fn mdbox_is_told_and_changed_the_same() {
    in_index("mdbox", "mdbox:~/mdbox");
}

#[test]
fn mbox_is_told_and_changed_the_same() {
    in_index("mbox", "mbox:~/mail:INBOX=~/inbox.mbox");
}

/// What clients are likely to ask for is cached of every mail, also where a cache was lost: Dovecot's believes
/// what the index says.
#[test]
fn index_fills_the_cache() {
    let mut store = Store::of("sdbox");
    store.conf = store.conf.replace("maildir:~/Maildir", "sdbox:~/sdbox")
        + "mail_always_cache_fields = hdr.subject mime.parts\n";
    let clean = "find \"$1\" -name dovecot.index.cache -delete";
    assert_eq!(store.shell(Who::Dovecot, clean).code, 0);
    let answer = store.doveadm(Who::Culver, &["index", "INBOX"], b"");
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let dump = "find \"$1\" -name dovecot.index.cache -exec doveadm dump -t cache {} ';'";
    let told = store.shell(Who::Culver, dump);
    let count = |start: &str| {
        told.out
            .lines()
            .filter(|line| line.starts_with(start))
            .count()
    };
    let mails = ["search", "mailbox", "INBOX", "all"];
    let mails = store.doveadm(Who::Dovecot, &mails, b"").out.lines().count();
    assert!(mails > 5);
    assert_eq!(count("    - hdr.subject:"), mails);
    assert_eq!(count("    - mime.parts:"), mails);
}
