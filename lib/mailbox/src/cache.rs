//! What is known of a message without reading it, and how whoever had to read it shares what he has
//! learnt.
//!
//! ```text
//! let known = mail.cache().and_then(|cache| cache.ask(Asked::Envelope));   None: read the message,
//! …                                                                        answer, and then
//! mail.cache().learn(&lesson, &[Asked::Envelope])                          the next one need not
//! ```
//!
//! *Invariant:* a cache fails nobody. What it cannot read it does not know; what it cannot write costs
//! the next one time.

use std::io::{self, Read, Seek, SeekFrom};

use message::date::Date;
use message::{Message, field};

use crate::ReadSeek;

/// Longer headers are not learnt from, bytes.
const MAX_HEADER: u64 = 256 * 1024;

/// Something that sessions ask of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// What follows `ENVELOPE `. RFC 3501 §7.4.2.
    Envelope,
    /// What follows `BODY `.
    Body,
    /// What follows `BODYSTRUCTURE `.
    BodyStructure,
    /// Header fields by name, as they stand in the message and in their order there; line ends LF, no
    /// empty line.
    Fields(&'a [String]),
    /// The first Date field, as the cache has it; [`MailCache::sent`] tells what it says.
    Sent,
}

/// How much of a message must be read for what a cache lacks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lacks {
    /// It has all that anybody is likely to ask for.
    Nothing,
    /// The header.
    Header,
    /// All of it.
    Message,
}

/// What is cached about one message.
pub trait MailCache {
    /// Somebody asks. `None`: it is not known; nor is what is damaged.
    fn ask(&mut self, asked: Asked<'_>) -> Option<Vec<u8>>;

    /// The same about [`Asked::Sent`].
    fn sent(&mut self) -> Option<Date>;

    /// What is worth to be read of a message that nobody has asked for yet.
    fn lacks(&mut self) -> Lacks;

    /// The message was read: for what was `asked` in vain, and for what else it tells. Written later, in
    /// batches.
    fn learn(&mut self, lesson: &Lesson<'_>, asked: &[Asked<'_>]);
}

/// Has a message NULs? Few things can be cached of one that has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nuls {
    /// No.
    #[default]
    None,
    /// Yes.
    Some,
}

/// What somebody has read of a message.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// Its whole header as stored, with the empty line that ends it.
    pub header: &'a [u8],
    /// Its structure; `None`: only the header was read.
    pub message: Option<&'a Message>,
    /// In what was read.
    pub nuls: Nuls,
}

/// A lesson that was read for its own sake.
#[derive(Clone, Debug)]
pub struct Taken {
    header: Vec<u8>,
    message: Option<Message>,
    nuls: Nuls,
}

impl Taken {
    /// Reads the header, and all behind it if that is to be known, too. `None`: nothing can be cached of
    /// a header this long.
    ///
    /// # Errors
    /// Those of `body`.
    pub fn read(body: &mut dyn ReadSeek, lacks: Lacks) -> io::Result<Option<Self>> {
        body.rewind()?;
        let mut watch = NulWatch::new(&mut *body);
        let (message, size) = match lacks {
            Lacks::Message => {
                let message = message::parse(&mut watch)?;
                let size = message.root().header.size.physical;
                (Some(message), size)
            }
            Lacks::Header | Lacks::Nothing => (None, field::header_size(&mut watch)?.physical),
        };
        let whole = watch.nuls();
        let Some(header) = header(body, size)? else {
            return Ok(None);
        };
        // What was read behind the header was read by chance.
        let nuls = match message {
            Some(_) => whole,
            None => Nuls::of(&header),
        };
        Ok(Some(Self {
            header,
            message,
            nuls,
        }))
    }

    /// To learn from.
    #[must_use]
    pub fn lesson(&self) -> Lesson<'_> {
        Lesson {
            header: &self.header,
            message: self.message.as_ref(),
            nuls: self.nuls,
        }
    }
}

/// The header of a message, for a [`Lesson`]; `None`: nothing can be cached of one this long.
///
/// # Errors
/// Those of `body`.
pub fn header(body: &mut dyn ReadSeek, size: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(length) = usize::try_from(size).ok().filter(|_| size <= MAX_HEADER) else {
        return Ok(None);
    };
    let mut header = vec![0; length];
    body.seek(SeekFrom::Start(0))?;
    body.read_exact(&mut header)?;
    Ok(Some(header))
}

impl Nuls {
    /// In these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        match bytes.contains(&0) {
            true => Self::Some,
            false => Self::None,
        }
    }
}

/// Reads on and remembers whether there was a NUL.
#[derive(Debug)]
pub struct NulWatch<R> {
    inner: R,
    nuls: Nuls,
}

impl<R> NulWatch<R> {
    /// None seen yet.
    pub fn new(inner: R) -> Self {
        let nuls = Nuls::None;
        Self { inner, nuls }
    }

    /// Was there one in what was read?
    pub fn nuls(&self) -> Nuls {
        self.nuls
    }
}

impl<R: Read> Read for NulWatch<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        if Nuls::of(buf.get(..read).unwrap_or_default()) == Nuls::Some {
            self.nuls = Nuls::Some;
        }
        Ok(read)
    }
}

impl<R: Seek> Seek for NulWatch<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
