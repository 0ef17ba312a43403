//! Reads the header of one part after the other and keeps what is needed of it.

use crate::content::Content;
use crate::envelope::Envelope;
use crate::field::{Scanner, Sink};
use crate::limits;
use crate::part::{Kind, Message, Part};
use crate::text::{Piece, Texts};
use crate::transfer::Encoding;

/// Where a header stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Context {
    /// At the beginning of the message or of a message/rfc822 body.
    #[default]
    Message,
    /// In a multipart.
    Part,
    /// In a multipart/digest.
    DigestPart,
}

/// Whether parts may be nested deeper, see [`limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    ForParts,
    Full,
}

/// What a complete header says.
#[derive(Debug)]
pub(super) struct Described {
    pub kind: Kind,
    pub digest: bool,
    pub mime: bool,
    pub boundary: Option<Vec<u8>>,
    pub encoding: Encoding,
    pub searchable: bool,
    pub charset: Piece,
    pub texts: Texts,
}

/// Reader of all headers of one message.
#[derive(Debug, Default)]
pub(super) struct HeaderReader {
    scanner: Scanner,
    fields: Fields,
    arena: Vec<u8>,
}

/// The header being read.
#[derive(Debug, Default)]
struct Fields {
    context: Context,
    content: Content,
    envelope: Envelope,
    mime_version: bool,
    name: Vec<u8>,
    /// The value so far, when the field is of interest.
    value: Option<Vec<u8>>,
    /// Bytes of values that were kept in the whole message.
    kept: usize,
}

impl HeaderReader {
    /// The next header begins.
    pub fn begin(&mut self, context: Context) {
        self.scanner = Scanner::default();
        self.fields = Fields {
            context,
            envelope: Envelope::with_used_addresses(self.fields.envelope.address_count()),
            kept: self.fields.kept,
            ..Fields::default()
        };
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.scanner.feed(bytes, &mut self.fields);
    }

    pub fn is_done(&self) -> bool {
        self.scanner.is_done()
    }

    /// The header is complete. Without room for more parts a container is opaque.
    pub fn end(&mut self, room: Room) -> Described {
        if !self.scanner.is_done() {
            self.scanner.finish(&mut self.fields);
        }
        let fields = &mut self.fields;
        let is_mime = fields.mime_version || fields.content.content_type.is_some();
        if fields.context == Context::Message && !is_mime {
            fields.content = Content::default();
        }
        let mut kind = match &fields.content.content_type {
            Some(content_type) => content_type.kind(),
            None if fields.context == Context::DigestPart => Kind::Message,
            None => Kind::Text,
        };
        if matches!(kind, Kind::Multipart | Kind::Message) && room == Room::Full {
            kind = Kind::Overflow;
        }
        let content_type = fields
            .content
            .content_type
            .as_ref()
            .filter(|_| kind == Kind::Multipart);
        let digest = content_type.is_some_and(|content_type| content_type.is_digest());
        let boundary = content_type
            .and_then(|content_type| content_type.param(b"boundary"))
            .map(<[u8]>::to_vec);
        let content = &fields.content;
        let charset = content
            .content_type
            .as_ref()
            .and_then(|content_type| content_type.param(b"charset"));
        Described {
            kind,
            digest,
            mime: is_mime || fields.context != Context::Message,
            boundary,
            encoding: content.encoding(),
            searchable: content.is_searchable(kind),
            charset: Piece::write(&mut self.arena, |out| {
                out.extend_from_slice(charset.unwrap_or_default())
            }),
            texts: self.texts(kind),
        }
    }

    fn texts(&mut self, kind: Kind) -> Texts {
        let (arena, content) = (&mut self.arena, &self.fields.content);
        let mut texts = Texts::default();
        if kind == Kind::Multipart {
            texts.basic = Piece::write(arena, |out| content.append_subtype(out));
            texts.extra = Piece::write(arena, |out| content.append_params(out));
        } else {
            texts.basic = Piece::write(arena, |out| content.append_basic(out, kind));
            texts.extra = Piece::write(arena, |out| content.append_md5(out));
        }
        texts.extension = Piece::write(arena, |out| content.append_extension(out));
        if self.fields.context == Context::Message {
            texts.envelope = Piece::write(arena, |out| self.fields.envelope.append_wire(out));
        }
        texts
    }

    /// All headers were read.
    pub fn into_message(self, parts: Vec<Part>) -> Message {
        let mut parts = parts.into_iter();
        Message {
            root: parts.next().unwrap_or_default(),
            rest: parts.collect(),
            arena: self.arena,
        }
    }
}

impl Sink for Fields {
    fn begin(&mut self, name: &[u8], _start: &[u8]) {
        let wanted = Content::wants(name)
            || name.eq_ignore_ascii_case(b"mime-version")
            || (self.context == Context::Message && Envelope::wants(name));
        self.value = wanted.then(Vec::new);
        self.name = if wanted { name.to_vec() } else { Vec::new() };
    }

    fn value(&mut self, bytes: &[u8]) {
        if let Some(value) = &mut self.value {
            let room = limits::HEADER_FIELD
                .saturating_sub(value.len())
                .min(limits::HEADERS.saturating_sub(self.kept));
            let kept = bytes.get(..room).unwrap_or(bytes);
            value.extend_from_slice(kept);
            self.kept += kept.len();
        }
    }

    fn end(&mut self) {
        let Some(raw) = self.value.take() else { return };
        let value = crate::field::clean(raw);
        if Content::wants(&self.name) {
            self.content.add(&self.name, &value);
        } else if self.name.eq_ignore_ascii_case(b"mime-version") {
            self.mime_version = true;
        } else {
            self.envelope.add(&self.name, &value);
        }
    }

    fn end_of_header(&mut self, _line: &[u8]) {}
}
