//! Values of header fields (`hdr.*`): all occurrences of one header field, with their places among
//! the lines of the message's header, so that several fields can be put together in their order.
//!
//! ```text
//! u32 × n   line numbers: the first physical line of the header is 1, continuations count
//! u32       0
//!           the occurrences as they stand in the message, line ends LF
//! ```
//! No bytes at all: it is known that the message has no such field.

use super::codec::{Damage, Input};

/// One header field of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderLines<'a> {
    /// The line that each occurrence begins on, ascending.
    pub numbers: Vec<u32>,
    /// `Name: value` LF, continuation lines too, occurrence after occurrence.
    pub text: &'a [u8],
}

impl<'a> HeaderLines<'a> {
    /// The message has no such field.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.numbers.is_empty()
    }

    /// As it is written.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        if self.is_absent() {
            return Vec::new();
        }
        let numbers = self.numbers.iter().chain([&0]);
        let mut bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend(self.text);
        bytes
    }

    /// The inverse of [`HeaderLines::encode`].
    pub fn decode(value: &'a [u8]) -> Result<Self, Damage> {
        let mut lines = Self::default();
        let mut input = Input(value);
        if value.is_empty() {
            return Ok(lines);
        }
        loop {
            match input.u32() {
                Some(0) if !lines.is_absent() => break,
                Some(number) if number > 0 => lines.numbers.push(number),
                _ => return Err(Damage("header lines corrupted")),
            }
        }
        lines.text = input.0;
        Ok(lines)
    }

    /// Is each of them a field of this name? Damaged ones are not.
    #[must_use]
    pub fn are_of(&self, name: &str) -> bool {
        let is_named = |text: &[u8]| {
            let start = text.split_at_checked(name.len());
            start.is_some_and(|(start, behind)| {
                let behind = behind.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
                start.eq_ignore_ascii_case(name.as_bytes()) && behind == Some(&b':')
            })
        };
        let length: usize = self.occurrences().map(|(_, text)| text.len()).sum();
        self.occurrences().all(|(_, text)| is_named(text)) && length == self.text.len()
    }

    /// Number and text of each occurrence.
    fn occurrences(&self) -> impl Iterator<Item = (u32, &'a [u8])> {
        let mut rest = self.text;
        self.numbers.iter().map(move |number| {
            let (first, after) = rest.split_at(occurrence_len(rest));
            rest = after;
            (*number, first)
        })
    }
}

/// The header fields of one message, in the order in which they stand in it, as
/// `BODY[HEADER.FIELDS]` sends them but for line ends (LF) and the empty line.
#[must_use]
pub fn merge_header_lines(fields: &[HeaderLines<'_>]) -> Vec<u8> {
    let mut all: Vec<_> = fields.iter().flat_map(HeaderLines::occurrences).collect();
    all.sort_by_key(|(number, _)| *number);
    all.into_iter()
        .flat_map(|(_, text)| text)
        .copied()
        .collect()
}

/// Up to the LF that no space or tab follows.
fn occurrence_len(text: &[u8]) -> usize {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let after = |at: usize| text.get(at + 1);
    ends.map(|(at, _)| at)
        .find(|at| !matches!(after(*at), Some(b' ' | b'\t')))
        .map_or(text.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECTS: &[u8] = b"\x03\0\0\0\x18\0\0\0\0\0\0\0Subject: a\n b\nSubject: c\n";

    #[test]
    fn known_bytes_go_both_ways() {
        let lines = HeaderLines::decode(SUBJECTS).unwrap();
        assert_eq!(lines.numbers, [3, 24]);
        assert_eq!(lines.encode(), SUBJECTS);
        assert!(HeaderLines::decode(b"").unwrap().is_absent());
        for len in 1..12 {
            HeaderLines::decode(&SUBJECTS[..len]).unwrap_err();
        }
    }

    #[test]
    fn fields_have_their_name() {
        let subjects = HeaderLines::decode(SUBJECTS).unwrap();
        assert!(subjects.are_of("subject") && !subjects.are_of("Subj") && !subjects.are_of("From"));
        for text in [
            "Subject: a\n b\n",
            "Subject: a\nSubject: b\nSubject: c\n",
            "Subject: a\nTo: b\n",
            "",
        ] {
            let numbers = vec![3, 24];
            let damaged = HeaderLines {
                numbers,
                text: text.as_bytes(),
            };
            assert!(!damaged.are_of("Subject"), "{text}");
        }
        let spaced = HeaderLines {
            numbers: vec![1],
            text: b"To \t: x",
        };
        assert!(spaced.are_of("To") && HeaderLines::default().are_of("To"));
    }

    #[test]
    fn fields_are_merged_by_line() {
        let from = HeaderLines {
            numbers: vec![5],
            text: b"From: x\n",
        };
        let subjects = HeaderLines::decode(SUBJECTS).unwrap();
        let merged = merge_header_lines(&[from, subjects, HeaderLines::default()]);
        assert_eq!(merged, b"Subject: a\n b\nFrom: x\nSubject: c\n");
    }
}
