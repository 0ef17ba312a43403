//! The tree of MIME parts of one message (RFC 2045, RFC 2046), in the order of their headers.

use crate::size::{Size, Span};
use crate::text::{Piece, Texts};
use crate::transfer::Encoding;

/// What the body of a part is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// text/*, and parts without a usable Content-Type.
    #[default]
    Text,
    /// multipart/* with a boundary: the body consists of parts.
    Multipart,
    /// message/rfc822: the body is one message, the only child.
    Message,
    /// Everything else: images, applications, other kinds of message.
    Other,
    /// A container beyond [`crate::limits`]: nobody looks inside.
    Overflow,
}

/// Names a part of one [`Message`]; 0 is the message itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId(pub(crate) usize);

impl PartId {
    /// The message itself.
    pub const ROOT: Self = Self(0);
}

/// One part: its header, its body, and what the header says about the body.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The header with the empty line that ends it (when it has one).
    pub header: Span,
    /// Everything up to the line end before the boundary.
    pub body: Span,
    /// What the body is made of.
    pub kind: Kind,
    /// A multipart/digest: its children are messages unless they say otherwise (RFC 2046 §5.1.5).
    pub(crate) digest: bool,
    /// Its Content- fields count (RFC 2045 §4), or it is part of something whose do.
    pub(crate) mime: bool,
    /// How the body is encoded.
    pub encoding: Encoding,
    /// Text, or a kind of message: SEARCH looks into it.
    pub(crate) searchable: bool,
    pub(crate) charset: Piece,
    pub(crate) parent: Option<PartId>,
    /// The part after the last descendant.
    pub(crate) end: usize,
    pub(crate) texts: Texts,
}

/// One message: its parts and what FETCH says about them. Never empty: part 0 is the message itself.
#[derive(Clone, Debug)]
pub struct Message {
    pub(crate) root: Part,
    /// Parts 1 and later; part `n` is at `n - 1`.
    pub(crate) rest: Vec<Part>,
    /// What [`Texts`] point into.
    pub(crate) arena: Vec<u8>,
}

impl Message {
    /// The message itself as a part.
    #[must_use]
    pub fn root(&self) -> &Part {
        &self.root
    }

    /// A part of this message; the message itself for an id that came from another one.
    #[must_use]
    pub fn part(&self, id: PartId) -> &Part {
        id.0.checked_sub(1)
            .and_then(|index| self.rest.get(index))
            .unwrap_or(&self.root)
    }

    /// Number of parts, at least 1.
    #[must_use]
    pub fn part_count(&self) -> usize {
        1 + self.rest.len()
    }

    /// Every part, in the order of their headers.
    pub fn part_ids(&self) -> impl Iterator<Item = PartId> + use<> {
        (0..self.part_count()).map(PartId)
    }

    /// The charset of a part's text as its Content-Type names it; empty where it does not.
    #[must_use]
    pub fn charset(&self, id: PartId) -> &[u8] {
        self.part(id).charset.of(&self.arena)
    }

    /// The children of a part, in order.
    pub fn children(&self, id: PartId) -> impl Iterator<Item = PartId> + '_ {
        let end = self.part(id).end;
        let first = Some(id.0 + 1).filter(|&next| next < end);
        std::iter::successors(first, move |&child| {
            Some(self.part(PartId(child)).end.max(child + 1)).filter(|&next| next < end)
        })
        .map(PartId)
    }

    /// The part that contains this one; none for the message itself.
    #[must_use]
    pub fn parent(&self, id: PartId) -> Option<PartId> {
        self.part(id).parent
    }

    /// The size of the whole message; its `virtual_size` is RFC822.SIZE (RFC 3501 §2.3.4).
    #[must_use]
    pub fn size(&self) -> Size {
        self.span().size
    }

    /// The whole message.
    #[must_use]
    pub fn span(&self) -> Span {
        self.root.span()
    }
}

impl Part {
    /// Does SEARCH look into the body itself? Containers have their parts for that.
    #[must_use]
    pub fn is_searchable(&self) -> bool {
        self.searchable
    }

    /// A multipart/digest? RFC 2046 §5.1.5.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.digest
    }

    /// Do its Content- fields count, or those of what it is part of? RFC 2045 §4.
    #[must_use]
    pub fn is_mime(&self) -> bool {
        self.mime
    }

    /// Header and body together.
    #[must_use]
    pub fn span(&self) -> Span {
        let (header, body) = (self.header.size, self.body.size);
        Span {
            start: self.header.start,
            size: Size {
                physical: header.physical.saturating_add(body.physical),
                virtual_size: header.virtual_size.saturating_add(body.virtual_size),
                lines: header.lines.saturating_add(body.lines),
            },
        }
    }
}
