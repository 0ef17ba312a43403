//! SEARCH in the text of messages: RFC 3501 §6.4.4 HEADER, BODY and TEXT, as Dovecot understands them.
//!
//! A key is found where it is part of the decoded text, see [`crate::fold`]. BODY looks into parts that are text or
//! message/*, but not into headers; TEXT also into the headers of all parts. What is before the first boundary and after
//! the last one is in neither. Parts are never joined.

use std::io::{self, Read, Seek, SeekFrom};

use memchr::memmem::Finder;

use crate::charset::CharsetDecoder;
use crate::field;
use crate::fold;
use crate::part::{Message, Part};
use crate::size::Span;
use crate::transfer::Decoder;
use crate::words;

/// Bytes of a body read at once.
const CHUNK: usize = 32 * 1024;

/// A text to look for.
#[derive(Clone, Debug)]
pub struct Needle {
    finder: Finder<'static>,
}

impl Needle {
    /// Takes the key as the client sent it, in UTF-8.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self {
            finder: Finder::new(&fold::fold(key)).into_owned(),
        }
    }

    /// Is it part of this text?
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.finder.find(&fold::fold(text)).is_some()
    }

    /// Is it part of this header field's value, as [`field::clean`] tells it? Encoded words are decoded.
    #[must_use]
    pub fn is_in_field(&self, value: &[u8]) -> bool {
        self.is_in(&words::decode(value))
    }

    fn len(&self) -> usize {
        self.finder.needle().len()
    }
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// BODY.
    Body,
    /// TEXT.
    Text,
}

/// Looks for several texts in one pass over the stored message; answers for each whether it is there.
///
/// # Errors
/// Those of `source`.
pub fn find<R: Read + Seek>(
    mut source: R,
    message: &Message,
    scope: Scope,
    needles: &[Needle],
) -> io::Result<Vec<bool>> {
    let mut search = Search::new(needles);
    for id in message.part_ids() {
        if search.is_done() {
            break;
        }
        let part = message.part(id);
        if scope == Scope::Text {
            search.header(&mut source, part.header)?;
        }
        if part.is_searchable() {
            search.body(&mut source, part, part.charset.of(&message.arena))?;
        }
    }
    Ok(search.found())
}

/// All keys, and what of the text may still become a match.
struct Search<'n> {
    streams: Vec<Stream<'n>>,
}

struct Stream<'n> {
    needle: &'n Needle,
    found: bool,
    pending: Vec<u8>,
}

impl<'n> Search<'n> {
    fn new(needles: &'n [Needle]) -> Self {
        // The empty text is everywhere.
        let stream = |needle: &'n Needle| Stream {
            needle,
            found: needle.len() == 0,
            pending: Vec::new(),
        };
        Self {
            streams: needles.iter().map(stream).collect(),
        }
    }

    fn is_done(&self) -> bool {
        self.streams.iter().all(|stream| stream.found)
    }

    fn found(&self) -> Vec<bool> {
        self.streams.iter().map(|stream| stream.found).collect()
    }

    fn header<R: Read + Seek>(&mut self, source: &mut R, header: Span) -> io::Result<()> {
        source.seek(SeekFrom::Start(header.start))?;
        for field in field::read(source.take(header.size.physical), |_| true)? {
            let name = String::from_utf8_lossy(&field.name);
            self.text(&format!("{name}: {}\r\n", words::decode(&field.value)));
            self.end_text();
        }
        Ok(())
    }

    fn body<R: Read + Seek>(
        &mut self,
        source: &mut R,
        part: &Part,
        charset: &[u8],
    ) -> io::Result<()> {
        source.seek(SeekFrom::Start(part.body.start))?;
        let mut body = source.take(part.body.size.physical);
        let mut transfer = Decoder::new(part.encoding);
        let mut charset = CharsetDecoder::new(charset);
        let (mut chunk, mut bytes, mut text) = (vec![0; CHUNK], Vec::new(), String::new());
        while !self.is_done() {
            let len = body.read(&mut chunk)?;
            if len == 0 {
                transfer.finish(&mut bytes);
                charset.feed(&bytes, &mut text);
                charset.finish(&mut text);
                self.text(&text);
                break;
            }
            transfer.feed(chunk.get(..len).unwrap_or_default(), &mut bytes);
            charset.feed(&bytes, &mut text);
            self.text(&text);
            bytes.clear();
            text.clear();
        }
        self.end_text();
        Ok(())
    }

    fn text(&mut self, text: &str) {
        let mut folded = Vec::with_capacity(text.len());
        fold::append_folded(text, &mut folded);
        for stream in self.streams.iter_mut().filter(|stream| !stream.found) {
            stream.feed(&folded);
        }
    }

    /// What comes next is another text.
    fn end_text(&mut self) {
        for stream in &mut self.streams {
            stream.look();
            stream.pending.clear();
        }
    }
}

impl Stream<'_> {
    fn feed(&mut self, folded: &[u8]) {
        self.pending.extend_from_slice(folded);
        // Looking only when there is twice the key keeps long keys linear.
        if self.pending.len() >= 2 * self.needle.len() {
            self.look();
            let settled = self.pending.len().saturating_sub(self.needle.len());
            self.pending.drain(..settled);
        }
    }

    fn look(&mut self) {
        self.found = self.found || self.needle.finder.find(&self.pending).is_some();
    }
}
