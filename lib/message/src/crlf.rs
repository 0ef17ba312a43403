//! A stretch of a stored message as clients get it: every line ends in CRLF (RFC 3501 §2.2), and NUL, which no literal
//! may contain (RFC 3501 §4.3), is 0x80 as from Dovecot.

use std::io::{self, Read, Seek, SeekFrom};

use crate::size::Span;

/// Bytes read at once.
const CHUNK: usize = 32 * 1024;

/// Where a [`CrlfReader`] stands, to go on there later without reading what is before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bytes of the span that were sent.
    pub virtual_offset: u64,
    /// Bytes of the span that were read for it.
    pub physical_offset: u64,
    /// What of the last line end was sent.
    last: Last,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Other,
    /// A CR that was stored.
    Cr,
    /// A CR that was not stored; its LF comes next.
    AddedCr,
}

/// Reads a span of a stored message with CRLF line ends.
#[derive(Debug)]
pub struct CrlfReader<R> {
    source: R,
    span: Span,
    at: Position,
    buffer: Vec<u8>,
    /// What of the buffer is not used yet.
    used: usize,
}

impl<R: Read + Seek> CrlfReader<R> {
    /// At the beginning of `span`.
    ///
    /// # Errors
    /// `source` cannot seek.
    pub fn new(source: R, span: Span) -> io::Result<Self> {
        let mut reader = Self {
            source,
            span,
            at: Position::default(),
            buffer: Vec::new(),
            used: 0,
        };
        reader.resume(Position::default())?;
        Ok(reader)
    }

    /// How many bytes come from the whole span.
    pub fn size(&self) -> u64 {
        self.span.size.virtual_size
    }

    /// Where the next byte comes from.
    pub fn position(&self) -> Position {
        self.at
    }

    /// Goes on at a position of an earlier reader of the same span.
    ///
    /// # Errors
    /// `source` cannot seek.
    pub fn resume(&mut self, position: Position) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(
            self.span.start.saturating_add(position.physical_offset),
        ))?;
        self.at = position;
        self.buffer.clear();
        self.used = 0;
        Ok(())
    }

    /// Goes on at `offset` of what is sent. Where all line ends are stored as CRLF this is one seek; else everything from
    /// the current position (or from the beginning, to go back) is read.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let offset = offset.min(self.size());
        if self.span.size.virtual_size == self.span.size.physical {
            return self.resume(Position {
                virtual_offset: offset,
                physical_offset: offset,
                last: Last::Cr,
            });
        }
        if offset < self.at.virtual_offset {
            self.resume(Position::default())?;
        }
        let mut skipped = [0; CHUNK];
        while self.at.virtual_offset < offset {
            let wanted = usize::try_from(offset - self.at.virtual_offset)
                .unwrap_or(CHUNK)
                .min(CHUNK);
            if self.read(skipped.get_mut(..wanted).unwrap_or_default())? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// The reader of the message again.
    pub fn into_inner(self) -> R {
        self.source
    }

    /// Makes sure that there is input, if any is left in the span.
    fn fill(&mut self) -> io::Result<()> {
        if self.used < self.buffer.len() {
            return Ok(());
        }
        let left = self
            .span
            .size
            .physical
            .saturating_sub(self.at.physical_offset);
        self.buffer
            .resize(usize::try_from(left).unwrap_or(CHUNK).min(CHUNK), 0);
        self.used = 0;
        let len = loop {
            match self.source.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.buffer.truncate(len);
        Ok(())
    }
}

impl<R: Read + Seek> Read for CrlfReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        self.fill()?;
        let input = self.buffer.get(self.used..).unwrap_or_default();
        let (taken, written) = convert(input, out, &mut self.at.last);
        self.used += taken;
        self.at.physical_offset += taken as u64;
        self.at.virtual_offset += written as u64;
        Ok(written)
    }
}

/// Copies lines as far as there is room. Answers how much was taken and written.
fn convert(input: &[u8], out: &mut [u8], last: &mut Last) -> (usize, usize) {
    let (mut taken, mut written) = (0, 0);
    while let (Some(input), Some(out)) = (input.get(taken..), out.get_mut(written..)) {
        let Some(&first) = input.first() else { break };
        let Some(slot) = out.first_mut() else { break };
        if first == b'\n' {
            let added = *last == Last::Other;
            *slot = if added { b'\r' } else { b'\n' };
            *last = if added { Last::AddedCr } else { Last::Other };
            taken += usize::from(!added);
            written += 1;
            continue;
        }
        let line = memchr::memchr(b'\n', input)
            .unwrap_or(input.len())
            .min(out.len());
        if let (Some(from), Some(to)) = (input.get(..line), out.get_mut(..line)) {
            to.copy_from_slice(from);
            hide_nul(to);
            *last = if from.ends_with(b"\r") {
                Last::Cr
            } else {
                Last::Other
            };
        }
        taken += line;
        written += line;
    }
    (taken, written)
}

/// NUL becomes 0x80.
pub(crate) fn hide_nul(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(0, rest) {
        let Some((nul, tail)) = rest.get_mut(at..).and_then(<[u8]>::split_first_mut) else {
            return;
        };
        *nul = 0x80;
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::size::Counter;

    const STORED: &[u8] = b"skip a\n\r\nb\r\rc\0\n\n\r\nd\r";
    const SENT: &[u8] = b"a\r\n\r\nb\r\rc\x80\r\n\r\n\r\nd\r";

    fn reader() -> CrlfReader<Cursor<&'static [u8]>> {
        let mut counter = Counter::default();
        counter.add(&STORED[5..]);
        CrlfReader::new(
            Cursor::new(STORED),
            Span {
                start: 5,
                size: counter.total(),
            },
        )
        .unwrap()
    }

    #[test]
    fn line_ends_are_crlf_whatever_the_size_of_reads() {
        for size in 1..SENT.len() + 2 {
            let mut reader = reader();
            let mut sent = Vec::new();
            let mut piece = vec![0; size];
            while let len @ 1.. = reader.read(&mut piece).unwrap() {
                sent.extend_from_slice(&piece[..len]);
            }
            assert_eq!(sent, SENT);
            assert_eq!(reader.size(), SENT.len() as u64);
        }
    }

    #[test]
    fn any_offset_can_be_skipped_to_and_resumed_at() {
        for offset in 0..=SENT.len() {
            let mut first = reader();
            first.skip_to(offset as u64).unwrap();
            let mut second = reader();
            second.resume(first.position()).unwrap();
            for mut reader in [first, second] {
                let mut sent = Vec::new();
                reader.read_to_end(&mut sent).unwrap();
                assert_eq!(sent, SENT[offset..], "at {offset}");
            }
        }
    }
}
