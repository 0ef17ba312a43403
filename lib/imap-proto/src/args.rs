//! A cursor over a command's arguments: the words that all commands are made of. RFC 3501 §4, §9.

use std::borrow::Cow;

use crate::literal::{self, Sync};

/// How deep parentheses may be nested in one command.
pub const MAX_PARENTHESES: u8 = 50;

/// The client's arguments are not what the command takes. The text goes into the BAD reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct SyntaxError {
    /// For the client, with a full stop. Printable ASCII.
    pub text: Cow<'static, str>,
}

impl SyntaxError {
    /// The usual case: the words are fine but not what the command wants.
    pub const ARGUMENTS: Self = Self::new("Invalid arguments.");

    /// An error that tells the client `text`.
    pub const fn new(text: &'static str) -> Self {
        Self {
            text: Cow::Borrowed(text),
        }
    }

    /// An error that repeats the client's word, in capitals as Dovecot does, as far as it is short and printable.
    pub(crate) fn about(text: &'static str, word: &[u8]) -> Self {
        const LONGEST: usize = 64;
        let word = word.get(..LONGEST).unwrap_or(word);
        let word: String = word
            .iter()
            .map(|byte| {
                if byte.is_ascii_graphic() {
                    *byte as char
                } else {
                    '?'
                }
            })
            .collect();
        Self {
            text: Cow::Owned(format!("{text} {}.", word.to_ascii_uppercase())),
        }
    }
}

/// What is left of a command's arguments. Every method either takes one whole word or fails.
#[derive(Debug, Clone)]
pub struct Args<'a> {
    rest: &'a [u8],
    depth: u8,
}

