//! Writing managed fields: the block of a new message, that of one that changes, the pseudo message.
//!
//! The block ends with spaces in X-Keywords (else X-UID, else X-IMAP), so that later changes fit in
//! place, as Dovecot makes them.

use mailbox::{Flags, Keyword, LineEnds};

use crate::field::Kind;
use crate::from_line;
use crate::keywords::Keywords;
use crate::marks::{Base, status_letters};

/// Spaces for later changes.
pub const PADDING: usize = 50;

/// Keywords beyond so many bytes go on in another line.
const WRAP: usize = 1000;

/// What the managed fields of a message shall say.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'w> {
    /// First message only: X-IMAPbase, and the mailbox's keywords for it.
    pub base: Option<(Base, &'w [Keyword])>,
    /// `None`: a pseudo message.
    pub uid: Option<u32>,
    /// Without `\Recent`.
    pub flags: Flags,
    /// Some session has seen it.
    pub is_old: bool,
    /// `None`: no X-Keywords.
    pub keywords: Option<Vec<&'w str>>,
    /// Bytes of the body.
    pub content_length: Option<u64>,
    /// Letters of others in Status and X-Status.
    pub strange: [&'w [u8]; 2],
    /// Of the new lines.
    pub line_ends: LineEnds,
}

impl<'w> Wanted<'w> {
    /// Names of keywords by their numbers.
    #[must_use]
    pub fn names(keywords: &'w Keywords, numbers: &[usize]) -> Vec<&'w str> {
        let names = numbers
            .iter()
            .filter_map(|number| keywords.names().get(*number));
        names.map(Keyword::as_str).collect()
    }

    /// The lines, filled up with spaces to `length` bytes if they are shorter.
    #[must_use]
    pub fn block(&self, length: usize) -> Vec<u8> {
        let mut block = Block {
            bytes: Vec::new(),
            pad_at: 0,
            line_ends: self.line_ends,
        };
        if let Some((base, keywords)) = self.base {
            let kind = if self.uid.is_none() {
                Kind::Imap
            } else {
                Kind::ImapBase
            };
            let numbers = format!("{} {:010}", base.uid_validity, base.last_uid);
            let names = keywords.iter().map(Keyword::as_str);
            block.line(kind, &words(std::iter::once(numbers.as_str()).chain(names)));
        }
        if let Some(uid) = self.uid {
            block.line(Kind::Uid, uid.to_string().as_bytes());
        }
        let mut pad_at = block.bytes.len();
        let [strange, x_strange] = self.strange;
        let mut status = status_letters(Kind::Status, self.flags);
        status.extend(self.is_old.then_some(b'O'));
        status.extend_from_slice(strange);
        block.line(Kind::Status, &status);
        let x_status = [&status_letters(Kind::XStatus, self.flags), x_strange].concat();
        if !x_status.is_empty() {
            block.line(Kind::XStatus, &x_status);
        }
        if let Some(keywords) = &self.keywords {
            block.line(Kind::Keywords, &words(keywords.iter().copied()));
            pad_at = block.bytes.len();
        }
        block.pad_at = pad_at;
        if let Some(content_length) = self.content_length {
            block.line(Kind::ContentLength, content_length.to_string().as_bytes());
        }
        block.finish(length)
    }
}

struct Block {
    bytes: Vec<u8>,
    /// Behind the line that gets the spaces.
    pad_at: usize,
    line_ends: LineEnds,
}

impl Block {
    fn line(&mut self, kind: Kind, value: &[u8]) {
        self.bytes.extend_from_slice(kind.name().as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(line_end(self.line_ends));
    }

    fn finish(mut self, length: usize) -> Vec<u8> {
        let spaces = length.saturating_sub(self.bytes.len());
        let at = self.pad_at.saturating_sub(line_end(self.line_ends).len());
        self.bytes.splice(at..at, std::iter::repeat_n(b' ', spaces));
        self.bytes
    }
}

/// As bytes.
#[must_use]
pub fn line_end(line_ends: LineEnds) -> &'static [u8] {
    match line_ends {
        LineEnds::Lf => b"\n",
        LineEnds::Crlf => b"\r\n",
    }
}

fn words<'w>(words: impl Iterator<Item = &'w str>) -> Vec<u8> {
    let mut text = Vec::new();
    let mut line = 0;
    for word in words {
        if text.len() - line >= WRAP {
            text.extend_from_slice(b"\n\t");
            line = text.len();
        } else if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(word.as_bytes());
    }
    text
}

/// What stands in a file without messages, so that UIDVALIDITY and the last UID are not lost with the
/// index. The subject is the one by which other programs know not to show it.
#[must_use]
pub fn pseudo_message(base: Base, keywords: &[Keyword], now: i64) -> Vec<u8> {
    let wanted = Wanted {
        base: Some((base, keywords)),
        is_old: true,
        flags: Flags::SEEN,
        ..Wanted::default()
    };
    let mut message = from_line::compose(b"MAILER-DAEMON", now);
    message.extend_from_slice(b"From: Mail System Internal Data <MAILER-DAEMON>\n");
    message.extend_from_slice(b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n");
    message.extend(wanted.block(0));
    message.extend_from_slice(
        b"\nMail programs keep the numbers of this mailbox in this message while there is\n\
          no other one. They do not show it.\n\n",
    );
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_dovecot_writes_them() {
        let keywords = [Keyword::new("$Work").unwrap(), Keyword::new("b").unwrap()];
        let wanted = Wanted {
            base: Some((
                Base {
                    uid_validity: 7,
                    last_uid: 12,
                },
                &keywords,
            )),
            uid: Some(12),
            flags: Flags::SEEN.with(Flags::FLAGGED),
            is_old: true,
            keywords: Some(vec!["b"]),
            content_length: Some(352),
            ..Wanted::default()
        };
        let text = "X-IMAPbase: 7 0000000012 $Work b\nX-UID: 12\nStatus: RO\nX-Status: F\n\
                    X-Keywords: b   \nContent-Length: 352\n";
        assert_eq!(String::from_utf8(wanted.block(text.len())).unwrap(), text);
        assert_eq!(wanted.block(0).len(), text.len() - 3);
    }

    #[test]
    fn spaces_go_where_they_are_looked_for() {
        let wanted = Wanted {
            uid: Some(3),
            line_ends: LineEnds::Crlf,
            ..Wanted::default()
        };
        assert_eq!(wanted.block(24), b"X-UID: 3    \r\nStatus: \r\n");
        let long: Vec<String> = (0..400).map(|n| format!("keyword{n}")).collect();
        let wanted = Wanted {
            keywords: Some(long.iter().map(String::as_str).collect()),
            ..wanted
        };
        let block = wanted.block(0);
        assert!(
            block
                .split(|byte| *byte == b'\n')
                .all(|line| line.len() < 1100)
        );
    }
}
