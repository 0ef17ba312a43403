//! One pass over a message: the tree of its parts with all sizes, and what FETCH says about them.
//!
//! Bytes are pushed in pieces of any size; nothing but the fields of interest is kept, so memory does not grow with the
//! message. Time grows with the message only, however deep it is nested: RFC 2046 §5.1 limits itself by [`crate::limits`].

mod boundary;
mod header;
mod tree;

use std::io::{self, Read};

use memchr::memmem::Finder;

use crate::part::Message;
use crate::size::Counter;
use boundary::{Boundaries, DECIDING, Delimiter};
use header::HeaderReader;
use tree::Tree;

/// Bytes that [`parse`] reads at once.
const CHUNK: usize = 64 * 1024;

/// Parses a whole message. A message is never wrong: what makes no sense is text.
///
/// # Errors
/// Only those of `reader`.
pub fn parse(mut reader: impl Read) -> io::Result<Message> {
    let mut parser = Parser::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(parser.finish()),
            Ok(len) => parser.feed(chunk.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Body,
    /// The rest of a boundary line; then a new part.
    Opening,
    /// The rest of a closing boundary line; then the epilogue.
    Closing,
}

/// Push parser of one message, for those who have the bytes passing by anyway; see [`parse`].
#[derive(Debug)]
pub struct Parser {
    stage: Stage,
    counter: Counter,
    boundaries: Boundaries,
    tree: Tree,
    header: HeaderReader,
    /// The beginning of a line, as long as it may become a boundary.
    line: Vec<u8>,
    /// The next byte begins a line.
    at_line_start: bool,
    /// Finds the lines that may be boundaries.
    line_dash: Finder<'static>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// At the beginning of a message.
    #[must_use]
    pub fn new() -> Self {
        let mut parser = Self {
            stage: Stage::Header,
            counter: Counter::default(),
            boundaries: Boundaries::default(),
            tree: Tree::default(),
            header: HeaderReader::default(),
            line: Vec::new(),
            at_line_start: true,
            line_dash: Finder::new(b"\n-"),
        };
        parser.begin_part();
        parser
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.stage {
                Stage::Opening | Stage::Closing => self.skip_line(rest),
                Stage::Header | Stage::Body if self.may_be_boundary(rest) => {
                    self.collect_line(rest)
                }
                Stage::Header => self.feed_header(rest),
                Stage::Body => self.feed_body(rest),
            };
        }
    }

    /// There is no more.
    #[must_use]
    pub fn finish(mut self) -> Message {
        let line = std::mem::take(&mut self.line);
        match self.boundaries.find(&line) {
            Some(delimiter) => self.boundary(&line, delimiter),
            None => self.content(&line),
        }
        while self.stage == Stage::Header {
            self.end_header();
        }
        let total = self.counter.total();
        self.header.into_message(self.tree.finish(total))
    }

    fn may_be_boundary(&self, rest: &[u8]) -> bool {
        let watching = self.at_line_start && !self.boundaries.is_empty() && !self.tree.is_full();
        watching && (!self.line.is_empty() || rest.first() == Some(&b'-'))
    }

    /// Collects the beginning of a line until it is clear whether it is a boundary.
    fn collect_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = DECIDING.saturating_sub(self.line.len()).min(bytes.len());
        let window = bytes.get(..room).unwrap_or(bytes);
        let line_end = memchr::memchr(b'\n', window);
        let (taken, rest) = bytes
            .split_at_checked(line_end.unwrap_or(room))
            .unwrap_or((bytes, &[]));
        self.line.extend_from_slice(taken);
        let second = self.line.get(1).is_some_and(|&byte| byte != b'-');
        if line_end.is_none() && !second && self.line.len() < DECIDING {
            return rest;
        }
        let mut line = std::mem::take(&mut self.line);
        self.at_line_start = false;
        match self.boundaries.find(&line) {
            Some(delimiter) => self.boundary(&line, delimiter),
            None => self.content(&line),
        }
        line.clear();
        self.line = line;
        rest
    }

    /// Bytes that are no boundary.
    fn content(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.stage {
                Stage::Header => self.feed_header(rest),
                _ => self.feed_body(rest),
            };
        }
    }

    /// A boundary line begins with `line`.
    fn boundary(&mut self, line: &[u8], delimiter: Delimiter) {
        while self.stage == Stage::Header {
            self.end_header();
        }
        self.tree.close_below(delimiter.depth, &self.counter);
        self.boundaries
            .close(delimiter.depth + usize::from(!delimiter.closing));
        self.stage = if delimiter.closing {
            Stage::Closing
        } else {
            Stage::Opening
        };
        self.counter.add(line);
    }

    fn skip_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(line_end) = memchr::memchr(b'\n', bytes) else {
            self.counter.add(bytes);
            return &[];
        };
        let (line, rest) = bytes.split_at_checked(line_end + 1).unwrap_or((bytes, &[]));
        self.counter.add(line);
        self.at_line_start = true;
        if self.stage == Stage::Opening {
            self.stage = Stage::Header;
            self.begin_part();
        } else {
            self.stage = Stage::Body;
            self.tree.begin_text(&self.counter);
        }
        rest
    }

    /// Header bytes, one line at most, since the next one may be a boundary.
    fn feed_header<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        self.counter.add(line);
        self.at_line_start = line.ends_with(b"\n");
        self.header.feed(line);
        if self.header.is_done() {
            self.end_header();
        }
        rest
    }

    /// Body bytes up to the next line that may be a boundary.
    fn feed_body<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let end = if self.boundaries.is_empty() || self.tree.is_full() {
            bytes.len()
        } else {
            self.line_dash.find(bytes).map_or(bytes.len(), |at| at + 1)
        };
        let (body, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        self.counter.add(body);
        self.at_line_start = body.ends_with(b"\n");
        rest
    }

    fn begin_part(&mut self) {
        let context = self.tree.open(&self.counter);
        self.header.begin(context);
    }

    /// The header of the innermost part ends here; what it says decides how the body is read.
    fn end_header(&mut self) {
        self.stage = Stage::Body;
        let described = self.header.end(self.tree.room());
        let boundary = self.tree.end_header(described, &self.counter);
        if let Some((depth, boundary)) = boundary {
            self.boundaries.open(depth, &boundary);
        }
        if self.tree.expects_message() {
            self.stage = Stage::Header;
            self.begin_part();
        }
    }
}
