//! One mail's bytes, and where in them things are. No more of a mail is read than an answer needs: nothing for BODY[],
//! the header for what is in it, everything only for MIME parts.

use std::io::{self, Seek, SeekFrom};

use mailbox::cache::{Taken, Watch};
use mailbox::{Lesson, ReadSeek, Uid};
use message::{Envelope, Found, Message, Position, Section, Size, Span, What, field};

/// A parsed message of more parts than this is parsed anew each time rather than kept.
const MAX_REMEMBERED_PARTS: usize = 64;

/// What the next FETCH may need again: clients fetch large parts in pieces, one command each.
#[derive(Default)]
pub struct Remembered {
    uid: Option<Uid>,
    parsed: Option<Message>,
    /// Where the last piece ended: start of the span, and position in it.
    piece: Option<(u64, Position)>,
}

impl Remembered {
    /// Forgets other mails than this one.
    pub fn only(&mut self, uid: Uid) {
        if self.uid != Some(uid) {
            *self = Self {
                uid: Some(uid),
                ..Self::default()
            };
        }
    }

    /// Where to go on in this span, if that is not behind `offset`.
    pub fn position(&self, span: Span, offset: u64) -> Option<Position> {
        let (start, position) = self.piece?;
        (start == span.start && position.virtual_offset <= offset).then_some(position)
    }

    /// Remembers where a piece ended.
    pub fn ended(&mut self, span: Span, position: Position) {
        self.piece = Some((span.start, position));
    }
}

/// Why a mail could not be read, before anything of it was sent.
pub enum Trouble {
    /// By the store.
    Store(mailbox::Error),
    /// After the store had opened it.
    Read(io::Error),
}

impl From<mailbox::Error> for Trouble {
    fn from(error: mailbox::Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// One open mail.
pub struct Source<'m> {
    file: Box<dyn ReadSeek + 'm>,
    /// RFC822.SIZE.
    size: u64,
    header: Option<Span>,
    parsed: Option<Message>,
    learnt: Learnt,
}

/// What was read now, for the cache to learn from.
enum Learnt {
    /// Nothing that it could.
    Nothing,
    /// The header.
    Header(Taken),
    /// All; the parsed message belongs to it.
    Message(Taken),
}

/// What is left of an open mail.
pub struct Closed {
    parsed: Option<Message>,
    learnt: Learnt,
}

impl Closed {
    /// For the cache.
    pub fn lesson(&self) -> Option<Lesson<'_>> {
        match &self.learnt {
            Learnt::Nothing => None,
            Learnt::Header(taken) => Some(taken.lesson()),
            Learnt::Message(taken) => Some(Lesson {
                message: self.parsed.as_ref(),
                ..taken.lesson()
            }),
        }
    }

    /// Gives back what the next FETCH may need.
    pub fn remember(self, remembered: &mut Remembered) {
        remembered.parsed = self
            .parsed
            .filter(|message| message.part_count() <= MAX_REMEMBERED_PARTS);
    }
}

impl<'m> Source<'m> {
    /// `size`: RFC822.SIZE as the store knows it.
    pub fn new(file: Box<dyn ReadSeek + 'm>, size: u64, remembered: &mut Remembered) -> Self {
        Self {
            file,
            size,
            header: None,
            parsed: remembered.parsed.take(),
            learnt: Learnt::Nothing,
        }
    }

    /// Closes the mail.
    pub fn close(self) -> Closed {
        Closed {
            parsed: self.parsed,
            learnt: self.learnt,
        }
    }

    /// The stored bytes.
    pub fn file(&mut self) -> &mut (dyn ReadSeek + 'm) {
        &mut *self.file
    }

    /// ENVELOPE's list.
    pub fn envelope(&mut self) -> io::Result<Vec<u8>> {
        if let Some(message) = &self.parsed {
            let mut out = Vec::new();
            message.write_envelope(&mut out)?;
            return Ok(out);
        }
        self.header()?;
        if let Learnt::Header(taken) = &self.learnt {
            return Ok(Envelope::read(taken.header.as_slice())?.to_wire());
        }
        self.file.rewind()?;
        Ok(Envelope::read(&mut self.file)?.to_wire())
    }

    /// The whole tree of parts.
    pub fn message(&mut self) -> io::Result<&Message> {
        let message = match self.parsed.take() {
            Some(message) => message,
            None => {
                self.file.rewind()?;
                let mut watch = Watch::new(&mut self.file);
                let message = message::parse(&mut watch)?;
                let nuls = watch.seen.nuls();
                let header = watch.seen.header(message.root().header.size);
                self.learnt = header.map_or(Learnt::Nothing, |header| {
                    Learnt::Message(Taken { nuls, ..header })
                });
                message
            }
        };
        Ok(self.parsed.insert(message))
    }

    /// Where a section is.
    pub fn find(&mut self, section: &Section) -> io::Result<Found> {
        if !section.path.is_empty() || self.parsed.is_some() {
            return Ok(self.message()?.section(section));
        }
        Ok(match &section.what {
            What::All => Found::Span(self.whole()?),
            What::Header => Found::Span(self.header()?),
            What::Fields(names) => Found::Fields(self.header()?, names.clone()),
            What::Text => Found::Span(self.text()?),
            What::Mime => Found::Nothing,
        })
    }

    fn whole(&mut self) -> io::Result<Span> {
        let physical = self.file.seek(SeekFrom::End(0))?;
        Ok(Span {
            start: 0,
            size: Size {
                physical,
                virtual_size: self.size,
                lines: 0,
            },
        })
    }

    /// All behind the header. Where the store's size is wrong this is, too, and the answer fails rather than lies.
    fn text(&mut self) -> io::Result<Span> {
        let (whole, header) = (self.whole()?, self.header()?);
        Ok(Span {
            start: header.end(),
            size: whole.size.since(header.size),
        })
    }

    /// The header with the empty line that ends it.
    fn header(&mut self) -> io::Result<Span> {
        if let Some(header) = self.header {
            return Ok(header);
        }
        self.file.rewind()?;
        let mut watch = Watch::new(&mut self.file);
        let size = field::header_size(&mut watch)?;
        let header = watch.seen.header(size);
        self.learnt = header.map_or(Learnt::Nothing, Learnt::Header);
        let header = Span { start: 0, size };
        self.header = Some(header);
        Ok(header)
    }
}
