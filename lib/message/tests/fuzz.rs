//! Random bytes: no panic, every byte is somewhere, and how they arrive does not matter.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::io::{Cursor, Read};

use message::{FieldNames, Section, What, parse};

/// Bytes that mean something to MIME are likely.
fn message_from(seed: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 32] = [
        b"Content-Type: multipart/mixed; boundary=",
        b"Content-Type: message/rfc822\n\n",
        b"boundary=\"",
        b"--a",
        b"--b",
        b"--",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"From: ",
        b"To:",
        b"Subject: ",
        b"<a@b>",
        b"@",
        b"\"",
        b"\\",
        b"(",
        b")",
        b";",
        b",",
        b":",
        b"=?utf-8?q?",
        b"?=",
        b"a",
        b"b\n",
        b" ",
        b"\t",
        b"*0*=",
        b"%41",
        b"\0",
        b"\xe4",
        b"Content-Transfer-Encoding: base64\n",
    ];
    seed.iter()
        .flat_map(|&byte| {
            if byte < 224 {
                WORDS[usize::from(byte % 32)].to_vec()
            } else {
                vec![byte, byte << 3]
            }
        })
        .collect()
}

#[test]
fn any_message_can_be_parsed_and_read() {
    bolero::check!()
        .with_iterations(2000)
        .for_each(|seed: &[u8]| {
            for stored in [seed.to_vec(), message_from(seed)] {
                check(&stored);
            }
        });
}

fn check(stored: &[u8]) {
    let message = parse(stored).unwrap();
    assert_eq!(message.size().physical, stored.len() as u64);
    let mut out = Vec::new();
    message.write_envelope(&mut out).unwrap();
    message.write_body(&mut out).unwrap();
    message.write_body_structure(&mut out).unwrap();

    let mut parser = message::Parser::new();
    stored
        .iter()
        .for_each(|byte| parser.feed(std::slice::from_ref(byte)));
    assert_eq!(format!("{:?}", parser.finish()), format!("{message:?}"));

    for id in message.part_ids() {
        let part = message.part(id);
        assert!(part.header.end() <= part.body.start);
        if let Some(parent) = message.parent(id) {
            let around = message.part(parent).body;
            assert!(around.start <= part.header.start && part.body.end() <= around.end());
        }
    }
    for what in [
        What::All,
        What::Header,
        What::Text,
        What::Fields(FieldNames::not(["to"])),
    ] {
        for path in [vec![], vec![1], vec![1, 1], vec![2]] {
            let mut reader = message
                .section(&Section {
                    path,
                    what: what.clone(),
                })
                .open(Cursor::new(stored))
                .unwrap();
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, reader.size());
            assert!(!bytes.contains(&0));
        }
    }
    let needles = [
        message::search::Needle::new("ab"),
        message::search::Needle::new("ä"),
    ];
    message::search::find(
        Cursor::new(stored),
        &message,
        message::search::Scope::Text,
        &needles,
    )
    .unwrap();
    let _ = message::words::decode(stored);
    let _ = message::date::parse(stored);
    let _ = message::parse_addresses(stored, 100);
}
