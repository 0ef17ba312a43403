//! Some fields of a header: `HEADER.FIELDS` and `HEADER.FIELDS.NOT` of RFC 3501 §6.4.5.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek};

use crate::crlf::CrlfReader;
use crate::field::{Scanner, Sink};
use crate::size::Span;

/// Bytes of the header read at once.
const CHUNK: usize = 8 * 1024;

/// Which fields are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldNames {
    /// These, and the empty line, which is added where there is none.
    Only(BTreeSet<Vec<u8>>),
    /// All but these.
    Not(BTreeSet<Vec<u8>>),
}

impl FieldNames {
    /// `HEADER.FIELDS`.
    pub fn only<T: AsRef<[u8]>>(names: impl IntoIterator<Item = T>) -> Self {
        Self::Only(
            names
                .into_iter()
                .map(|name| name.as_ref().to_ascii_lowercase())
                .collect(),
        )
    }

    /// `HEADER.FIELDS.NOT`.
    pub fn not<T: AsRef<[u8]>>(names: impl IntoIterator<Item = T>) -> Self {
        Self::Not(
            names
                .into_iter()
                .map(|name| name.as_ref().to_ascii_lowercase())
                .collect(),
        )
    }

    fn wants(&self, name: &[u8]) -> bool {
        let name = name.to_ascii_lowercase();
        match self {
            Self::Only(names) => names.contains(&name),
            Self::Not(names) => !names.contains(&name),
        }
    }
}

/// Reads the wanted fields of a header as they are sent: CRLF line ends, no NUL.
#[derive(Debug)]
pub struct FieldFilter<R> {
    header: CrlfReader<R>,
    names: FieldNames,
    scanner: Scanner,
    wanted: Wanted,
    /// Bytes in `wanted` that were given out.
    given: usize,
    ended: bool,
    offset: u64,
    size: u64,
}

impl<R: Read + Seek> FieldFilter<R> {
    /// At the beginning of the answer. The header is read once here, to know its size.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn new(source: R, header: Span, names: FieldNames) -> io::Result<Self> {
        let header = CrlfReader::new(source, header)?;
        let wanted = Wanted {
            names: names.clone(),
            in_wanted: false,
            line_ended: true,
            out: Vec::new(),
        };
        let mut filter = Self {
            header,
            names,
            scanner: Scanner::default(),
            wanted,
            given: 0,
            ended: false,
            offset: 0,
            size: 0,
        };
        filter.size = io::copy(&mut filter, &mut io::sink())?;
        filter.rewind()?;
        Ok(filter)
    }

    /// The exact number of bytes of the answer.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Goes on at `offset` of the answer, or at its end.
    ///
    /// # Errors
    /// Those of the source.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        if offset < self.offset {
            self.rewind()?;
        }
        let ahead = offset - self.offset;
        io::copy(&mut self.by_ref().take(ahead), &mut io::sink())?;
        Ok(())
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.header.resume(crate::crlf::Position::default())?;
        self.scanner = Scanner::default();
        self.wanted.out.clear();
        self.wanted.line_ended = true;
        (self.given, self.ended, self.offset) = (0, false, 0);
        Ok(())
    }

    /// Reads until something is wanted or nothing is left.
    fn fill(&mut self) -> io::Result<()> {
        while self.given == self.wanted.out.len() && !self.ended {
            self.wanted.out.clear();
            self.given = 0;
            let mut chunk = [0; CHUNK];
            let len = self.header.read(&mut chunk)?;
            self.scanner
                .feed(chunk.get(..len).unwrap_or_default(), &mut self.wanted);
            if len == 0 {
                self.scanner.finish(&mut self.wanted);
                self.ended = true;
                if matches!(self.names, FieldNames::Only(_)) {
                    if !self.wanted.line_ended {
                        self.wanted.out.extend_from_slice(b"\r\n");
                    }
                    self.wanted.out.extend_from_slice(b"\r\n");
                }
            }
        }
        Ok(())
    }
}

impl<R: Read + Seek> Read for FieldFilter<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        let rest = self.wanted.out.get(self.given..).unwrap_or_default();
        let len = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..len), rest.get(..len)) {
            to.copy_from_slice(from);
        }
        self.given += len;
        self.offset += len as u64;
        Ok(len)
    }
}

#[derive(Debug)]
struct Wanted {
    names: FieldNames,
    in_wanted: bool,
    /// The latest wanted byte was a LF, or there is none.
    line_ended: bool,
    out: Vec<u8>,
}

impl Sink for Wanted {
    fn begin(&mut self, name: &[u8], start: &[u8]) {
        self.in_wanted = self.names.wants(name);
        self.value(start);
    }

    fn value(&mut self, bytes: &[u8]) {
        if self.in_wanted && !bytes.is_empty() {
            self.out.extend_from_slice(bytes);
            self.line_ended = self.out.ends_with(b"\n");
        }
    }

    fn end(&mut self) {}

    fn end_of_header(&mut self, line: &[u8]) {
        if matches!(self.names, FieldNames::Not(_)) {
            self.out.extend_from_slice(line);
        }
    }
}
