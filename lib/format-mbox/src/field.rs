//! Header fields: those that we manage, with their place in the file, and the rest in passing.
//!
//! A header may be of any size; what is held of it is bounded: [`LONGEST_VALUE`] bytes of each managed
//! field, [`MOST`] fields.

use sys::fs::FsResult;

use crate::digest::HeaderDigest;
use crate::window::Window;

/// A managed value longer than this is broken.
pub const LONGEST_VALUE: usize = 32 * 1024;

/// Further managed fields of one message are left alone, as if they were not managed.
pub const MOST: usize = 64;

/// Bytes of a line that may hold its name.
const LONGEST_NAME: usize = 1024;

/// The fields that hold what Maildir keeps in file names. FORMATS.md §5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bytes of the body.
    ContentLength,
    /// `R`, `O`
    Status,
    /// As [`Kind::ImapBase`]; makes a message that is none.
    Imap,
    /// UIDVALIDITY, last UID, keywords of the mailbox.
    ImapBase,
    /// Keywords of the message.
    Keywords,
    /// `A`, `F`, `T`, `D`
    XStatus,
    /// The message's UID.
    Uid,
}

impl Kind {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::ContentLength, "Content-Length"),
        (Self::Status, "Status"),
        (Self::Imap, "X-IMAP"),
        (Self::ImapBase, "X-IMAPbase"),
        (Self::Keywords, "X-Keywords"),
        (Self::XStatus, "X-Status"),
        (Self::Uid, "X-UID"),
    ];

    /// The field of this name.
    #[must_use]
    pub fn of(name: &[u8]) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        let found = names.find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()));
        found.map(|(kind, _)| *kind)
    }

    /// Its name as Dovecot writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let mut names = Self::NAMES.iter();
        names
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }
}

/// One managed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which.
    pub kind: Kind,
    /// Its first byte in the file.
    pub start: u64,
    /// Behind its last line's LF.
    pub end: u64,
    /// Without the last line end; lines inside are joined by LF. `None`: too long.
    pub value: Option<Vec<u8>>,
}

/// One line, told apart.
struct Line {
    name: Option<Vec<u8>>,
    /// Where the value begins.
    value: u64,
    /// Where it ends, line end left out.
    value_end: u64,
    /// Behind the LF.
    end: u64,
}

/// Reads the fields of one header, line by line.
pub struct FieldReader {
    fields: Vec<Field>,
    digest: HeaderDigest,
    /// The field whose lines may go on.
    open: Open,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    None,
    Managed,
    /// A managed one too many.
    Ignored,
    Other,
}

impl FieldReader {
    /// Nothing read yet.
    pub fn new(digest: HeaderDigest) -> Self {
        Self {
            fields: Vec::new(),
            digest,
            open: Open::None,
        }
    }

    /// What was found.
    pub fn finish(mut self) -> (Vec<Field>, [u8; 16]) {
        self.digest.end();
        (self.fields, self.digest.finish())
    }

    /// Takes the line at `start`, which ends behind `end`.
    ///
    /// # Errors
    /// The failed call.
    pub fn line(&mut self, window: &mut Window<'_>, start: u64, end: u64) -> FsResult<()> {
        let line = split(window, start, end)?;
        match &line.name {
            None => {}
            Some(name) => self.begin(name, start),
        }
        match self.open {
            Open::Managed => self.keep(window, &line),
            Open::Other => self.digest_line(window, &line),
            Open::None | Open::Ignored => Ok(()),
        }
    }

    fn begin(&mut self, name: &[u8], start: u64) {
        self.digest.end();
        self.open = match Kind::of(name) {
            Some(_) if self.fields.len() >= MOST => Open::Ignored,
            Some(kind) => {
                let value = Some(Vec::new());
                self.fields.push(Field {
                    kind,
                    start,
                    end: start,
                    value,
                });
                Open::Managed
            }
            None => {
                self.digest.begin(name);
                Open::Other
            }
        };
    }

