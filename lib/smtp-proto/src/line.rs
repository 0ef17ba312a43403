//! Command lines out of a stream of bytes. RFC 5321 §2.3.8, §4.5.3.1.4.
//!
//! A command ends with CRLF. A bare LF ends one, too, as in Dovecot and Postfix: it cannot smuggle anything, because
//! commands carry no message text. The end of DATA is another matter, see [`crate::DataDecoder`].

use memchr::memchr;

/// Cuts lines out of bytes that arrive in any pieces. Holds at most one line.
#[derive(Debug)]
pub struct LineDecoder {
    line: Vec<u8>,
    limit: usize,
    skipping: bool,
}

/// What [`LineDecoder::decode`] made of its input.
#[derive(Debug, PartialEq, Eq)]
pub struct LineStep {
    /// Bytes used; the rest belongs to the next call.
    pub consumed: usize,
    /// The line that they completed, if they did.
    pub line: Option<Line>,
}

/// One command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// The line without its end.
    Complete(Vec<u8>),
    /// The line is longer than the limit. Told once; the rest of it is skipped.
    TooLong,
}

impl LineDecoder {
    /// A decoder for lines of at most `limit` bytes, their end not counted.
    pub fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            limit,
            skipping: false,
        }
    }

    /// Reads on, up to the end of one line or of `input`.
    pub fn decode(&mut self, input: &[u8]) -> LineStep {
        match memchr(b'\n', input) {
            Some(end) => {
                let (head, _) = input.split_at(end);
                LineStep {
                    consumed: end + 1,
                    line: self.finish(head),
                }
            }
            None => LineStep {
                consumed: input.len(),
                line: self.extend(input),
            },
        }
    }

    /// True between lines: nothing of a further line has arrived.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty() && !self.skipping
    }

    fn finish(&mut self, tail: &[u8]) -> Option<Line> {
        let too_long = self.extend(tail);
        if std::mem::take(&mut self.skipping) {
            return too_long;
        }
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() > self.limit {
            Some(Line::TooLong)
        } else {
            Some(Line::Complete(line))
        }
    }

    fn extend(&mut self, bytes: &[u8]) -> Option<Line> {
        if self.skipping {
            return None;
        }
        // One more than the limit: the CR of the end may be there already.
        if self.line.len().saturating_add(bytes.len()) > self.limit.saturating_add(1) {
            self.line = Vec::new();
            self.skipping = true;
            return Some(Line::TooLong);
        }
        self.line.extend_from_slice(bytes);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(limit: usize, pieces: &[&[u8]]) -> Vec<Line> {
        let mut decoder = LineDecoder::new(limit);
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let step = decoder.decode(rest);
                rest = &rest[step.consumed..];
                found.extend(step.line);
            }
        }
        found
    }

    fn complete(text: &str) -> Line {
        Line::Complete(text.into())
    }

    #[test]
    fn cuts_at_both_line_ends() {
        let expected = [
            complete("NOOP"),
            complete("RSET"),
            complete(""),
            complete("a\rb"),
        ];
        assert_eq!(lines(100, &[b"NOOP\r\nRSET\n\r\na\rb\r\nQU"]), expected);
    }

    #[test]
    fn pieces_make_no_difference() {
        let input = b"LHLO x\r\nMAIL FROM:<>\r\n0123456789abcdefg\r\n\nNOOP\r\n";
        let whole = lines(16, &[input]);
        assert_eq!(whole.len(), 5);
        assert_eq!(whole[2], Line::TooLong);
        for cut in 0..=input.len() {
            assert_eq!(
                lines(16, &[&input[..cut], &input[cut..]]),
                whole,
                "cut at {cut}"
            );
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(lines(16, &bytes), whole);
    }

    #[test]
    fn the_limit_does_not_count_the_line_end() {
        assert_eq!(lines(4, &[b"NOOP\r\n"]), [complete("NOOP")]);
        assert_eq!(lines(4, &[b"NOOPS\r\n"]), [Line::TooLong]);
        assert_eq!(lines(4, &[b"NOOPS\n"]), [Line::TooLong]);
    }

    #[test]
    fn an_endless_line_keeps_no_memory() {
        let mut decoder = LineDecoder::new(1000);
        let mut told = 0;
        for _ in 0..100 {
            told += usize::from(decoder.decode(&[b'x'; 512]).line.is_some());
            assert!(decoder.line.len() <= 1001);
        }
        assert_eq!(told, 1);
        assert!(!decoder.is_empty());
    }

    #[test]
    fn any_bytes_in_any_pieces() {
        bolero::check!()
            .with_type::<(Vec<u8>, u8)>()
            .for_each(|(bytes, size)| {
                let whole = lines(32, &[bytes]);
                let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*size).max(1)).collect();
                assert_eq!(lines(32, &pieces), whole);
            });
    }
}
