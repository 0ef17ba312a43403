//! Fuzz targets of what reads bytes of strangers: files, messages that come in. Plain tests under
//! `cargo test`, with random input for a moment.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use format_mbox::Source;
use format_mbox::digest::Md5Headers;
use format_mbox::incoming::{Incoming, Part};
use format_mbox::keywords::Keywords;
use format_mbox::marks::{Course, Trust};
use format_mbox::scan::{Message, Next, ScanError, Scanner};
use mailbox::LineEnds;
use sys::fs::FsResult;

/// Pieces that mean something, put together by each byte of the input.
const PIECES: [&str; 16] = [
    "From a@b  Thu Nov 29 22:33:52 2001\n",
    "From a@b  Thu Nov 29 22:33:52 2001\r\n",
    "\0rom a@b  Thu Nov 29 22:33:52 2001\n",
    "\n",
    "\r\n",
    "Content-Length: 10\n",
    "Content-Length: 99999999999999999999\n",
    "X-IMAPbase: 7 0000000009 a b\n",
    "X-IMAP: 7 9\n",
    "X-UID: 3\n",
    "X-UID: 4294967295\n",
    "Status: RO\nX-Status: AFTD\r\n",
    "X-Keywords: a\n\tb  \n",
    "Subject: x\n y\n",
    "text without an end",
    "From ",
];

struct Drops<'b>(&'b [u8]);

impl Source for Drops<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize> {
        self.0.read_at(buf.get_mut(..1).unwrap_or_default(), offset)
    }
}

fn composed(input: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in input {
        match PIECES.get(usize::from(byte % 32)) {
            Some(piece) => text.extend_from_slice(piece.as_bytes()),
            None => text.push(*byte),
        }
    }
    text
}

fn scan(source: &dyn Source, len: u64) -> Result<Vec<Message>, ScanError> {
    let mut scanner = Scanner::new(source, len, Md5Headers::Apop3d);
    let mut found: Vec<Message> = Vec::new();
    let mut next = scanner.begin()?;
    while let Next::Message(separator, from) = next {
        let message = scanner.message(separator, from)?;
        assert_eq!(separator, found.last().map_or(0, |last| last.end));
        assert!(message.header <= message.body && message.body <= message.end);
        assert!(message.end <= len);
        for field in &message.fields {
            assert!(message.header <= field.start && field.end <= message.body);
        }
        next = message.next;
        found.push(message);
    }
    Ok(found)
}

fn check(file: &[u8]) {
    let len = file.len() as u64;
    let whole = scan(&file, len);
    let drops = scan(&Drops(file), len);
    assert_eq!(whole.as_ref().ok(), drops.as_ref().ok());
    let mut course = Course::new(1, Keywords::default(), Trust::Any);
    let mut last = 0;
    for message in whole.unwrap_or_default() {
        let marks = course.read(&message);
        if let Some(uid) = marks.uid {
            assert!(uid > last && uid < course.next_uid.max(1));
            last = uid;
        }
    }
}

#[test]
fn any_file() {
    bolero::check!().for_each(|input: &[u8]| {
        check(input);
        check(&composed(input));
        let begun = [PIECES[0].as_bytes(), &composed(input)].concat();
        check(&begun);
    });
}

#[test]
fn any_message() {
    bolero::check!().for_each(|input: &[u8]| {
        let message = composed(input);
        for line_ends in [LineEnds::Lf, LineEnds::Crlf] {
            let whole = through(std::iter::once(&message[..]), line_ends);
            assert_eq!(whole, through(message.chunks(1), line_ends));
            let (header, body) = whole;
            assert!(header.is_empty() || header.ends_with(b"\n"));
            assert!(body.is_empty() || body.ends_with(b"\n"));
            // Nothing that is ours comes in.
            let file = [PIECES[0].as_bytes(), &header, b"\n", &body, b"\n"].concat();
            let found = scan(&&file[..], file.len() as u64).unwrap();
            assert!(found.first().unwrap().fields.is_empty());
        }
    });
}

fn through<'p>(pieces: impl Iterator<Item = &'p [u8]>, line_ends: LineEnds) -> (Vec<u8>, Vec<u8>) {
    let mut incoming = Incoming::new(line_ends, Md5Headers::Apop3d);
    let (mut header, mut body) = (Vec::new(), Vec::new());
    let mut put = |part: Part<'_>| -> Result<(), std::convert::Infallible> {
        match part {
            Part::Header(bytes) => header.extend_from_slice(bytes),
            Part::Body(bytes) => body.extend_from_slice(bytes),
        }
        Ok(())
    };
    for piece in pieces {
        incoming.read(piece, &mut put).unwrap();
    }
    incoming.finish(&mut put).unwrap();
    (header, body)
}
