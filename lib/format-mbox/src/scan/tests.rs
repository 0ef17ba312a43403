//! Boundaries of messages, with lies, without ends, in pieces and damaged.

use super::*;

/// Gives one byte at a time, and no more than there are.
struct Drops<'b>(&'b [u8]);

impl Source for Drops<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize> {
        let buf = buf.get_mut(..1).unwrap_or_default();
        self.0.read_at(buf, offset)
    }
}

pub fn messages(source: &dyn Source, len: u64) -> Result<Vec<Message>, ScanError> {
    let mut scanner = Scanner::new(source, len, Md5Headers::Apop3d);
    let mut found = Vec::new();
    let mut next = scanner.begin()?;
    while let Next::Message(separator, from) = next {
        let message = scanner.message(separator, from)?;
        next = message.next;
        found.push(message);
    }
    Ok(found)
}

fn scan(file: &[u8]) -> Vec<Message> {
    messages(&file, file.len() as u64).unwrap()
}

fn bodies(file: &[u8]) -> Vec<String> {
    let cut = |m: &Message| {
        let place = |offset| usize::try_from(offset).unwrap();
        let body = &file[place(m.body)..place(m.end)];
        String::from_utf8_lossy(body).into_owned()
    };
    scan(file).iter().map(cut).collect()
}

const FROM: &str = "From a@b  Thu Nov 29 22:33:52 2001\n";

fn file(parts: &[&str]) -> Vec<u8> {
    parts.concat().replace("@@", FROM).into_bytes()
}

#[test]
fn the_last_line_end_belongs_to_nobody() {
    assert_eq!(bodies(b""), Vec::<String>::new());
    assert_eq!(
        bodies(&file(&["@@h: 1\n\nbody\n\n@@h: 2\n\nlast\n"])),
        ["body\n", "last"]
    );
    assert_eq!(bodies(&file(&["@@h: 1\n\nbody\n\n\n"])), ["body\n\n"]);
    assert_eq!(bodies(&file(&["@@h: 1\n\nbody"])), ["body"]);
    assert_eq!(
        bodies(&file(&["@@h: 1\r\n\r\nbody\r\n\r\n@@h: 2\r\n\r\nx\r\n"])),
        ["body\r\n", "x"]
    );
}

#[test]
fn content_length_protects_from_lines() {
    let body = format!("one\n{FROM}two\n");
    let with = |length: &str| {
        file(&[
            "@@Content-Length: ",
            length,
            "\n\n",
            &body,
            "\n@@h: 2\n\nx\n",
        ])
    };
    let length = body.len().to_string();
    assert_eq!(bodies(&with(&length)), [body.clone(), "x".to_owned()]);
    // The second From_ line's header has no empty line.
    for lie in [
        "0",
        "1",
        "99999",
        "18446744073709551615",
        "99999999999999999999",
        "-1",
        "x",
        "+46",
        "",
    ] {
        assert_eq!(bodies(&with(lie)), ["one", "", "x"], "{lie}");
    }
    // It may reach to the end of the file.
    assert_eq!(
        bodies(&file(&["@@Content-Length: ", &length, "\n\n", &body, "\n"])),
        [body]
    );
}

#[test]
fn headers_may_lack_their_end() {
    let found = scan(&file(&["@@h: 1\n@@h: 2\n\n@@\n@@"]));
    let places: Vec<_> = found
        .iter()
        .map(|m| (m.body - m.header, m.end - m.body))
        .collect();
    // "h: 1", "h: 2\n", "", "": the empty line was the separator.
    assert_eq!(places, [(4, 0), (5, 0), (0, 0), (0, 0)]);
    assert_eq!(bodies(&file(&["@@h: 1\n"])), [""]);
    assert_eq!(bodies(&file(&["@@h: 1\n\n"])), [""]);
    assert_eq!(bodies(&file(&["@@"])), [""]);
}

