//! Our nasty messages, against what Dovecot answered. See data/README.md.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::fs;
use std::path::PathBuf;

/// FETCH (RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE), without the outer parentheses.
fn answer(stored: &[u8]) -> Vec<u8> {
    let message = message::parse(stored).unwrap();
    let mut out = format!("RFC822.SIZE {} ENVELOPE ", message.size().virtual_size).into_bytes();
    message.write_envelope(&mut out).unwrap();
    out.extend(b" BODY ");
    message.write_body(&mut out).unwrap();
    out.extend(b" BODYSTRUCTURE ");
    message.write_body_structure(&mut out).unwrap();
    out
}

fn messages() -> Vec<PathBuf> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let files = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let messages: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ext| ext == "eml"))
        .collect();
    assert!(messages.len() > 40);
    messages
}

#[test]
fn answers_are_dovecot_s_byte_for_byte() {
    for path in messages() {
        let ours = answer(&fs::read(&path).unwrap());
        let theirs = fs::read(path.with_extension("answer")).unwrap();
        assert_eq!(
            ours.escape_ascii().to_string(),
            theirs.escape_ascii().to_string(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn envelope_alone_is_the_same() {
    for path in messages() {
        let stored = fs::read(&path).unwrap();
        let mut whole = Vec::new();
        message::parse(stored.as_slice())
            .unwrap()
            .write_envelope(&mut whole)
            .unwrap();
        assert_eq!(
            message::Envelope::read(stored.as_slice())
                .unwrap()
                .to_wire(),
            whole,
            "{}",
            path.display()
        );
    }
}

#[test]
fn pieces_of_any_size_make_the_same_message() {
    for path in messages() {
        let stored = fs::read(&path).unwrap();
        let whole = format!("{:?}", message::parse(stored.as_slice()).unwrap());
        for size in [1, 2, 3, 7, 64, 1000] {
            let mut parser = message::Parser::new();
            stored.chunks(size).for_each(|piece| parser.feed(piece));
            assert_eq!(
                format!("{:?}", parser.finish()),
                whole,
                "{} in pieces of {size}",
                path.display()
            );
        }
    }
}

#[test]
fn every_truncation_is_a_message_of_its_size() {
    for path in messages() {
        let stored = fs::read(&path).unwrap();
        let step = 1 + stored.len() / 500;
        for len in (0..stored.len()).step_by(step) {
            let message = message::parse(&stored[..len]).unwrap();
            assert_eq!(
                message.size().physical,
                len as u64,
                "{} cut at {len}",
                path.display()
            );
            answer(&stored[..len]);
        }
    }
}
