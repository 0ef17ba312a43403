//! One mail's bytes, opened when they are first needed.

use std::io::{self, Read, SeekFrom};

use mailbox::{Error, Mail, ReadSeek};
use message::transfer::Decoder;
use message::{Found, Message, Section, field};

use crate::output::Rows;

/// Bytes printed at once.
const CHUNK: usize = 16 << 10;

/// Why a field could not be printed.
pub enum Trouble {
    /// The store could not open the mail.
    Store(Error),
    /// It could not be read.
    Read(io::Error),
    /// Nobody takes what is printed.
    Output(io::Error),
}

/// A mail.
pub struct Reader<'m> {
    state: State<'m>,
    parsed: Option<Message>,
}

enum State<'m> {
    Closed(&'m mut dyn Mail),
    Open(Box<dyn ReadSeek + 'm>),
    Broken,
}

impl<'m> Reader<'m> {
    pub fn new(mail: &'m mut dyn Mail) -> Self {
        Self {
            state: State::Closed(mail),
            parsed: None,
        }
    }

    fn file(&mut self) -> Result<&mut (dyn ReadSeek + 'm), Trouble> {
        if let State::Closed(_) = self.state
            && let State::Closed(mail) = std::mem::replace(&mut self.state, State::Broken)
        {
            self.state = State::Open(mail.body().map_err(Trouble::Store)?);
        }
        match &mut self.state {
            State::Open(file) => Ok(&mut **file),
            _ => Err(Trouble::Store(Error::Expunged)),
        }
    }

    /// At its beginning.
    pub fn start(&mut self) -> Result<&mut (dyn ReadSeek + 'm), Trouble> {
        let file = self.file()?;
        file.rewind().map_err(Trouble::Read)?;
        Ok(file)
    }

    /// Bytes as stored.
    pub fn size(&mut self) -> Result<u64, Trouble> {
        self.file()?.seek(SeekFrom::End(0)).map_err(Trouble::Read)
    }

    /// Values of all header fields of this name.
    pub fn fields(&mut self, name: &[u8]) -> Result<Vec<Vec<u8>>, Trouble> {
        let wanted = |known: &[u8]| known.eq_ignore_ascii_case(name);
        let fields = field::read(self.start()?, wanted).map_err(Trouble::Read)?;
        Ok(fields.into_iter().map(|field| field.value).collect())
    }

    /// The tree of its parts.
    pub fn message(&mut self) -> Result<&Message, Trouble> {
        let message = match self.parsed.take() {
            Some(message) => message,
            None => message::parse(self.start()?).map_err(Trouble::Read)?,
        };
        Ok(self.parsed.insert(message))
    }

    fn header_size(&mut self) -> Result<u64, Trouble> {
        let size = field::header_size(self.start()?).map_err(Trouble::Read)?;
        Ok(size.physical)
    }

    /// The header as stored, with the empty line behind it.
    pub fn print_header(&mut self, rows: &mut dyn Rows) -> Result<(), Trouble> {
        let size = self.header_size()?;
        print(&mut self.start()?.take(size), rows)
    }

    /// What is behind the header.
    pub fn print_body(&mut self, rows: &mut dyn Rows) -> Result<(), Trouble> {
        let size = self.header_size()?;
        let file = self.file()?;
        file.seek(SeekFrom::Start(size)).map_err(Trouble::Read)?;
        print(file, rows)
    }

    /// All of it.
    pub fn print_all(&mut self, rows: &mut dyn Rows) -> Result<(), Trouble> {
        print(self.start()?, rows)
    }

    /// `BODY[section]`
    pub fn print_section(&mut self, section: &Section, rows: &mut dyn Rows) -> Result<(), Trouble> {
        let found = self.message()?.section(section);
        let mut section = found.open(self.start()?).map_err(Trouble::Read)?;
        print(&mut section, rows)
    }

    /// The same without transfer encoding, where the section is the body of a part.
    pub fn print_binary(&mut self, section: &Section, rows: &mut dyn Rows) -> Result<(), Trouble> {
        let message = self.message()?;
        let found = message.section(section);
        let part = message.find_part(&section.path);
        let part = part.filter(|_| section.what == message::What::All && !section.path.is_empty());
        let encoding = part.map(|part| message.part(part).encoding);
        let Some(encoding) = encoding.filter(|_| matches!(found, Found::Span(_))) else {
            return self.print_section(section, rows);
        };
        let mut section = found.open(self.start()?).map_err(Trouble::Read)?;
        let mut decoder = Decoder::new(encoding);
        let mut decoded = Vec::new();
        pieces(&mut section, |piece| {
            decoder.feed(piece, &mut decoded);
            let printed = rows.piece(&decoded).map_err(Trouble::Output);
            decoded.clear();
            printed
        })?;
        decoder.finish(&mut decoded);
        rows.piece(&decoded).map_err(Trouble::Output)?;
        rows.end().map_err(Trouble::Output)
    }
}

/// Prints a long value.
fn print(source: &mut (impl Read + ?Sized), rows: &mut dyn Rows) -> Result<(), Trouble> {
    pieces(source, |piece| rows.piece(piece).map_err(Trouble::Output))?;
    rows.end().map_err(Trouble::Output)
}

/// Reads to the end.
pub fn pieces(
    source: &mut (impl Read + ?Sized),
    mut take: impl FnMut(&[u8]) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match source.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => take(chunk.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::Read(error)),
        }
    }
}
