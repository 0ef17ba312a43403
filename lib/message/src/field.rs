//! Cuts a header into its fields while it streams by, in pieces of any size. RFC 5322 §2.2, read as tolerantly as Dovecot does.

use std::io::{self, Read};

use crate::limits;
use crate::size::{Counter, Size};

/// Bytes read at once.
const CHUNK: usize = 8 * 1024;

/// Bytes of a field name that are kept; no name that means something is longer.
const NAME_KEPT: usize = 1000;

/// What a [`Scanner`] reports. Every byte of the header is reported once, in order.
pub trait Sink {
    /// A field begins. `start` is the name with what follows it, up to and including the colon. A line without a colon has
    /// an empty name, and is all `start` (up to 1,000 bytes).
    fn begin(&mut self, name: &[u8], start: &[u8]);
    /// More of the field's value, line ends included.
    fn value(&mut self, bytes: &[u8]);
    /// The field is complete.
    fn end(&mut self);
    /// The empty line after the last field.
    fn end_of_header(&mut self, line: &[u8]);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart,
    /// A CR began the line; only a LF makes it the empty line.
    LineStartCr,
    Name,
    Value,
    Done,
}

/// Push parser of one header.
#[derive(Debug)]
pub struct Scanner {
    state: State,
    in_field: bool,
    name: Vec<u8>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            state: State::LineStart,
            in_field: false,
            name: Vec::new(),
        }
    }
}

impl Scanner {
    /// Takes the next bytes of the message; answers how many of them belong to the header. Less than all means that the
    /// header has ended.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let mut rest = bytes;
        while let Some((&first, tail)) = rest.split_first() {
            rest = match self.state {
                State::LineStart => self.line_start(first, rest, tail, sink),
                State::LineStartCr if first == b'\n' => self.empty_line(b"\r\n", tail, sink),
                State::LineStartCr => {
                    self.name.push(b'\r');
                    self.state = State::Name;
                    rest
                }
                State::Name => self.name(rest, sink),
                State::Value => self.value(rest, sink),
                State::Done => break,
            };
        }
        bytes.len() - rest.len()
    }

    /// True once the empty line was seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// There is no more: the header ends without an empty line.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        match self.state {
            State::LineStartCr => {
                self.end_field(sink);
                self.name.push(b'\r');
                self.begin_field(sink);
            }
            State::Name => self.begin_field(sink),
            _ => {}
        }
        self.end_field(sink);
        self.state = State::Done;
    }

    fn line_start<'a>(
        &mut self,
        first: u8,
        line: &'a [u8],
        tail: &'a [u8],
        sink: &mut impl Sink,
    ) -> &'a [u8] {
        match first {
            b' ' | b'\t' if self.in_field => {
                self.state = State::Value;
                line
            }
            b'\n' => self.empty_line(b"\n", tail, sink),
            b'\r' => {
                self.end_field(sink);
                self.state = State::LineStartCr;
                tail
            }
            _ => {
                self.end_field(sink);
                self.state = State::Name;
                line
            }
        }
    }

    fn empty_line<'a>(&mut self, line: &[u8], tail: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        self.end_field(sink);
        sink.end_of_header(line);
        self.state = State::Done;
        tail
    }

    fn name<'a>(&mut self, bytes: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        let room = NAME_KEPT.saturating_sub(self.name.len()).min(bytes.len());
        let window = bytes.get(..room).unwrap_or(bytes);
        let end = match memchr::memchr2(b':', b'\n', window) {
            Some(at) if window.get(at) == Some(&b':') => at + 1,
            Some(at) => at,
            None => room,
        };
        let (name, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        self.name.extend_from_slice(name);
        // A line this long without a colon continues as a value, so that nothing has to be remembered.
        if end < room || name.ends_with(b":") || self.name.len() >= NAME_KEPT {
            self.begin_field(sink);
            self.state = State::Value;
        }
        rest
    }

    fn value<'a>(&mut self, bytes: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        sink.value(line);
        if line.ends_with(b"\n") {
            self.state = State::LineStart;
        }
        rest
    }

    fn begin_field(&mut self, sink: &mut impl Sink) {
        let mut start = std::mem::take(&mut self.name);
        let name = start.strip_suffix(b":").unwrap_or_default();
        sink.begin(trim_end(name), &start);
        self.in_field = true;
        start.clear();
        self.name = start;
    }

    fn end_field(&mut self, sink: &mut impl Sink) {
        if self.in_field {
            sink.end();
            self.in_field = false;
        }
    }
}

