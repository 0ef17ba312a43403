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

use std::io::{self, Read};

use message::date::Date;
use message::{Message, Size, field};

/// Longer headers are not learnt from, bytes.
const MAX_HEADER: usize = 256 * 1024;

/// Something that sessions ask of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// What follows `ENVELOPE `. RFC 3501 §7.4.2.
    Envelope,
    /// What follows `BODY `.
    Body,
    /// What follows `BODYSTRUCTURE `.
    BodyStructure,
    /// Header fields by name: what `BODY[HEADER.FIELDS (…)]` sends, with the empty line.
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

    /// The same about [`Asked::Sent`]; 1970 where there is none, or nothing of sense.
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

/// What was read of a message, kept to learn from.
#[derive(Clone, Debug)]
pub struct Taken {
    /// See [`Lesson`].
    pub header: Vec<u8>,
    /// See [`Lesson`].
    pub message: Option<Message>,
    /// See [`Lesson`].
    pub nuls: Nuls,
}

impl Taken {
    /// Reads as much as a cache lacks. `None`: nothing is cached of a header this long.
    ///
    /// # Errors
    /// Those of `body`.
    pub fn read(body: impl Read, lacks: Lacks) -> io::Result<Option<Self>> {
        let mut watch = Watch::new(body);
        if lacks < Lacks::Message {
            let size = field::header_size(&mut watch)?;
            return Ok(watch.seen.header(size));
        }
        let message = message::parse(&mut watch)?;
        let nuls = watch.seen.nuls();
        let header = watch.seen.header(message.root().header.size);
        Ok(header.map(|header| Self {
            message: Some(message),
            nuls,
            ..header
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

/// How a message begins, and whether there was a NUL in it.
#[derive(Debug, Default)]
pub struct Seen {
    start: Vec<u8>,
    nuls: Nuls,
}

impl Seen {
    /// The next bytes.
    pub fn see(&mut self, bytes: &[u8]) {
        if Nuls::of(bytes) == Nuls::Some {
            self.nuls = Nuls::Some;
        }
        let room = MAX_HEADER.saturating_sub(self.start.len()).min(bytes.len());
        self.start.extend(bytes.get(..room).unwrap_or_default());
    }

    /// Was there one?
    #[must_use]
    pub fn nuls(&self) -> Nuls {
        self.nuls
    }

    /// How long the header is; `None`: nothing is cached of one this long.
    #[must_use]
    pub fn header_size(&self) -> Option<Size> {
        let size = field::header_size(self.start.as_slice()).ok()?;
        (size.physical < MAX_HEADER as u64).then_some(size)
    }

    /// The header, which is this long and was seen. What is behind it is not looked at. `None`: nothing
    /// is cached of one this long.
    #[must_use]
    pub fn header(mut self, size: Size) -> Option<Taken> {
        let length = usize::try_from(size.physical).ok();
        let length = length.filter(|length| *length <= self.start.len())?;
        self.start.truncate(length);
        Some(Taken {
            nuls: Nuls::of(&self.start),
            header: self.start,
            message: None,
        })
    }
}

/// Reads on and remembers.
#[derive(Debug)]
pub struct Watch<R> {
    inner: R,
    /// What was read.
    pub seen: Seen,
}

impl<R> Watch<R> {
    /// At the beginning of a message.
    pub fn new(inner: R) -> Self {
        let seen = Seen::default();
        Self { inner, seen }
    }
}

impl<R: Read> Read for Watch<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.seen.see(buf.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"Subject: a\nTo: b\n\nbody\0\n";

    #[test]
    fn no_more_is_taken_than_the_cache_lacks() {
        let header = Taken::read(MESSAGE, Lacks::Header).unwrap().unwrap();
        assert_eq!(header.header, b"Subject: a\nTo: b\n\n");
        assert!(header.message.is_none() && header.nuls == Nuls::None);
        let message = Taken::read(MESSAGE, Lacks::Message).unwrap().unwrap();
        assert_eq!(message.header, header.header);
        let size = message.message.as_ref().unwrap().size().physical;
        assert_eq!((size, message.nuls), (MESSAGE.len() as u64, Nuls::Some));
    }

    #[test]
    fn endless_headers_are_not_kept() {
        let long = vec![b'x'; MAX_HEADER + 1];
        for lacks in [Lacks::Header, Lacks::Message] {
            assert!(Taken::read(long.as_slice(), lacks).unwrap().is_none());
        }
        let fits = &long[..MAX_HEADER];
        assert!(Taken::read(fits, Lacks::Header).unwrap().is_some());
    }
}
