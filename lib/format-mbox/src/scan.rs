//! Finding messages in an mbox file: where each begins and ends, and what its managed fields say.
//!
//! A message ends where a `From_` line follows an LF, or at the end of the file, whose last LF belongs to
//! no message (FORMATS.md §5.2). Content-Length, if such an end is where it says, overrules `From_`
//! lines in the body. Offsets are bytes from the beginning of the file. Memory does not grow with
//! messages, headers or lines.

use memchr::memmem::Finder;
use sys::fs::{FsError, FsResult};

use crate::digest::{HeaderDigest, Md5Headers};
use crate::field::{Field, FieldReader, Kind, line_end_length};
use crate::from_line;
use crate::window::{SIZE, Source, Window};

/// Stands for the `From ` of a message that is still being written: until its F is there it is none.
pub const UNFINISHED: &[u8] = b"\0rom ";

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The file does not begin with a `From_` line.
    #[error("not an mbox file")]
    NotMbox,
    /// There is no message where one was told to be.
    #[error("no message at byte {0}")]
    Lost(u64),
    /// The file cannot be read.
    #[error(transparent)]
    Fs(#[from] FsError),
}

/// One message in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The line end before its `From_` line, 0 for the first: what the index keeps.
    pub separator: u64,
    /// Its `From_` line.
    pub from: u64,
    /// Its header.
    pub header: u64,
    /// The empty line behind the header, or `body` where there is none.
    pub empty_line: u64,
    /// Its body.
    pub body: u64,
    /// Behind the last byte of its body.
    pub end: u64,
    /// From the `From_` line: UNIX time, seconds.
    pub received: i64,
    /// Managed fields, in their order.
    pub fields: Vec<Field>,
    /// See [`crate::digest`].
    pub md5: [u8; 16],
    /// What follows.
    pub next: Next,
}

/// What follows a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A message: its separator and its `From_` line.
    Message(u64, u64),
    /// The end of the file.
    End,
    /// A message that somebody died over: its `From_` line.
    Unfinished(u64),
}

/// Walks through one file, which must not change meanwhile.
pub struct Scanner<'s> {
    window: Window<'s>,
    headers: Md5Headers,
    finder: Finder<'static>,
}

/// What a header is, and where it ends.
struct Header {
    empty_line: u64,
    body: u64,
    /// A `From_` line was found instead of the body.
    cut: bool,
}

impl<'s> Scanner<'s> {
    /// Of the first `len` bytes of `source`.
    pub fn new(source: &'s dyn Source, len: u64, headers: Md5Headers) -> Self {
        let finder = Finder::new(b"\nFrom ");
        Self {
            window: Window::new(source, len),
            headers,
            finder,
        }
    }

    /// What the file begins with.
    ///
    /// # Errors
    /// [`ScanError::NotMbox`]
    pub fn begin(&mut self) -> Result<Next, ScanError> {
        if self.window.len() == 0 {
            return Ok(Next::End);
        }
        if self.received(0)?.is_some() {
            return Ok(Next::Message(0, 0));
        }
        if self.is_unfinished(0)? {
            return Ok(Next::Unfinished(0));
        }
        Err(ScanError::NotMbox)
    }

    /// What stands at `separator`, which the index or the end of another message told.
    ///
    /// # Errors
    /// The failed call.
    pub fn at_separator(&mut self, separator: u64) -> Result<Option<Next>, ScanError> {
        if separator == 0 {
            return match self.begin() {
                Ok(next) => Ok(Some(next)),
                Err(ScanError::NotMbox) => Ok(None),
                Err(error) => Err(error),
            };
        }
        Ok(self.boundary(separator)?)
    }

    /// The message whose `From_` line is at `from`.
    ///
    /// # Errors
    /// [`ScanError::Lost`]: there is none.
    pub fn message(&mut self, separator: u64, from: u64) -> Result<Message, ScanError> {
        let received = self.received(from)?.ok_or(ScanError::Lost(from))?;
        let header = self.window.line_end(from)?;
        let mut reader = FieldReader::new(HeaderDigest::new(self.headers));
        let ends = self.header(header, &mut reader)?;
        let (mut fields, md5) = reader.finish();
        if let Some(last) = fields.last_mut() {
            // Its line end may be the separator.
            last.end = last.end.min(ends.body);
        }
        let mut message = Message {
            separator,
            from,
            header,
            empty_line: ends.empty_line,
            body: ends.body,
            end: ends.body,
            received,
            fields,
            md5,
            next: Next::End,
        };
        self.find_end(&mut message, &ends)?;
        Ok(message)
    }

