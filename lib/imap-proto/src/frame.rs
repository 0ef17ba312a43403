//! Where does a command end? An incremental decoder of lines and literals. RFC 3501 §2.2.1, §4.3; RFC 7888.

use crate::command::{Command, Tag};
use crate::literal::{self, Sync, Tail};

/// How many bytes of one command are kept, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a command outside its literals, line ends included.
    pub line: usize,
    /// Bytes of one literal.
    pub literal: usize,
    /// Bytes of all literals of one command together.
    pub literals: usize,
}

impl Limits {
    /// Before authentication: 8 KiB of line, 4 KiB per literal, and no more than two such literals.
    pub const PRE_AUTH: Self = Self {
        line: 8 << 10,
        literal: 4 << 10,
        literals: 8 << 10,
    };

    /// After authentication, with `line` from `imap_max_line_length`. Literals other than APPEND's message hold names
    /// and search strings: they get as much again.
    pub const fn session(line: usize) -> Self {
        Self {
            line,
            literal: line,
            literals: line,
        }
    }
}

/// What becomes of the message literal of APPEND.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// It is a literal as any other (before authentication, where APPEND is refused anyway).
    Buffered,
    /// The decoder stops in front of it: [`Event::Message`].
    Streamed,
}

/// What the bytes fed so far amount to.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// All input is taken, the command has not ended: feed more.
    Incomplete,
    /// A complete command (or, from [`Decoder::feed_line`], a complete line).
    Command(Command),
    /// The client waits: send `+ OK`, then feed on.
    NeedContinuation {
        /// Bytes that will come.
        size: u64,
    },
    /// The message of an APPEND follows: `size` bytes that are the caller's to read from its stream. For [`Sync::Waits`]
    /// only after the caller has sent `+ OK`; it may as well refuse, and the command is over. After the bytes comes the
    /// rest of the line: [`Decoder::feed_line`].
    Message {
        /// The command so far, from tag to the literal's `{n}`.
        command: Command,
        /// Bytes that will come.
        size: u64,
        /// Does the client wait for our go-ahead?
        sync: Sync,
    },
    /// The command breaks a limit. Reported once; when the caller feeds on, the rest of the command is dropped, the
    /// bytes of its non-synchronising literals included.
    Refused {
        /// The command's tag, if it came that far.
        tag: Option<Tag>,
        /// Which limit.
        reason: Refusal,
    },
}

/// Which limit a command breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// [`Limits::line`].
    LineTooLong,
    /// [`Limits::literal`] or [`Limits::literals`]. `Sync::Waits`: nothing follows. `Sync::Sends`: `size` bytes are on
    /// their way and will be dropped; the caller may prefer to hang up.
    LiteralTooLong {
        /// What the client announced, in bytes.
        size: u64,
        /// Do its bytes come anyway?
        sync: Sync,
    },
    /// Bytes follow and nobody can tell how many: the only safe answer is BYE. Feeding on yields this event again.
    Ambiguous,
}

/// Collects one command at a time. Holds no memory between commands.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    messages: Messages,
    /// The command so far.
    bytes: Vec<u8>,
    /// Where the current line begins in `bytes`: 0, or behind the last literal.
    line_start: usize,
    /// Bytes of `bytes` that are literals.
    literals: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Line,
    Literal {
        left: usize,
    },
    /// Dropping the rest of a refused command: the line's last bytes are kept in `bytes`, to see a literal coming.
    SkipLine,
    SkipLiteral {
        left: u64,
    },
    Ambiguous,
}

/// `{18446744073709551615+}` and its line end: what must be kept of a dropped line.
const LONGEST_SPEC: usize = 32;

impl Decoder {
    /// A decoder that waits for the first byte of a command.
    pub fn new(limits: Limits, messages: Messages) -> Self {
        Self {
            limits,
            messages,
            bytes: Vec::new(),
            line_start: 0,
            literals: 0,
            state: State::Line,
        }
    }

    /// Is the decoder in the middle of a command?
    pub fn is_partial(&self) -> bool {
        !self.bytes.is_empty() || self.state != State::Line
    }

    /// Takes bytes up to the next event. Returns how many it took: what is left belongs to what comes next.
    pub fn feed(&mut self, input: &[u8]) -> (usize, Event) {
        let mut taken = 0;
        loop {
            let rest = input.get(taken..).unwrap_or_default();
            let (count, event) = self.step(rest);
            taken += count;
            match event {
                Some(event) => return (taken, event),
                None if taken >= input.len() => return (taken, Event::Incomplete),
                None => {}
            }
        }
    }

    /// Takes bytes of one line that is no command: SASL responses, IDLE's DONE, what follows APPEND's message. Braces
    /// mean nothing in it. The event is `Incomplete`, `Command` with the line, or `Refused`.
    pub fn feed_line(&mut self, input: &[u8]) -> (usize, Event) {
        let (line, ended) = up_to_line_end(input);
        if self.bytes.len() + line.len() > self.limits.line {
            self.reset();
            let reason = Refusal::LineTooLong;
            return (line.len(), Event::Refused { tag: None, reason });
        }
        self.bytes.extend_from_slice(line);
        let event = if ended {
            self.complete()
        } else {
            Event::Incomplete
        };
        (line.len(), event)
    }

    /// One state's share of the input.
    fn step(&mut self, input: &[u8]) -> (usize, Option<Event>) {
        match self.state {
            State::Line => self.step_line(input),
            State::Literal { left } => self.step_literal(input, left),
            State::SkipLine => self.skip_line(input),
            State::SkipLiteral { left } => self.skip_literal(input, left),
            State::Ambiguous => {
                let reason = Refusal::Ambiguous;
                (input.len(), Some(Event::Refused { tag: None, reason }))
            }
        }
    }