    fn keep(&mut self, window: &mut Window<'_>, line: &Line) -> FsResult<()> {
        let Some(field) = self.fields.last_mut() else {
            return Ok(());
        };
        let is_first = field.end == field.start;
        field.end = line.end;
        let Some(value) = &mut field.value else {
            return Ok(());
        };
        if !is_first {
            value.push(b'\n');
        }
        let length = usize::try_from(line.value_end - line.value).unwrap_or(usize::MAX);
        if value.len().saturating_add(length) > LONGEST_VALUE {
            field.value = None;
            return Ok(());
        }
        let bytes = window.at(line.value, length)?;
        value.extend_from_slice(bytes.get(..length).unwrap_or(bytes));
        Ok(())
    }

    fn digest_line(&mut self, window: &mut Window<'_>, line: &Line) -> FsResult<()> {
        let mut at = line.value;
        while self.digest.wants() && at < line.value_end {
            let bytes = window.at(at, 1)?;
            let rest = usize::try_from(line.value_end - at).unwrap_or(usize::MAX);
            let piece = bytes.get(..rest).unwrap_or(bytes);
            if piece.is_empty() {
                break;
            }
            self.digest.add(piece);
            at += piece.len() as u64;
        }
        Ok(())
    }
}

/// Finds name and value of a line. A line that goes on another one has no name.
fn split(window: &mut Window<'_>, start: u64, end: u64) -> FsResult<Line> {
    let value_end = end - line_end_length(window, start, end)?;
    let length = usize::try_from(value_end - start).unwrap_or(usize::MAX);
    let bytes = window.at(start, length.min(LONGEST_NAME))?;
    let text = bytes.get(..length.min(LONGEST_NAME)).unwrap_or(bytes);
    if text.first().is_some_and(|first| b" \t".contains(first)) {
        return Ok(Line {
            name: None,
            value: start,
            value_end,
            end,
        });
    }
    let (name, value) = match memchr::memchr(b':', text) {
        Some(colon) => {
            let after = text.get(colon + 1..).unwrap_or_default();
            let blank = after
                .iter()
                .take_while(|byte| b" \t".contains(byte))
                .count();
            (text.get(..colon).unwrap_or_default(), colon + 1 + blank)
        }
        // Not even a header: it has a name nobody looks for.
        None => (text, text.len()),
    };
    let name = Some(name.trim_ascii_end().to_vec());
    Ok(Line {
        name,
        value: start + value as u64,
        value_end,
        end,
    })
}

/// 0, 1 or 2 bytes.
pub fn line_end_length(window: &mut Window<'_>, start: u64, end: u64) -> FsResult<u64> {
    let tail = end.saturating_sub(2).max(start);
    let bytes = window.at(tail, 2)?;
    let length = usize::try_from(end - tail).unwrap_or(2);
    Ok(match bytes.get(..length).unwrap_or(bytes) {
        b"\r\n" => 2,
        [.., b'\n'] => 1,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Md5Headers;

    fn read(header: &[u8]) -> Vec<Field> {
        let mut window = Window::new(&header, header.len() as u64);
        let mut reader = FieldReader::new(HeaderDigest::new(Md5Headers::Apop3d));
        let mut at = 0;
        while at < header.len() as u64 {
            let end = window.line_end(at).unwrap();
            reader.line(&mut window, at, end).unwrap();
            at = end;
        }
        reader.finish().0
    }

    #[test]
    fn fields_have_places_and_values() {
        let header =
            b"Subject: x\r\nx-uid : 12  \r\nStatus:RO\nX-Keywords: a\n\tb \nnonsense\nX-UIDs: 1\n";
        let found = read(header);
        let text = |field: &Field| String::from_utf8(field.value.clone().unwrap()).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|f| (f.kind, text(f), f.start, f.end))
            .collect();
        assert_eq!(
            found,
            [
                (Kind::Uid, "12  ".to_owned(), 12, 26),
                (Kind::Status, "RO".to_owned(), 26, 36),
                (Kind::Keywords, "a\n\tb ".to_owned(), 36, 54),
            ]
        );
    }

    #[test]
    fn hostile_headers_cost_little() {
        let long = [
            b"X-Keywords: ".to_vec(),
            vec![b'k'; 100_000],
            b"\n".to_vec(),
        ]
        .concat();
        assert_eq!(read(&long)[0].value, None);
        assert_eq!(read(&b"X-UID: 1\n".repeat(10_000)).len(), MOST);
    }
}
