//! A message put together from its stored body and its attachments. FORMATS.md §3.3.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sys::fs::FsFile;

use crate::attachment::{AttachmentDir, Encoding, ExternalRef};
use crate::body::{Body, io_error, sought};
use crate::damage::Damage;
use crate::file::Message;

/// Lines of base64 made at once, at least.
const LINES: u64 = 256;

/// The complete message.
#[derive(Debug)]
pub(crate) struct Joined {
    stored: Box<Body>,
    refs: Vec<ExternalRef>,
    dir: AttachmentDir,
    len: u64,
    position: u64,
    /// The attachment that was read last.
    open: Option<(usize, Attachment)>,
}

impl Joined {
    pub(crate) fn new(
        stored: Body,
        refs: Vec<ExternalRef>,
        message: &Message,
        dir: AttachmentDir,
    ) -> Result<Self, Damage> {
        let outside: u64 = refs.iter().map(|found| found.size).sum();
        let wrong = |what| Damage::wrong(message.body.saturating_add(message.stored), what);
        let known = stored.known_len();
        let len = match known {
            Some(inside) => inside.checked_add(outside),
            None => Some(message.plain_size()),
        };
        let len = len.ok_or(wrong("size with attachments"))?;
        let ends = refs.last().map_or(0, |last| last.offset + last.size);
        if len != message.plain_size() || ends > len {
            return Err(wrong("size with attachments"));
        }
        Ok(Self {
            stored: Box::new(stored),
            refs,
            dir,
            len,
            position: 0,
            open: None,
        })
    }

    /// The attachment at a place of the message, or how far the stored body goes from there on, and
    /// where in it that is.
    fn piece(&self) -> Piece {
        let next = self
            .refs
            .partition_point(|found| found.offset.saturating_add(found.size) <= self.position);
        let outside: u64 = self.refs.iter().take(next).map(|found| found.size).sum();
        match self.refs.get(next) {
            Some(found) if found.offset <= self.position => Piece::Attachment(next),
            found => Piece::Stored {
                at: self.position.saturating_sub(outside),
                len: found
                    .map_or(self.len, |found| found.offset)
                    .saturating_sub(self.position),
            },
        }
    }

    fn read_stored(&mut self, buf: &mut [u8], at: u64, len: u64) -> io::Result<usize> {
        let wanted = usize::try_from(len).unwrap_or(usize::MAX).min(buf.len());
        self.stored.seek(SeekFrom::Start(at))?;
        let read = self
            .stored
            .read(buf.get_mut(..wanted).unwrap_or_default())?;
        match read {
            0 => Err(damaged("ends before the metadata say")),
            read => Ok(read),
        }
    }

    fn read_attachment(&mut self, buf: &mut [u8], index: usize) -> io::Result<usize> {
        let found = self.refs.get(index).ok_or(ErrorKind::InvalidInput)?.clone();
        if self.open.as_ref().is_none_or(|(open, _)| *open != index) {
            self.check_lines(index, &found)?;
            let file = self.dir.open(&found).map_err(io_error)?;
            self.open = Some((index, Attachment::new(file, &found)?));
        }
        let Some((_, attachment)) = &mut self.open else {
            return Err(ErrorKind::InvalidInput.into());
        };
        attachment.read_at(buf, self.position.saturating_sub(found.offset))
    }

    /// An attachment is the body of a MIME part: it stands behind an empty line, and one in base64 before
    /// the end of a line. An offset that is wrong would otherwise make another message of this one.
    fn check_lines(&mut self, index: usize, found: &ExternalRef) -> io::Result<()> {
        let outside: u64 = self.refs.iter().take(index).map(|found| found.size).sum();
        let inside = found.offset.saturating_sub(outside);
        let mut before = Vec::new();
        for at in inside.saturating_sub(3)..inside {
            before.extend(self.stored_byte(at)?);
        }
        if inside > 0 && !before.ends_with(b"\n\n") && !before.ends_with(b"\n\r\n") {
            return Err(damaged("has an attachment that follows no header"));
        }
        let is_base64 = found.encoding != Encoding::Verbatim;
        match self.stored_byte(inside)? {
            Some(b'\r' | b'\n') | None => Ok(()),
            Some(_) if !is_base64 => Ok(()),
            Some(_) => Err(damaged("has an attachment before a line")),
        }
    }

    fn stored_byte(&mut self, at: u64) -> io::Result<Option<u8>> {
        let mut byte = [0];
        self.stored.seek(SeekFrom::Start(at))?;
        match self.stored.read(&mut byte)? {
            0 => Ok(None),
            _ => Ok(byte.first().copied()),
        }
    }
}

enum Piece {
    Attachment(usize),
    Stored { at: u64, len: u64 },
}

impl Read for Joined {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || self.position >= self.len {
            return Ok(0);
        }
        let read = match self.piece() {
            Piece::Attachment(index) => self.read_attachment(buf, index)?,
            Piece::Stored { at, len } => self.read_stored(buf, at, len)?,
        };
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Joined {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = sought(to, self.position, self.len)?;
        Ok(self.position)
    }
}

