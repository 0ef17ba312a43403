//! A message on its way into the mailbox: line ends, and the headers that it must not bring along.
//!
//! Managed fields, X-Delivery-ID and lines that begin with `From ` are left out of the header; the body
//! ends with a line end. FORMATS.md §5.2. Memory does not grow with the message.

use mailbox::LineEnds;

use crate::compose::line_end;
use crate::digest::{HeaderDigest, Md5Headers};
use crate::field::Kind;

/// Names are told apart by so many bytes.
const LONGEST_NAME: usize = 256;

/// What comes out, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// Of the header, without the empty line.
    Header(&'p [u8]),
    /// Of the body.
    Body(&'p [u8]),
}

/// Takes a message in pieces of any size.
pub struct Incoming {
    line_ends: LineEnds,
    digest: HeaderDigest,
    place: Place,
    /// The beginning of a line whose name is not yet known.
    name: Vec<u8>,
    /// A CR that may belong to an LF.
    has_cr: bool,
    /// The byte before, as it was put out.
    last: u8,
    /// Reused.
    out: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a header line, or in its name.
    Name,
    /// In a line that stays; its value has begun or not.
    Stays(Value),
    /// In a line that goes.
    Goes,
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Blank,
    Text,
}

impl Incoming {
    /// Nothing read yet.
    #[must_use]
    pub fn new(line_ends: LineEnds, headers: Md5Headers) -> Self {
        Self {
            line_ends,
            digest: HeaderDigest::new(headers),
            place: Place::Name,
            name: Vec::new(),
            has_cr: false,
            last: b'\n',
            out: Vec::new(),
        }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// What `put` returned.
    pub fn read<E>(
        &mut self,
        piece: &[u8],
        put: &mut dyn FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        while !rest.is_empty() {
            if self.place == Place::Body {
                return self.body(rest, put);
            }
            let (byte, behind) = rest.split_at_checked(1).unwrap_or((rest, &[]));
            rest = behind;
            for byte in byte {
                self.header_byte(*byte);
            }
            if self.place == Place::Body || self.out.len() > 16 * 1024 {
                self.flush_header(put)?;
            }
        }
        self.flush_header(put)
    }

    /// The message is over: puts out what was waiting, and tells the sum.
    ///
    /// # Errors
    /// What `put` returned.
    pub fn finish<E>(
        mut self,
        put: &mut dyn FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<[u8; 16], E> {
        if self.place == Place::Body {
            if std::mem::take(&mut self.has_cr) {
                put(Part::Body(b"\r"))?;
                self.last = b'\r';
            }
            if self.last != b'\n' {
                put(Part::Body(line_end(self.line_ends)))?;
            }
        } else {
            self.has_cr = false;
            if self.place != Place::Name || !self.name.is_empty() {
                self.header_byte(b'\n');
            }
            self.flush_header(put)?;
        }
        self.digest.end();
        Ok(self.digest.finish())
    }

    fn flush_header<E>(&mut self, put: &mut dyn FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        let result = put(Part::Header(&out));
        self.out = out;
        self.out.clear();
        result
    }

    fn header_byte(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.has_cr = false;
                self.header_line_end();
            }
            _ => {
                if std::mem::take(&mut self.has_cr) {
                    self.header_text(b'\r');
                }
                match byte {
                    b'\r' => self.has_cr = true,
                    _ => self.header_text(byte),
                }
            }
        }
    }

    fn header_text(&mut self, byte: u8) {
        match self.place {
            Place::Name => self.name_byte(byte),
            Place::Stays(value) => {
                self.out.push(byte);
                if value == Value::Text || !b" \t".contains(&byte) {
                    self.place = Place::Stays(Value::Text);
                    self.digest.add(&[byte]);
                }
            }
            Place::Goes | Place::Body => {}
        }
    }

    fn name_byte(&mut self, byte: u8) {
        if self.name.is_empty() && b" \t".contains(&byte) {
            // The line before goes on.
            if self.line_goes_on() {
                self.place = Place::Stays(Value::Text);
                self.header_text(byte);
            } else {
                self.place = Place::Goes;
            }
            return;
        }
        self.name.push(byte);
        if self.name == b"From " {
            self.begin_line(Place::Goes);
        } else if byte == b':' || self.name.len() >= LONGEST_NAME {
            let name = self
                .name
                .strip_suffix(b":")
                .unwrap_or(&self.name)
                .trim_ascii_end();
            let goes = Kind::of(name).is_some() || name.eq_ignore_ascii_case(b"X-Delivery-ID");
            if goes {
                self.begin_line(Place::Goes);
            } else {
                self.digest.begin(name);
                self.begin_line(Place::Stays(Value::Blank));
            }
        }
    }

    fn begin_line(&mut self, place: Place) {
        if place == Place::Goes {
            self.name.clear();
        } else {
            self.out.append(&mut self.name);
        }
        self.last = if place == Place::Goes { b'-' } else { b'+' };
        self.place = place;
    }

    /// Did the line before stay?
    fn line_goes_on(&self) -> bool {
        self.last != b'-'
    }

    fn header_line_end(&mut self) {
        match self.place {
            Place::Name if self.name.is_empty() => {
                self.digest.end();
                self.place = Place::Body;
                self.last = b'\n';
                return;
            }
            // A line without a colon is no header, but nobody else's business either.
            Place::Name => {
                let name = std::mem::take(&mut self.name);
                self.digest.begin(&name);
                self.name = name;
                self.begin_line(Place::Stays(Value::Blank));
            }
            Place::Stays(_) | Place::Goes | Place::Body => {}
        }
        if self.place != Place::Goes {
            self.out.extend_from_slice(line_end(self.line_ends));
        }
        self.place = Place::Name;
    }

    fn body<E>(
        &mut self,
        mut rest: &[u8],
        put: &mut dyn FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(byte) = rest.first() {
            if std::mem::take(&mut self.has_cr) && *byte != b'\n' {
                put(Part::Body(b"\r"))?;
                self.last = b'\r';
            }
            let plain = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (text, behind) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
            if let Some(last) = text.last() {
                put(Part::Body(text))?;
                self.last = *last;
            }
            rest = behind;
            let Some((end, behind)) = rest.split_first() else {
                break;
            };
            rest = behind;
            if *end == b'\r' {
                self.has_cr = true;
            } else {
                put(Part::Body(line_end(self.line_ends)))?;
                self.last = b'\n';
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Never = std::convert::Infallible;

    fn through(pieces: &[&[u8]], line_ends: LineEnds) -> (String, String, [u8; 16]) {
        let mut incoming = Incoming::new(line_ends, Md5Headers::Apop3d);
        let (mut header, mut body) = (Vec::new(), Vec::new());
        let mut put = |part: Part<'_>| -> Result<(), Never> {
            match part {
                Part::Header(bytes) => header.extend_from_slice(bytes),
                Part::Body(bytes) => body.extend_from_slice(bytes),
            }
            Ok(())
        };
        for piece in pieces {
            incoming.read(piece, &mut put).unwrap();
        }
        let sum = incoming.finish(&mut put).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(header), text(body), sum)
    }

    fn whole(message: &str) -> (String, String) {
        let (header, body, sum) = through(&[message.as_bytes()], LineEnds::Lf);
        let drops: Vec<&[u8]> = message.as_bytes().chunks(1).collect();
        assert_eq!(
            through(&drops, LineEnds::Lf),
            (header.clone(), body.clone(), sum)
        );
        (header, body)
    }

    #[test]
    fn what_it_must_not_bring_is_left_out() {
        let message = "From x Thu\r\nSubject: a\r\n b\r\nx-uid: 4\r\n 5\r\nX-IMAPbase : 7 8\nStatus: RO\n\
                       X-Delivery-ID: q\nno colon\n more\nX-Keywords:\n\ty\nTo: z\nX-IMAP: 1\r\n\
                       \r\nFrom here\r\nX-UID: stays\n\rlone\r\r\n";
        let (header, body) = whole(message);
        assert_eq!(header, "Subject: a\n b\nno colon\n more\nTo: z\n");
        assert_eq!(body, "From here\nX-UID: stays\n\rlone\r\n");
    }

    #[test]
    fn ends_are_made() {
        for (message, header, body) in [
            ("", "", ""),
            ("a: b", "a: b\n", ""),
            ("a: b\r", "a: b\n", ""),
            ("a", "a\n", ""),
            ("a: b\n", "a: b\n", ""),
            ("a: b\n\n", "a: b\n", ""),
            ("\nbody", "", "body\n"),
            ("a: b\n\nbody\r", "a: b\n", "body\r\n"),
            ("a: b\n\nbody\r\n", "a: b\n", "body\n"),
            ("X-UID: 1", "", ""),
        ] {
            assert_eq!(
                whole(message),
                (header.to_owned(), body.to_owned()),
                "{message:?}"
            );
        }
        let (header, body, _) = through(&[b"a: b\nc: d\r\n\nx\ny"], LineEnds::Crlf);
        assert_eq!((&header[..], &body[..]), ("a: b\r\nc: d\r\n", "x\r\ny\r\n"));
    }

    #[test]
    fn long_names_and_lines_are_no_trouble() {
        let name = "n".repeat(100_000);
        let (header, _) = whole(&format!("{name}: x\n\n"));
        assert_eq!(header.len(), name.len() + 4);
    }

    #[test]
    fn the_sum_is_that_of_the_file() {
        use crate::scan::Scanner;
        let message = "Received:  by x\n\tfor y\nDate: late\nDelivered-To: a\nReceived: z\nMessage-ID: <1>\n\n";
        for message in [
            message,
            "Date: \t1\nMessage-ID: 2\nReceived: 3\n\n",
            "Subject: none\n\n",
        ] {
            let (header, _, sum) = through(&[message.as_bytes()], LineEnds::Lf);
            let file = format!("From a@b  Thu Nov 29 22:33:52 2001\n{header}X-UID: 1\n\n\n");
            let bytes = file.as_bytes();
            let mut scanner = Scanner::new(&bytes, bytes.len() as u64, Md5Headers::Apop3d);
            assert_eq!(scanner.message(0, 0).unwrap().md5, sum, "{message}");
        }
    }
}
