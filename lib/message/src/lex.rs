//! Words of structured header fields: RFC 5322 §3.2 and RFC 2045 §5.1, with Dovecot's tolerance for what is broken.

/// Where a word ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// More follows, at [`Lexer::peek`].
    More,
    /// Nothing follows.
    End,
}

/// The text is broken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

pub(crate) type Result = std::result::Result<Next, Broken>;

/// Reads an unfolded or folded field value from left to right.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    rest: &'a [u8],
    /// Where the text of the latest comment goes, if anybody wants it.
    pub comment: Option<Vec<u8>>,
}

/// Quoted text as far as it was read.
#[derive(Default)]
struct Run {
    text: Vec<u8>,
    /// When the end is missing, so much of it is told: what stands before the last backslash or line end.
    certain: usize,
}

/// RFC 5322 §3.2.3 `atext`, and every byte beyond ASCII.
pub(crate) fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// RFC 2045 §5.1 `token`, and every byte beyond ASCII.
pub(crate) fn is_token(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

fn is_lwsp(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            comment: None,
        }
    }

    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes one byte.
    pub fn bump(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes on at an earlier (or later) [`Lexer::rest`].
    pub fn restore(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// Skips white space and comments (`CFWS`).
    pub fn skip_space(&mut self) -> Result {
        loop {
            self.take_while(is_lwsp);
            match self.peek() {
                None => return Ok(Next::End),
                Some(b'(') => self.skip_comment()?,
                Some(_) => return Ok(Next::More),
            }
        }
    }

    pub fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self
            .rest
            .iter()
            .position(|&byte| !wanted(byte))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    fn skip_comment(&mut self) -> std::result::Result<(), Broken> {
        self.bump();
        let mut run = Run::default();
        let mut depth = 1;
        let result = loop {
            match self.run(b"()", &mut run) {
                Some(b')') if depth == 1 => break Ok(()),
                Some(parenthesis) => {
                    depth += if parenthesis == b'(' { 1 } else { -1 };
                    run.text.push(parenthesis);
                }
                None => {
                    run.text.truncate(run.certain);
                    break Err(Broken);
                }
            }
        };
        if let Some(comment) = &mut self.comment {
            *comment = run.text;
        }
        result
    }

    /// Text up to one of `ends`, which is taken and returned. Line ends are dropped, and backslashes before everything
    /// but line ends and NUL (RFC 5322 §4.1).
    fn run(&mut self, ends: &[u8], run: &mut Run) -> Option<u8> {
        loop {
            run.text.extend_from_slice(
                self.take_while(|byte| !b"\\\n\0".contains(&byte) && !ends.contains(&byte)),
            );
            match (self.bump()?, self.peek()) {
                (b'\n', _) => {
                    if run.text.ends_with(b"\r") {
                        run.text.pop();
                    }
                    run.certain = run.text.len();
                }
                (0, _) => {
                    run.text.extend_from_slice("\u{fffd}".as_bytes());
                    run.certain = run.text.len();
                }
                (b'\\', None) => return None,
                (b'\\', Some(b'\r' | b'\n' | 0)) => run.text.push(b'\\'),
                (b'\\', Some(_)) => {
                    run.certain = run.text.len();
                    run.text.extend(self.bump());
                }
                (end, _) => return Some(end),
            }
        }
    }

    /// `atom`, then white space.
    pub fn atom(&mut self, out: &mut Vec<u8>) -> Result {
        out.extend_from_slice(self.take_while(is_atext));
        self.skip_space()
    }

    /// `word` of a phrase that is not quoted; dots are allowed in it.
    pub fn atom_or_dot(&mut self, out: &mut Vec<u8>) -> Result {
        out.extend_from_slice(self.take_while(|byte| is_atext(byte) || byte == b'.'));
        self.skip_space()
    }

    /// `dot-atom`, with white space around the dots as in `obs-domain`.
    pub fn dot_atom(&mut self, out: &mut Vec<u8>) -> Result {
        if !self.peek().is_some_and(is_atext) {
            return if self.rest.is_empty() {
                Ok(Next::End)
            } else {
                Err(Broken)
            };
        }
        loop {
            out.extend_from_slice(self.take_while(is_atext));
            if self.skip_space()? == Next::End || self.peek() != Some(b'.') {
                return Ok(self.here());
            }
            out.extend(self.bump());
            self.skip_space()?;
            if !self.peek().is_some_and(is_atext) {
                return Err(Broken);
            }
        }
    }

    fn here(&self) -> Next {
        if self.rest.is_empty() {
            Next::End
        } else {
            Next::More
        }
    }

    /// `quoted-string` from its opening quote, then white space.
    pub fn quoted_string(&mut self, out: &mut Vec<u8>) -> Result {
        self.bump();
        let mut run = Run::default();
        let end = self.run(b"\"", &mut run);
        if end.is_none() {
            run.text.truncate(run.certain);
        }
        out.extend_from_slice(&run.text);
        end.ok_or(Broken)?;
        self.skip_space()
    }

    /// `domain-literal` from its opening bracket, backslashes included, then white space.
    pub fn domain_literal(&mut self, out: &mut Vec<u8>) -> Result {
        out.extend(self.bump());
        loop {
            out.extend_from_slice(self.take_while(|byte| !b"[]\\\n".contains(&byte)));
            match self.bump().ok_or(Broken)? {
                b'\\' => {
                    out.push(b'\\');
                    match self.peek().ok_or(Broken)? {
                        b'\r' | b'\n' | 0 => {}
                        _ => out.extend(self.bump()),
                    }
                }
                b'\n' => {}
                b']' => {
                    out.push(b']');
                    return self.skip_space();
                }
                _ => return Err(Broken),
            }
        }
    }

    /// `token` of MIME, then white space.
    pub fn mime_token(&mut self, out: &mut Vec<u8>) -> Result {
        out.extend_from_slice(self.take_while(is_token));
        self.skip_space()
    }

    /// `phrase`: words and quoted strings, joined by single spaces.
    pub fn phrase(&mut self, out: &mut Vec<u8>) -> Result {
        if self.peek() == Some(b'.') {
            return Err(Broken);
        }
        self.words(out)
    }

    /// The words of a phrase, or what is left of one.
    pub fn words(&mut self, out: &mut Vec<u8>) -> Result {
        while let Some(first) = self.peek() {
            let next = if first == b'"' {
                self.quoted_string(out)?
            } else {
                self.atom_or_dot(out)?
            };
            if next == Next::End {
                return Ok(Next::End);
            }
            if !self
                .peek()
                .is_some_and(|byte| is_atext(byte) || byte == b'"' || byte == b'.')
            {
                return self.skip_space();
            }
            out.push(b' ');
        }
        Ok(Next::End)
    }
}