/// An attachment's file, as the message has it.
#[derive(Debug)]
struct Attachment {
    file: FsFile,
    decoded: u64,
    encoded: u64,
    encoding: Encoding,
    /// Encoded bytes, and where they begin.
    made: (u64, Vec<u8>),
}

impl Attachment {
    fn new(file: FsFile, found: &ExternalRef) -> io::Result<Self> {
        let decoded = file.stat().map_err(io_error)?.size;
        let encoded = match found.encoding {
            Encoding::Verbatim => Some(decoded),
            Encoding::Base64 { line, crlf } => base64_len(decoded, line, crlf),
        };
        if encoded != Some(found.size) {
            let what = format!("{}: is not as long as its message says", found.path);
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        Ok(Self {
            file,
            decoded,
            encoded: found.size,
            encoding: found.encoding,
            made: (0, Vec::new()),
        })
    }

    fn read_at(&mut self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let Encoding::Base64 { line, crlf } = self.encoding else {
            let left = usize::try_from(self.encoded.saturating_sub(at)).unwrap_or(usize::MAX);
            let wanted = left.min(buf.len());
            let read = self
                .file
                .read_at(buf.get_mut(..wanted).unwrap_or_default(), at);
            return some(read.map_err(io_error)?);
        };
        let at_made = |made: &(u64, Vec<u8>)| {
            let skip = usize::try_from(at.checked_sub(made.0)?).ok()?;
            (skip < made.1.len()).then_some(skip)
        };
        if at_made(&self.made).is_none() {
            self.make(at, line, crlf)?;
        }
        let skip = at_made(&self.made).unwrap_or(usize::MAX);
        let from = self.made.1.get(skip..).unwrap_or_default();
        let read = from.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..read), from.get(..read)) {
            to.copy_from_slice(from);
        }
        some(read)
    }

    /// Encodes the lines from the one at `at` on.
    fn make(&mut self, at: u64, line: u32, crlf: bool) -> io::Result<()> {
        let end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
        let (line, raw) = (u64::from(line), u64::from(line) / 4 * 3);
        let first = at / (line + end.len() as u64);
        let start = first * raw;
        let len = (LINES * raw).min(self.decoded.saturating_sub(start));
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        let mut file = self.file.clone();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut bytes)?;
        let raw = usize::try_from(raw).map_err(io::Error::other)?;
        let mut encoded = String::new();
        for (number, piece) in bytes.chunks(raw).enumerate() {
            if number > 0 || first > 0 {
                encoded.push_str(if crlf { "\r\n" } else { "\n" });
            }
            STANDARD.encode_string(piece, &mut encoded);
        }
        // The end of the line before belongs to this piece, save for the first one.
        let begins = first * (line + end.len() as u64);
        let begins = match first {
            0 => 0,
            _ => begins.saturating_sub(end.len() as u64),
        };
        self.made = (begins, encoded.into_bytes());
        Ok(())
    }
}

/// Nothing where there should be something: the file was cut meanwhile.
fn some(read: usize) -> io::Result<usize> {
    match read {
        0 => Err(damaged("ends before its message says")),
        read => Ok(read),
    }
}

/// Bytes of base64 in lines; the last line is not ended.
fn base64_len(decoded: u64, line: u32, crlf: bool) -> Option<u64> {
    let characters = decoded.div_ceil(3).checked_mul(4)?;
    let ends = characters.div_ceil(u64::from(line)).saturating_sub(1);
    characters.checked_add(ends.checked_mul(1 + u64::from(crlf))?)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("attachment: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(bytes: &[u8], line: usize, end: &str) -> String {
        let text = STANDARD.encode(bytes);
        let lines = text.as_bytes().chunks(line);
        let lines: Vec<&str> = lines.map(|l| std::str::from_utf8(l).unwrap()).collect();
        lines.join(end)
    }

    #[test]
    fn base64_comes_back_from_any_place() {
        let dir = tempfile::tempdir().unwrap();
        for (size, line, crlf) in [
            (1, 4, false),
            (100, 8, true),
            (60_000, 76, false),
            (57, 76, true),
        ] {
            let bytes: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0] ^ 0x5a).collect();
            let path = dir.path().join("a");
            std::fs::write(&path, &bytes).unwrap();
            let whole = encoded(&bytes, line, if crlf { "\r\n" } else { "\n" });
            let found = ExternalRef {
                offset: 0,
                size: whole.len() as u64,
                encoding: Encoding::Base64 {
                    line: u32::try_from(line).unwrap(),
                    crlf,
                },
                path: "a".to_owned(),
            };
            let file = sys::fs::Fs::real().open_read(&path).unwrap();
            let mut attachment = Attachment::new(file, &found).unwrap();
            let mut step = 0;
            while step < whole.len() {
                let mut buf = [0; 7];
                let read = attachment.read_at(&mut buf, step as u64).unwrap();
                assert_eq!(&buf[..read], &whole.as_bytes()[step..step + read]);
                step += if size > 1000 { 97 } else { 1 };
            }
        }
    }
}
