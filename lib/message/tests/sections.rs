//! BODY[section], as Dovecot 2.3.19 answered for the same bytes.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::io::{Cursor, Read};

use message::{FieldNames, Section, What};

const NESTED: &str = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: message/rfc822\n\n\
Subject: inner\nX: y\n\ninner body\n--b\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=c\n\n\
--c\nX-C: 1\n\nc1\n--c--\n--b--\n";
const PLAIN: &str = "Subject: hi\nFrom: a@b\nno colon\n\nplain\0body\n";

fn section(stored: &str, path: &[u32], what: What) -> String {
    let message = message::parse(stored.as_bytes()).unwrap();
    let found = message.section(&Section {
        path: path.to_vec(),
        what,
    });
    let mut reader = found.open(Cursor::new(stored.as_bytes())).unwrap();
    let size = reader.size();
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, size);
    for offset in 0..=bytes.len() + 1 {
        let mut rest = Vec::new();
        reader.skip_to(offset as u64).unwrap();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, bytes.get(offset..).unwrap_or_default());
    }
    bytes
        .iter()
        .map(|&byte| char::from(byte))
        .collect::<String>()
        .replace("\r\n", "\n")
}

#[test]
fn parts() {
    for (path, expected) in [
        (&[0][..], "hello"),
        (&[1], "hello"),
        (&[1, 1], "hello"),
        (&[1, 1, 1], ""),
        (&[1, 2], ""),
        (&[2], "Subject: inner\nX: y\n\ninner body"),
        (&[2, 1], "inner body"),
        (&[2, 1, 1], ""),
        (
            &[3],
            "Content-Type: multipart/mixed; boundary=c\n\n--c\nX-C: 1\n\nc1\n--c--\n",
        ),
        (&[3, 1], "c1"),
        (&[3, 1, 1], "c1"),
        (&[3, 1, 1, 1], ""),
        (&[4], ""),
        (&[u32::MAX], ""),
    ] {
        assert_eq!(section(NESTED, path, What::All), expected, "{path:?}");
    }
    assert_eq!(section(PLAIN, &[1], What::All), "plain\u{80}body\n");
    assert_eq!(section(PLAIN, &[1, 1], What::All), "");
    assert_eq!(section(PLAIN, &[2], What::All), "");
    assert_eq!(section(NESTED, &[], What::All), NESTED);
}

#[test]
fn headers_and_texts() {
    assert_eq!(section(NESTED, &[1], What::Mime), "\n");
    assert_eq!(section(NESTED, &[1], What::Header), "");
    assert_eq!(section(NESTED, &[1], What::Text), "");
    assert_eq!(
        section(NESTED, &[2], What::Mime),
        "Content-Type: message/rfc822\n\n"
    );
    assert_eq!(
        section(NESTED, &[2], What::Header),
        "Subject: inner\nX: y\n\n"
    );
    assert_eq!(section(NESTED, &[2], What::Text), "inner body");
    assert_eq!(
        section(NESTED, &[2, 1], What::Mime),
        "Subject: inner\nX: y\n\n"
    );
    assert_eq!(section(NESTED, &[2, 1], What::Header), "");
    assert_eq!(section(NESTED, &[3, 1], What::Mime), "X-C: 1\n\n");
    assert_eq!(
        section(PLAIN, &[1], What::Mime),
        "Subject: hi\nFrom: a@b\nno colon\n\n"
    );
    assert_eq!(
        section(PLAIN, &[], What::Header),
        "Subject: hi\nFrom: a@b\nno colon\n\n"
    );
    assert_eq!(section(PLAIN, &[], What::Text), "plain\u{80}body\n");
    assert_eq!(section("", &[], What::Header), "");
}

#[test]
fn header_fields() {
    let only = |names: &[&str]| What::Fields(FieldNames::only(names));
    let not = |names: &[&str]| What::Fields(FieldNames::not(names));
    assert_eq!(section(PLAIN, &[], only(&["FROM", "x"])), "From: a@b\n\n");
    assert_eq!(section(PLAIN, &[], only(&[""])), "no colon\n\n");
    assert_eq!(
        section(PLAIN, &[], not(&["from", "no colon"])),
        "Subject: hi\nno colon\n\n"
    );
    assert_eq!(
        section(NESTED, &[2], only(&["subject"])),
        "Subject: inner\n\n"
    );
    assert_eq!(section(NESTED, &[2], not(&["subject"])), "X: y\n\n");
    assert_eq!(section(NESTED, &[1], only(&["subject"])), "");
    assert_eq!(section("", &[], only(&["x"])), "\n");
    assert_eq!(section("x: y", &[], only(&["x"])), "x: y\n\n");
    assert_eq!(section("x: y", &[], not(&["x"])), "");
}