#[test]
fn an_unfinished_message_is_none() {
    let unfinished = FROM.replacen('F', "\0", 1);
    let before = file(&["@@Content-Length: 2\n\nx\n\n"]);
    let torn = [
        before.clone(),
        unfinished.clone().into_bytes(),
        b"h: 1\n\nbo".to_vec(),
    ]
    .concat();
    let found = scan(&torn);
    assert_eq!(found[0].next, Next::Unfinished(before.len() as u64));
    let torn = &torn[..];
    let mut scanner = Scanner::new(&torn, torn.len() as u64, Md5Headers::Apop3d);
    let at = scanner.at_separator(before.len() as u64 - 1).unwrap();
    assert_eq!(at, Some(Next::Unfinished(before.len() as u64)));
    let only = unfinished.into_bytes();
    let only = &only[..];
    let mut scanner = Scanner::new(&only, only.len() as u64, Md5Headers::Apop3d);
    assert_eq!(scanner.begin().unwrap(), Next::Unfinished(0));
}

#[test]
fn other_files_are_refused() {
    for other in [
        &b"From: a@b\n\n"[..],
        b"\n",
        b"From me\n",
        b"\0rum",
        b"\nFrom a  Thu Nov 29 22:33:52 2001\n",
    ] {
        let refused = messages(&other, other.len() as u64);
        assert!(matches!(refused, Err(ScanError::NotMbox)), "{other:?}");
    }
}

#[test]
fn lines_longer_than_the_window() {
    let long = "x".repeat(3 * SIZE);
    let text = file(&[
        "@@Subject: ",
        &long,
        "\nX-UID: 7\n\n",
        &long,
        "\n\n@@h: 2\n\ny\n",
    ]);
    let found = scan(&text);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].fields[0].kind, Kind::Uid);
    assert_eq!(found[0].end - found[0].body, long.len() as u64 + 1);
    // A From_ line across the edge of the window.
    for shift in 0..12 {
        let body = "z".repeat(SIZE - 40 + shift);
        let text = file(&["@@h: 1\n\n", &body, "\n\n@@h: 2\n\ny\n"]);
        assert_eq!(scan(&text).len(), 2, "{shift}");
    }
}

fn sample() -> Vec<u8> {
    let body = format!("one\n{FROM}two\n");
    let length = body.len().to_string();
    file(&[
        "@@Date: x\nReceived: y\n z\nX-IMAPbase: 5 0000000007 a b\nX-UID: 6\nStatus: RO\n",
        "X-Keywords: a  \nContent-Length: ",
        &length,
        "\n\n",
        &body,
        "\n@@h: 1\r\nX-UID: 7\r\n\r\nbody\r\n\r\n@@no end\n@@\n\nlast\n",
    ])
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    let text = sample();
    let len = text.len() as u64;
    assert_eq!(messages(&Drops(&text), len).unwrap(), scan(&text));
    assert_eq!(scan(&text).len(), 4);
}

#[test]
fn every_truncation_and_every_flip_is_survived() {
    let text = sample();
    for end in 0..=text.len() {
        check(&text[..end]);
    }
    let mut flipped = text.clone();
    for at in 0..text.len() {
        for bit in [1, 4, 0x20, 0x80] {
            flipped[at] ^= bit;
            check(&flipped);
            flipped[at] ^= bit;
        }
    }
}

/// Messages follow each other without gaps, and reach to the end.
fn check(text: &[u8]) {
    let Ok(found) = messages(&text, text.len() as u64) else {
        return;
    };
    let mut end = 0;
    for message in &found {
        assert_eq!(message.separator, end, "{message:?}");
        assert!(message.separator <= message.from && message.from < message.header);
        assert!(message.header <= message.body && message.empty_line <= message.body);
        assert!(message.body <= message.end && message.end <= text.len() as u64);
        end = message.end;
    }
    if let Some(last) = found.last()
        && last.next == Next::End
    {
        assert!(text.len() as u64 - end <= 2);
    }
}