    fn step_line(&mut self, input: &[u8]) -> (usize, Option<Event>) {
        let (line, ended) = up_to_line_end(input);
        let so_far = self.bytes.len() - self.literals;
        if so_far + line.len() > self.limits.line {
            return (0, Some(self.refuse_line()));
        }
        self.bytes.extend_from_slice(line);
        let event = if ended { self.end_of_line() } else { None };
        (line.len(), event)
    }

    fn step_literal(&mut self, input: &[u8], left: usize) -> (usize, Option<Event>) {
        let taken = input.get(..left).unwrap_or(input);
        self.bytes.extend_from_slice(taken);
        self.literals += taken.len();
        self.state = match left - taken.len() {
            0 => {
                self.line_start = self.bytes.len();
                State::Line
            }
            left => State::Literal { left },
        };
        (taken.len(), None)
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = self.bytes.get(self.line_start..).unwrap_or_default();
        match literal::tail(without_line_end(line)) {
            Tail::End => Some(self.complete()),
            Tail::Literal { size, sync, at } => {
                self.start_literal(size, sync, self.line_start + at)
            }
            Tail::Ambiguous => {
                let tag = self.take().tag();
                self.state = State::Ambiguous;
                Some(Event::Refused {
                    tag,
                    reason: Refusal::Ambiguous,
                })
            }
        }
    }

    fn start_literal(&mut self, size: u64, sync: Sync, at: usize) -> Option<Event> {
        if self.messages == Messages::Streamed && is_message_of_append(&self.bytes, at) {
            let command = self.take();
            return Some(Event::Message {
                command,
                size,
                sync,
            });
        }
        let room = self
            .limits
            .literal
            .min(self.limits.literals.saturating_sub(self.literals));
        let Some(left) = usize::try_from(size).ok().filter(|size| *size <= room) else {
            return Some(self.refuse_literal(size, sync));
        };
        self.state = State::Literal { left };
        if left == 0 {
            self.line_start = self.bytes.len();
            self.state = State::Line;
        }
        (sync == Sync::Waits).then_some(Event::NeedContinuation { size })
    }

    fn refuse_line(&mut self) -> Event {
        let mut bytes = self.take().into_bytes();
        let tag = Command::new(bytes.clone()).tag();
        keep_end(&mut bytes);
        self.bytes = bytes;
        self.state = State::SkipLine;
        Event::Refused {
            tag,
            reason: Refusal::LineTooLong,
        }
    }

    fn refuse_literal(&mut self, size: u64, sync: Sync) -> Event {
        let tag = self.take().tag();
        if sync == Sync::Sends {
            self.state = State::SkipLiteral { left: size };
        }
        Event::Refused {
            tag,
            reason: Refusal::LiteralTooLong { size, sync },
        }
    }

    fn skip_line(&mut self, input: &[u8]) -> (usize, Option<Event>) {
        let (line, ended) = up_to_line_end(input);
        let end = line.len().saturating_sub(LONGEST_SPEC);
        self.bytes
            .extend_from_slice(line.get(end..).unwrap_or_default());
        keep_end(&mut self.bytes);
        if ended {
            let announced = announced_bytes(without_line_end(&self.bytes));
            self.reset();
            if let Some(left) = announced {
                self.state = State::SkipLiteral { left };
            }
        }
        (line.len(), None)
    }

    fn skip_literal(&mut self, input: &[u8], left: u64) -> (usize, Option<Event>) {
        let count = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let left = left.saturating_sub(count as u64);
        self.state = if left == 0 {
            State::SkipLine
        } else {
            State::SkipLiteral { left }
        };
        (count, None)
    }

    fn complete(&mut self) -> Event {
        let mut bytes = self.take().into_bytes();
        bytes.truncate(without_line_end(&bytes).len());
        Event::Command(Command::new(bytes))
    }

    /// Forgets what came and waits for the first byte of a command.
    fn reset(&mut self) {
        *self = Self::new(self.limits, self.messages);
    }

    fn take(&mut self) -> Command {
        let bytes = std::mem::take(&mut self.bytes);
        self.reset();
        Command::new(bytes)
    }
}

/// The input up to and including the first LF; did it have one? Dovecot accepts a bare LF as the end of a line.
fn up_to_line_end(input: &[u8]) -> (&[u8], bool) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => (input.get(..=at).unwrap_or(input), true),
        None => (input, false),
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn keep_end(bytes: &mut Vec<u8>) {
    let excess = bytes.len().saturating_sub(LONGEST_SPEC);
    bytes.drain(..excess);
    bytes.shrink_to(LONGEST_SPEC);
}

/// How many bytes a dropped line announces. Where it breaks off quotes, being wrong towards "literal" is the safe side.
fn announced_bytes(line: &[u8]) -> Option<u64> {
    let open = line.iter().rposition(|byte| *byte == b'{')?;
    match literal::parse(line.get(open..)?)? {
        (size, Sync::Sends) => Some(size),
        (_, Sync::Waits) => None,
    }
}

/// Is the literal at `at` the message of an APPEND, and not its mailbox name? RFC 3501 §6.3.11.
fn is_message_of_append(command: &[u8], at: usize) -> bool {
    let before = command.get(..at).unwrap_or_default();
    let mut words = before
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let is_append = words
        .nth(1)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"APPEND"));
    is_append && words.next().is_some()
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