/// One field of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// As it was written; empty for a line without a colon.
    pub name: Vec<u8>,
    /// As [`clean`] tells it.
    pub value: Vec<u8>,
}

/// Reads the fields that are `wanted` by name; reading ends with the header. No more is kept than [`limits`] allow.
///
/// # Errors
/// Those of `reader`.
pub fn read(mut reader: impl Read, wanted: impl Fn(&[u8]) -> bool) -> io::Result<Vec<Field>> {
    let mut collector = Collector {
        wanted,
        fields: Vec::new(),
        raw: Vec::new(),
        kept: 0,
        in_wanted: false,
    };
    let mut scanner = Scanner::default();
    let mut chunk = [0; CHUNK];
    while !scanner.is_done() {
        match reader.read(&mut chunk) {
            Ok(0) => scanner.finish(&mut collector),
            Ok(len) => {
                scanner.feed(chunk.get(..len).unwrap_or_default(), &mut collector);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(collector.fields)
}

/// How long the header at the beginning of a message is, with the empty line that ends it.
///
/// # Errors
/// Those of `reader`.
pub fn header_size(mut reader: impl Read) -> io::Result<Size> {
    let (mut scanner, mut counter) = (Scanner::default(), Counter::default());
    let mut chunk = [0; CHUNK];
    while !scanner.is_done() {
        let count = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = chunk.get(..count).unwrap_or_default();
        let taken = scanner.feed(bytes, &mut Ignored);
        counter.add(bytes.get(..taken).unwrap_or_default());
    }
    Ok(counter.total())
}

/// Only the end of the header is of interest.
struct Ignored;

impl Sink for Ignored {
    fn begin(&mut self, _name: &[u8], _start: &[u8]) {}
    fn value(&mut self, _bytes: &[u8]) {}
    fn end(&mut self) {}
    fn end_of_header(&mut self, _line: &[u8]) {}
}

struct Collector<W> {
    wanted: W,
    fields: Vec<Field>,
    raw: Vec<u8>,
    kept: usize,
    in_wanted: bool,
}

impl<W: Fn(&[u8]) -> bool> Sink for Collector<W> {
    fn begin(&mut self, name: &[u8], start: &[u8]) {
        self.in_wanted = (self.wanted)(name);
        self.raw.clear();
        if self.in_wanted {
            self.fields.push(Field {
                name: name.to_vec(),
                value: Vec::new(),
            });
            if name.is_empty() && !start.ends_with(b":") {
                self.raw.extend_from_slice(start);
            }
        }
    }

    fn value(&mut self, bytes: &[u8]) {
        if self.in_wanted {
            let room = limits::HEADER_FIELD
                .saturating_sub(self.raw.len())
                .min(limits::HEADERS.saturating_sub(self.kept));
            let kept = bytes.get(..room).unwrap_or(bytes);
            self.raw.extend_from_slice(kept);
            self.kept += kept.len();
        }
    }

    fn end(&mut self) {
        if let Some(field) = self.fields.last_mut().filter(|_| self.in_wanted) {
            field.value = clean(std::mem::take(&mut self.raw));
        }
    }

    fn end_of_header(&mut self, _line: &[u8]) {}
}

/// The value of a field as it is told: no line end at its end, no CR before the others. White space after the colon is
/// gone; of a first line that is nothing else, only one byte. Folding stays, except where it folds a single byte.
#[must_use]
pub fn clean(mut raw: Vec<u8>) -> Vec<u8> {
    if raw.ends_with(b"\n") {
        raw.pop();
    }
    let mut rest = 0..raw.len();
    let mut kept = 0;
    let mut is_first = true;
    // In place, since a value may be as long as a message.
    while let Some(line) = raw.get(rest.clone()) {
        let len = memchr::memchr(b'\n', line).unwrap_or(line.len());
        let is_last = len == line.len();
        let line = line.get(..len).unwrap_or_default();
        let told = line.strip_suffix(b"\r").unwrap_or(line).len();
        let skip = if is_first {
            leading_blanks(line.get(..told).unwrap_or_default())
        } else {
            0
        };
        let start = rest.start;
        if !is_first && told > 1 {
            set(&mut raw, kept, b'\n');
            kept += 1;
        }
        raw.copy_within(start + skip..start + told, kept);
        kept += told - skip;
        if is_last {
            break;
        }
        is_first = false;
        rest.start += len + 1;
    }
    raw.truncate(kept);
    raw
}

/// A name without the white space before its colon.
fn trim_end(mut name: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = name {
        name = rest;
    }
    name
}

/// How much white space of the first line is not told.
fn leading_blanks(line: &[u8]) -> usize {
    let blank = line
        .iter()
        .take_while(|&&byte| byte == b' ' || byte == b'\t')
        .count();
    if blank == line.len() {
        blank.min(1)
    } else {
        blank
    }
}

fn set(bytes: &mut [u8], at: usize, byte: u8) {
    if let Some(slot) = bytes.get_mut(at) {
        *slot = byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Debug, PartialEq)]
    struct Told(Vec<(String, String)>, String);

    impl Sink for Told {
        fn begin(&mut self, name: &[u8], start: &[u8]) {
            self.0
                .push((String::from_utf8_lossy(name).into(), String::new()));
            self.1.push_str(&String::from_utf8_lossy(start));
        }
        fn value(&mut self, bytes: &[u8]) {
            let text = String::from_utf8_lossy(bytes);
            self.0.last_mut().unwrap().1.push_str(&text);
            self.1.push_str(&text);
        }
        fn end(&mut self) {
            self.0.last_mut().unwrap().1.push('$');
        }
        fn end_of_header(&mut self, line: &[u8]) {
            self.1.push_str(&String::from_utf8_lossy(line));
        }
    }

    const HEADER: &[u8] =
        b" x: odd\nSubject : a\r\n b\nno colon\r\n\tmore\n\rcr: y\n:empty\n\r\nbody";

    fn whole() -> Told {
        let mut told = Told::default();
        let mut scanner = Scanner::default();
        assert_eq!(scanner.feed(HEADER, &mut told), HEADER.len() - 4);
        told
    }

    #[test]
    fn fields_of_a_strange_header() {
        let told = whole();
        let expected = [
            (" x", " odd\n$"),
            ("Subject", " a\r\n b\n$"),
            ("", "\n\tmore\n$"),
            ("\rcr", " y\n$"),
            ("", "empty\n$"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect();
        assert_eq!(told.0, expected);
        assert_eq!(told.1.as_bytes(), &HEADER[..HEADER.len() - 4]);
    }

    #[test]
    fn any_split_tells_the_same() {
        for split in 0..HEADER.len() {
            let mut told = Told::default();
            let mut scanner = Scanner::default();
            let (a, b) = HEADER.split_at(split);
            if scanner.feed(a, &mut told) == a.len() {
                scanner.feed(b, &mut told);
            }
            assert_eq!(told, whole(), "split at {split}");
        }
    }

    #[test]
    fn every_truncation_loses_nothing() {
        for len in 0..HEADER.len() - 4 {
            let mut told = Told::default();
            let mut scanner = Scanner::default();
            scanner.feed(&HEADER[..len], &mut told);
            scanner.finish(&mut told);
            assert_eq!(told.1.as_bytes(), &HEADER[..len]);
        }
    }
}
