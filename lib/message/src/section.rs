//! What `BODY[section]` is: RFC 3501 §6.4.5, and Dovecot's answers where it is silent.

use std::io::{self, Read, Seek};

use crate::crlf::CrlfReader;
use crate::filter::{FieldFilter, FieldNames};
use crate::part::{Kind, Message, PartId};
use crate::size::Span;

/// The text between the brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Part numbers, as in `1.2`. Empty: the message itself.
    pub path: Vec<u32>,
    /// What of it.
    pub what: What,
}

/// The last word of a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum What {
    /// Nothing: the body of the part, or the whole message.
    #[default]
    All,
    /// `HEADER`, of the message or of a message/rfc822 part.
    Header,
    /// `HEADER.FIELDS (…)` and `HEADER.FIELDS.NOT (…)`.
    Fields(FieldNames),
    /// `TEXT`, the body of the message or of a message/rfc822 part.
    Text,
    /// `MIME`, the header of the part itself. Only with a path.
    Mime,
}

/// Where the bytes of a section are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// These bytes.
    Span(Span),
    /// Some fields of this header.
    Fields(Span, FieldNames),
    /// There is no such part: the answer is an empty string.
    Nothing,
}

impl Message {
    /// The part that a path leads to. A part that is not a multipart is its own part 1, once.
    #[must_use]
    pub fn find_part(&self, path: &[u32]) -> Option<PartId> {
        let mut id = PartId::ROOT;
        let mut numbers = path.iter().copied().peekable();
        let mut itself = false;
        while let Some(number) = numbers.next() {
            if self.part(id).kind == Kind::Multipart {
                let index = usize::try_from(number).ok()?.saturating_sub(1);
                id = self.children(id).nth(index)?;
                itself = false;
            } else if number == 1 && !itself {
                itself = true;
            } else {
                return None;
            }
            if self.part(id).kind == Kind::Message && numbers.peek().is_some() {
                id = self.children(id).next()?;
                itself = false;
            }
        }
        Some(id)
    }

    /// Looks a section up.
    #[must_use]
    pub fn section(&self, section: &Section) -> Found {
        let Some(part) = self.find_part(&section.path) else {
            return Found::Nothing;
        };
        let is_root = section.path.is_empty();
        let message = if is_root {
            Some(part)
        } else {
            self.message_in(part)
        };
        match (&section.what, message) {
            (What::All, _) if is_root => Found::Span(self.span()),
            (What::All, _) => Found::Span(self.part(part).body),
            (What::Mime, _) => Found::Span(self.part(part).header),
            (_, None) => Found::Nothing,
            (What::Header, Some(message)) => Found::Span(self.part(message).header),
            (What::Text, Some(message)) => Found::Span(self.part(message).body),
            (What::Fields(names), Some(message)) => {
                Found::Fields(self.part(message).header, names.clone())
            }
        }
    }

    /// The message that a message/rfc822 part contains.
    fn message_in(&self, id: PartId) -> Option<PartId> {
        (self.part(id).kind == Kind::Message).then(|| self.children(id).next())?
    }
}

/// The bytes of a section as they are sent: CRLF line ends, no NUL.
#[derive(Debug)]
pub enum SectionReader<R> {
    /// A stretch of the message.
    Span(CrlfReader<R>),
    /// Some fields of a header.
    Fields(FieldFilter<R>),
    /// Nothing at all.
    Empty,
}

impl Found {
    /// Opens the section in the stored message.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn open<R: Read + Seek>(&self, source: R) -> io::Result<SectionReader<R>> {
        Ok(match self {
            Self::Span(span) => SectionReader::Span(CrlfReader::new(source, *span)?),
            Self::Fields(span, names) => {
                SectionReader::Fields(FieldFilter::new(source, *span, names.clone())?)
            }
            Self::Nothing => SectionReader::Empty,
        })
    }
}

impl<R: Read + Seek> SectionReader<R> {
    /// The exact number of bytes of the whole section.
    pub fn size(&self) -> u64 {
        match self {
            Self::Span(reader) => reader.size(),
            Self::Fields(reader) => reader.size(),
            Self::Empty => 0,
        }
    }

    /// Goes on at `offset` of what is sent, or at the end: `BODY[]<offset.len>`. See [`CrlfReader::skip_to`].
    ///
    /// # Errors
    /// Those of the source.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        match self {
            Self::Span(reader) => reader.skip_to(offset),
            Self::Fields(reader) => reader.skip_to(offset),
            Self::Empty => Ok(()),
        }
    }
}

impl<R: Read + Seek> Read for SectionReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Span(reader) => reader.read(out),
            Self::Fields(reader) => reader.read(out),
            Self::Empty => Ok(0),
        }
    }
}
