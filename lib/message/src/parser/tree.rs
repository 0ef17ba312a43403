//! The parts that are complete and those that are open.

use super::header::{Context, Described, Room};
use crate::limits;
use crate::part::{Kind, Part, PartId};
use crate::size::{Counter, Size, Span};

/// A part whose end has not come yet.
#[derive(Debug)]
struct Open {
    part: usize,
    header_start: Size,
    /// None as long as the header goes on.
    body_start: Option<Size>,
    /// Where text begins: after the header, or after the boundary line that ended the latest child.
    text_start: Option<Size>,
    /// The empty line after the header belongs to the boundary that follows at once.
    header_end: Option<Size>,
}

/// The tree as it grows. The root is open until the end.
#[derive(Debug, Default)]
pub(super) struct Tree {
    parts: Vec<Part>,
    /// The innermost part last; its index is its depth.
    open: Vec<Open>,
}

impl Tree {
    /// No more parts are taken.
    pub fn is_full(&self) -> bool {
        self.parts.len() >= limits::MIME_PARTS
    }

    /// A new part begins within the innermost one.
    pub fn open(&mut self, counter: &Counter) -> Context {
        let parent = self.open.last().map(|open| open.part);
        let container = parent.and_then(|parent| self.parts.get(parent));
        let context = match container.map(|part| (part.kind, part.digest)) {
            Some((Kind::Multipart, true)) => Context::DigestPart,
            Some((Kind::Multipart, false)) => Context::Part,
            _ => Context::Message,
        };
        self.open.push(Open {
            part: self.parts.len(),
            header_start: counter.total(),
            body_start: None,
            text_start: None,
            header_end: None,
        });
        self.parts.push(Part {
            parent: parent.map(PartId),
            ..Part::default()
        });
        context
    }

    /// The header of the innermost part is complete. A boundary to watch for is returned with its depth.
    pub fn end_header(
        &mut self,
        described: Described,
        counter: &Counter,
    ) -> Option<(usize, Vec<u8>)> {
        let depth = self.open.len().checked_sub(1)?;
        let open = self.open.last_mut()?;
        open.body_start = Some(counter.total());
        open.text_start = open.body_start;
        let part = self.parts.get_mut(open.part)?;
        part.kind = described.kind;
        part.digest = described.digest;
        part.mime = described.mime;
        part.encoding = described.encoding;
        part.searchable = described.searchable;
        part.charset = described.charset;
        part.texts = described.texts;
        described.boundary.map(|boundary| (depth, boundary))
    }

    /// May the innermost part have children?
    pub fn room(&self) -> Room {
        if self.open.len() < limits::MIME_DEPTH && !self.is_full() {
            Room::ForParts
        } else {
            Room::Full
        }
    }

    /// The innermost part consists of one message, which begins here.
    pub fn expects_message(&self) -> bool {
        self.open
            .last()
            .and_then(|open| self.parts.get(open.part))
            .is_some_and(|part| part.kind == Kind::Message)
    }

    /// A boundary line of the multipart at `depth` begins: what is deeper has ended before the line end before it.
    pub fn close_below(&mut self, depth: usize, counter: &Counter) {
        if self.open.len() <= depth + 1 {
            return;
        }
        let (here, before) = (counter.total(), counter.before_line_end());
        let has_body = self
            .open
            .last()
            .is_some_and(|open| open.text_start.is_some_and(|start| start != here));
        if !has_body {
            self.shorten_header(before, here);
        }
        let end = if has_body { before } else { here };
        while self.open.len() > depth + 1 {
            self.close(end);
        }
    }

    /// The line of a closing boundary is complete: text follows.
    pub fn begin_text(&mut self, counter: &Counter) {
        if let Some(open) = self.open.last_mut() {
            open.text_start = Some(counter.total());
        }
    }

    /// A part without a body: the line end belongs to its header. An empty message has none, so it is taken from around it.
    fn shorten_header(&mut self, before: Size, here: Size) {
        for open in self.open.iter_mut().rev() {
            if open.header_start != here {
                let empty = open.body_start == Some(here);
                open.header_end = empty.then_some(before);
                return;
            }
        }
    }

    fn close(&mut self, end: Size) {
        let count = self.parts.len();
        let Some(open) = self.open.pop() else { return };
        let Some(part) = self.parts.get_mut(open.part) else {
            return;
        };
        let body_start = open.body_start.unwrap_or(end);
        part.header = Span::between(open.header_start, open.header_end.unwrap_or(body_start));
        part.body = Span::between(body_start, end);
        part.end = count;
    }

    /// The message is complete; all parts, the root first.
    pub fn finish(mut self, total: Size) -> Vec<Part> {
        while !self.open.is_empty() {
            self.close(total);
        }
        self.parts
    }
}
