//! Messages made to cost time and memory: what is not looked at any more is still counted, and nothing grows.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::fs;
use std::io::{self, Read};

use message::{Envelope, Kind, Message, limits, parse};

fn structure(message: &Message) -> String {
    let mut out = Vec::new();
    message.write_body_structure(&mut out).unwrap();
    String::from_utf8_lossy(&out).into()
}

/// IMAP-69: 20,000 multiparts in each other, with boundaries all different and all the same.
#[test]
fn nesting_ends_at_its_limit() {
    for same in [false, true] {
        let mut stored = Vec::new();
        for depth in 0..20_000 {
            let boundary = if same { 0 } else { depth };
            stored.extend(
                format!("Content-Type: multipart/mixed; boundary=b{boundary}x\n\n--b{boundary}x\n")
                    .bytes(),
            );
        }
        let message = parse(stored.as_slice()).unwrap();
        assert_eq!(message.size().physical, stored.len() as u64);
        let depths = message
            .part_ids()
            .map(|id| std::iter::successors(Some(id), |&id| message.parent(id)).count());
        assert_eq!(depths.max(), Some(limits::MIME_DEPTH));
        assert!(structure(&message).contains("\"octet-stream\""));
    }
    let stored = b"Content-Type: message/rfc822\n\n".repeat(20_000);
    let message = parse(stored.as_slice()).unwrap();
    assert_eq!(message.part_count(), limits::MIME_DEPTH);
    assert_eq!(
        message
            .part_ids()
            .filter(|&id| message.part(id).kind == Kind::Overflow)
            .count(),
        1
    );
}

#[test]
fn parts_end_at_their_limit() {
    let mut stored = b"Content-Type: multipart/digest; boundary=b\n\n".to_vec();
    stored.extend(b"--b\n\nSubject: x\n\nx\n".repeat(20_000));
    stored.extend(b"--b--\n");
    let message = parse(stored.as_slice()).unwrap();
    assert_eq!(message.part_count(), limits::MIME_PARTS);
    assert_eq!(message.size().physical, stored.len() as u64);
    let last = message.part_ids().last().unwrap();
    assert_eq!(message.part(last).span().end(), stored.len() as u64);
}

/// LMTP-17: as many recipients as fit.
#[test]
fn addresses_end_at_their_limit() {
    let headers = b"To: a@b,\n".repeat(100_000);
    let one_header = [b"To: ".to_vec(), b"a@b,".repeat(100_000)].concat();
    for stored in [headers, one_header] {
        let envelope = Envelope::read(stored.as_slice()).unwrap();
        assert_eq!(envelope.to.len(), limits::ADDRESSES);
        let message = parse(stored.as_slice()).unwrap();
        let mut out = Vec::new();
        message.write_envelope(&mut out).unwrap();
        assert_eq!(out, envelope.to_wire());
    }
}

#[test]
fn parameters_end_at_their_limit() {
    let stored = [b"Content-Type: a/b".to_vec(), b"; a*1=b".repeat(100_000)].concat();
    assert_eq!(
        structure(&parse(stored.as_slice()).unwrap())
            .matches("a*1")
            .count(),
        limits::PARAMETERS
    );
}

/// Each of these was once a way to make a parser of addresses or parameters go over the same bytes again and again.
#[test]
fn unfinished_words_are_read_once() {
    for (field, piece) in [
        ("To", "("),
        ("To", "\"a\\\" <@"),
        ("To", "<@,"),
        ("To", "a <"),
        ("To", "g:"),
        ("To", "a (b\n "),
        ("To", "=?q?q?"),
        ("Content-Type", "a/b;c=("),
        ("Content-Type", "("),
    ] {
        let stored = format!("{field}: {}\n\nx", piece.repeat(200_000));
        let message = parse(stored.as_bytes()).unwrap();
        assert!(structure(&message).len() < 100_000, "{field}: {piece}");
        let _ = message::words::decode(stored.as_bytes());
    }
}

#[test]
fn one_header_ends_at_its_limit() {
    let stored = [
        b"Subject: ".to_vec(),
        b"x".repeat(limits::HEADER_FIELD + 1000),
    ]
    .concat();
    let envelope = Envelope::read(stored.as_slice()).unwrap();
    assert_eq!(envelope.subject.unwrap().len(), limits::HEADER_FIELD - 1);
}

/// Endless lines, from which a message is read as if it came from a file.
struct Repeated {
    line: &'static [u8],
    left: usize,
    at: usize,
}

impl Read for Repeated {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = &self.line[self.at..];
        let len = rest.len().min(out.len()).min(self.left);
        out[..len].copy_from_slice(&rest[..len]);
        self.at = (self.at + len) % self.line.len();
        self.left -= len;
        Ok(len)
    }
}

/// The most memory this process ever had, in kB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Run alone by name, this process has done nothing else before.
#[test]
fn memory_does_not_grow_with_the_message() {
    const MB: usize = 1000 * 1000;
    if std::env::var_os("ALONE").is_none() {
        let test = std::env::current_exe().unwrap();
        let status = std::process::Command::new(test)
            .args(["--exact", "memory_does_not_grow_with_the_message"])
            .env("ALONE", "1")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let head = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n".as_slice();
    parse(head).unwrap();
    let before = peak_memory();
    let plain =
        b"a line of seventy characters or so is what most of mail is made of....\n".as_slice();
    for (line, size) in [
        (plain, 20 * MB),
        (b"no line end ", 10 * MB),
        (b"--\n", MB),
        (b"X-Header: y\n", MB),
    ] {
        let message = parse(head.chain(Repeated {
            line,
            left: size,
            at: 0,
        }))
        .unwrap();
        assert_eq!(message.size().physical, (size + head.len()) as u64);
        let message = parse(Repeated {
            line,
            left: size,
            at: 0,
        })
        .unwrap();
        assert_eq!(message.part_count(), 1);
    }
    assert!(
        peak_memory() - before < 4000,
        "{} kB",
        peak_memory() - before
    );
}