impl<'a> Args<'a> {
    /// Arguments from raw bytes; usually [`crate::Command::head`] does this.
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest, depth: 0 }
    }

    /// The bytes not taken yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte, not taken.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Nothing but spaces may be left.
    pub fn end(&self) -> Result<(), SyntaxError> {
        match self.rest.iter().find(|byte| **byte != b' ') {
            None => Ok(()),
            Some(b')') => Err(SyntaxError::new("Unexpected ')'.")),
            Some(_) => Err(SyntaxError::ARGUMENTS),
        }
    }

    /// Are arguments left?
    pub fn is_empty(&self) -> bool {
        self.end().is_ok()
    }

    /// One space or more, as Dovecot accepts.
    pub fn space(&mut self) -> Result<(), SyntaxError> {
        if self.peek() != Some(b' ') {
            return Err(SyntaxError::ARGUMENTS);
        }
        self.skip_spaces();
        Ok(())
    }

    /// Takes `byte` if it is next.
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.advance(1);
        }
        found
    }

    /// Fails unless `byte` is next.
    pub fn expect(&mut self, byte: u8) -> Result<(), SyntaxError> {
        self.take(byte).then_some(()).ok_or(SyntaxError::ARGUMENTS)
    }

    /// Takes `word`, in any case, if it is next and ends there.
    pub fn take_word(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        let found = ahead
            .atom()
            .is_ok_and(|atom| atom.eq_ignore_ascii_case(word.as_bytes()));
        if found {
            *self = ahead;
        }
        found
    }

    /// `1*<any CHAR except ( ) { " SP CTL>`: as wide as Dovecot's atoms; commands narrow it down.
    pub fn atom(&mut self) -> Result<&'a [u8], SyntaxError> {
        let end = self.rest.iter().position(|byte| !is_atom_char(*byte));
        let (atom, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        match rest.first() {
            Some(byte) if *byte >= 0x80 => return Err(SyntaxError::new("8bit data in atom.")),
            Some(b' ' | b')' | b'(') | None => {}
            Some(_) => return Err(SyntaxError::new("Invalid characters in atom.")),
        }
        if atom.is_empty() {
            return Err(SyntaxError::ARGUMENTS);
        }
        self.rest = rest;
        Ok(atom)
    }

    /// An atom, or what quotes or a literal hold. RFC 3501 §9 `astring`.
    pub fn astring(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => self.atom().map(Cow::Borrowed),
        }
    }

    /// What quotes or a literal hold. RFC 3501 §9 `string`.
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(SyntaxError::ARGUMENTS),
        }
    }

    /// A string, or `None` for the atom NIL. RFC 3501 §9 `nstring`.
    pub fn nstring(&mut self) -> Result<Option<Cow<'a, [u8]>>, SyntaxError> {
        if self.take_word("NIL") {
            Ok(None)
        } else {
            self.string().map(Some)
        }
    }

    /// An unsigned decimal number.
    pub fn number(&mut self) -> Result<u64, SyntaxError> {
        literal::number(self.atom()?).ok_or(SyntaxError::ARGUMENTS)
    }

    /// `(item item …)`, possibly empty: `item` takes one. Extra spaces are accepted as by Dovecot.
    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<Vec<T>, SyntaxError> {
        self.open()?;
        let mut items = Vec::new();
        self.skip_spaces();
        while !self.close() {
            if self.rest.is_empty() {
                return Err(SyntaxError::new("Missing ')'."));
            }
            items.push(item(self)?);
            match self.peek() {
                None | Some(b')') => {}
                Some(_) => self.space()?,
            }
        }
        Ok(items)
    }

    /// Takes `(`. At most [`MAX_PARENTHESES`] may be open at once.
    pub fn open(&mut self) -> Result<(), SyntaxError> {
        self.expect(b'(')?;
        if self.depth >= MAX_PARENTHESES {
            return Err(SyntaxError::new("Too many '('."));
        }
        self.depth += 1;
        Ok(())
    }

    /// Takes `)` if it is next.
    pub fn close(&mut self) -> bool {
        let found = self.depth > 0 && self.take(b')');
        if found {
            self.depth -= 1;
        }
        found
    }

    pub(crate) fn skip_spaces(&mut self) {
        while self.take(b' ') {}
    }

    pub(crate) fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        self.expect(b'"')?;
        let mut unescaped: Option<Vec<u8>> = None;
        loop {
            let special = self
                .rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0 | b'\r' | b'\n'));
            let (plain, rest) = self.rest.split_at(special.unwrap_or(self.rest.len()));
            match rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return Ok(joined(unescaped, plain));
                }
                [b'\\', escaped, rest @ ..] if !matches!(escaped, 0 | b'\r' | b'\n') => {
                    let so_far = unescaped.get_or_insert_default();
                    so_far.extend_from_slice(plain);
                    so_far.push(*escaped);
                    self.rest = rest;
                }
                [0, ..] | [b'\\', 0, ..] => {
                    return Err(SyntaxError::new("NULs not allowed in strings."));
                }
                _ => return Err(SyntaxError::new("Missing '\"'.")),
            }
        }
    }

    fn literal(&mut self) -> Result<&'a [u8], SyntaxError> {
        const INVALID: SyntaxError = SyntaxError::new("Invalid literal size.");
        let line_end = self
            .rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(INVALID)?;
        let (line, _) = self.rest.split_at(line_end);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (size, _): (u64, Sync) = literal::parse(line).ok_or(INVALID)?;
        let size = usize::try_from(size).map_err(|_| INVALID)?;
        let bytes = self.rest.get(line_end + 1..).unwrap_or_default();
        let (literal, rest) = bytes.split_at_checked(size).ok_or(INVALID)?;
        if literal.contains(&0) {
            return Err(SyntaxError::new("NULs not allowed in strings."));
        }
        self.rest = rest;
        Ok(literal)
    }
}

fn joined(before: Option<Vec<u8>>, plain: &[u8]) -> Cow<'_, [u8]> {
    match before {
        None => Cow::Borrowed(plain),
        Some(mut bytes) => {
            bytes.extend_from_slice(plain);
            Cow::Owned(bytes)
        }
    }
}

fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'"')
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