    fn header(&mut self, start: u64, reader: &mut FieldReader) -> FsResult<Header> {
        let mut at = start;
        loop {
            let end = self.window.line_end(at)?;
            let line_end = line_end_length(&mut self.window, at, end)?;
            if line_end > 0 && end - at == line_end {
                return Ok(Header {
                    empty_line: at,
                    body: end,
                    cut: false,
                });
            }
            if end == at || (at > start && self.received(at)?.is_some()) {
                // No empty line: the last line end is no part of the header either.
                let before = at.saturating_sub(2).max(start);
                let body = at - line_end_length(&mut self.window, before, at)?;
                return Ok(Header {
                    empty_line: body,
                    body,
                    cut: true,
                });
            }
            reader.line(&mut self.window, at, end)?;
            at = end;
        }
    }

    fn find_end(&mut self, message: &mut Message, header: &Header) -> FsResult<()> {
        if header.cut {
            message.next = self.boundary(message.body)?.unwrap_or(Next::End);
            return Ok(());
        }
        if let Some(length) = content_length(&message.fields)
            && let Some(end) = message.body.checked_add(length)
            && end < self.window.len()
            && let Some(next) = self.boundary(end)?
        {
            (message.end, message.next) = (end, next);
            return Ok(());
        }
        // From the line end before the empty line on: that one may be the separator itself.
        (message.end, message.next) = self.search(message.empty_line)?;
        if message.end < message.body {
            message.body = message.end;
            message.empty_line = message.end;
        }
        Ok(())
    }

    /// The first place from `start` on where a message ends.
    fn search(&mut self, start: u64) -> FsResult<(u64, Next)> {
        let mut at = start;
        loop {
            let bytes = self.window.at(at, SIZE)?;
            let len = bytes.len() as u64;
            let Some(found) = self.finder.find(bytes) else {
                if at + len >= self.window.len() || len == 0 {
                    return self.file_end(start);
                }
                // Five bytes may be the beginning of a From_ line.
                at += len.saturating_sub(5).max(1);
                continue;
            };
            let line_feed = at + found as u64;
            let separator = self.with_carriage_return(line_feed, start)?;
            if let Some(next @ Next::Message(..)) = self.boundary(separator)? {
                return Ok((separator, next));
            }
            at = line_feed + 1;
        }
    }

    /// The last line end of a file belongs to no message.
    fn file_end(&mut self, start: u64) -> FsResult<(u64, Next)> {
        let len = self.window.len();
        let line_end = line_end_length(&mut self.window, start.min(len), len)?;
        Ok((len - line_end, Next::End))
    }

    fn with_carriage_return(&mut self, line_feed: u64, start: u64) -> FsResult<u64> {
        if line_feed <= start {
            return Ok(line_feed);
        }
        let is_crlf = self.window.at(line_feed - 1, 1)?.first() == Some(&b'\r');
        Ok(line_feed - u64::from(is_crlf))
    }

    /// What begins behind the line end at `at`; `None`: no message ends here.
    fn boundary(&mut self, at: u64) -> FsResult<Option<Next>> {
        let rest = self.window.len().saturating_sub(at);
        let line_end = match self.window.at(at, 2)? {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            _ => return Ok(None),
        };
        let from = at + line_end;
        if rest == line_end {
            return Ok(Some(Next::End));
        }
        if self.received(from)?.is_some() {
            return Ok(Some(Next::Message(at, from)));
        }
        let unfinished = self.is_unfinished(from)?;
        Ok(unfinished.then_some(Next::Unfinished(from)))
    }

    /// The date of the `From_` line at `from`, if there is one.
    fn received(&mut self, from: u64) -> FsResult<Option<i64>> {
        if !self.window.at(from, 5)?.starts_with(b"From ") {
            return Ok(None);
        }
        let bytes = self.window.at(from, from_line::LONGEST)?;
        let bytes = bytes.get(..from_line::LONGEST).unwrap_or(bytes);
        let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
        let line = bytes.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(from_line::parse(line).map(|line| line.received))
    }

    fn is_unfinished(&mut self, from: u64) -> FsResult<bool> {
        Ok(self
            .window
            .at(from, UNFINISHED.len())?
            .starts_with(UNFINISHED))
    }
}

/// The first Content-Length that is a number.
#[must_use]
pub fn content_length(fields: &[Field]) -> Option<u64> {
    let mut lengths = fields
        .iter()
        .filter(|field| field.kind == Kind::ContentLength);
    lengths.find_map(|field| {
        let digits = field.value.as_deref()?.trim_ascii_end();
        std::str::from_utf8(digits)
            .ok()
            .filter(|digits| !digits.starts_with('+'))?
            .parse()
            .ok()
    })
}

#[cfg(test)]
mod tests;
