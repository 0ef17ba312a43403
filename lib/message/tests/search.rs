//! SEARCH BODY, TEXT and HEADER, as Dovecot 2.3.19 found things in the same bytes.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::io::Cursor;

use message::search::{Needle, Scope, find};

const MESSAGE: &str = "Content-Type: multipart/mixed; boundary=b\nSubject: mp\n\nprologue\n--b\nX-Part: =?utf-8?q?parth=c3=a4der?=\n\n\
parttext\n--b\nContent-Type: message/rfc822\n\nSubject: innersubj\nContent-Type: text/plain; charset=iso-8859-1\n\
Content-Transfer-Encoding: quoted-printable\n\ncaf=E9 sof=\nt\n--b\nContent-Type: image/gif; name=giffy\n\ngifbody\n\
--b\nContent-Type: message/delivery-status\n\nReport: x\n--b\nContent-Type: text/html; charset=utf-7\n\
Content-Transfer-Encoding: base64\n\nPGI+K0FPay08L2I+\n--b--\nepilogue\n";

fn found(scope: Scope, keys: &[&str]) -> Vec<bool> {
    let message = message::parse(MESSAGE.as_bytes()).unwrap();
    let needles: Vec<_> = keys.iter().map(|key| Needle::new(key)).collect();
    let together = find(Cursor::new(MESSAGE), &message, scope, &needles).unwrap();
    for (needle, expected) in needles.iter().zip(&together) {
        let alone = find(
            Cursor::new(MESSAGE),
            &message,
            scope,
            std::slice::from_ref(needle),
        )
        .unwrap();
        assert_eq!(alone, [*expected]);
    }
    together
}

#[test]
fn bodies_that_are_text() {
    let there = [
        "parttext",
        "PARTTEXT",
        "café soft",
        "cafe",
        "report: X",
        "<b>É</b>",
        "",
    ];
    assert_eq!(found(Scope::Body, &there), [true; 7]);
    let elsewhere = [
        "prologue",
        "epilogue",
        "parthäder",
        "innersubj",
        "gifbody",
        "giffy",
        "parttextcafé",
        "=E9",
    ];
    assert_eq!(found(Scope::Body, &elsewhere), [false; 8]);
}

#[test]
fn texts_with_headers_of_all_parts() {
    let there = [
        "x-part: parthäder",
        "subject: innersubj",
        "giffy",
        "subject: mp",
        "café",
        "boundary=b",
    ];
    assert_eq!(found(Scope::Text, &there), [true; 6]);
    assert_eq!(
        found(
            Scope::Text,
            &["prologue", "epilogue", "gifbody", "=?utf-8?"]
        ),
        [false; 4]
    );
}

#[test]
fn keys_across_the_pieces_that_are_read() {
    let mut stored = b"\n".to_vec();
    for number in 0..20_000 {
        stored.extend(format!("line {number} of many\n").bytes());
    }
    let message = message::parse(stored.as_slice()).unwrap();
    let keys: Vec<_> = (0..20_000)
        .step_by(371)
        .map(|number| Needle::new(&format!("LINE {number} of many\nline")))
        .collect();
    let found = find(Cursor::new(&stored), &message, Scope::Body, &keys).unwrap();
    assert!(found.iter().all(|found| *found));
    let long: String = String::from_utf8_lossy(&stored[1..]).into();
    let found = find(
        Cursor::new(&stored),
        &message,
        Scope::Body,
        &[Needle::new(&long), Needle::new(&format!("{long}x"))],
    );
    assert_eq!(found.unwrap(), [true, false]);
}

#[test]
fn values_of_fields() {
    let needle = Needle::new("CAFÉ b");
    assert!(needle.is_in_field(b"x =?iso-8859-1?q?caf=e9?=\n  bar"));
    assert!(!needle.is_in_field(b"x =?iso-8859-1?q?caf=e9?==?utf-8?q?bar?="));
    assert!(needle.is_in("cafe\u{301} B"));
}
