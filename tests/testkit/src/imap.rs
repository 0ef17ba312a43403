//! An IMAP client for tests: says lines, reads responses with their literals.

use std::io;

use crate::Stream;

/// A connection to an IMAP server, past its greeting.
#[derive(Debug)]
pub struct Imap {
    stream: Stream,
    /// The greeting without its line end.
    pub greeting: String,
    commands: u32,
}

/// One response: its text, in which a literal is only `{n}`, and the literals in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Without the line end.
    pub text: String,
    /// What the literals held.
    pub literals: Vec<Vec<u8>>,
}

/// What a command got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// `*` and `+` responses in their order.
    pub untagged: Vec<Response>,
    /// The tagged response without the tag: `OK ...`.
    pub tagged: String,
}

impl Reply {
    /// Was it `OK`?
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.tagged.starts_with("OK")
    }

    /// The first untagged response that contains `part`.
    ///
    /// # Panics
    /// There is none.
    #[allow(
        clippy::must_use_candidate,
        reason = "that it is there may be all that a test asks"
    )]
    pub fn find(&self, part: &str) -> &Response {
        self.untagged
            .iter()
            .find(|response| response.text.contains(part))
            .unwrap_or_else(|| panic!("no {part:?} in {self:#?}"))
    }
}

impl Imap {
    /// Reads the greeting.
    ///
    /// # Panics
    /// There comes none.
    pub fn connect(stream: impl Into<Stream>) -> Imap {
        Imap::try_connect(stream).expect("a greeting")
    }

    /// The same; the end of the connection is an error.
    ///
    /// # Errors
    /// The server closed the connection or said nothing for a minute.
    pub fn try_connect(stream: impl Into<Stream>) -> io::Result<Imap> {
        let mut stream = stream.into();
        let greeting = stream.line()?;
        Ok(Imap {
            stream,
            greeting: String::from_utf8_lossy(&greeting).into_owned(),
            commands: 0,
        })
    }

    /// Over TLS from the first byte (port 993).
    pub fn connect_tls(stream: impl Into<Stream>) -> Imap {
        Imap::connect(stream.into().tls())
    }

    /// STARTTLS and the handshake. RFC 3501 §6.2.1.
    #[must_use]
    pub fn starttls(mut self) -> Imap {
        self.ok("STARTTLS");
        Imap {
            stream: self.stream.tls(),
            ..self
        }
    }

    /// Says a command (without tag and line end) and reads to its tagged response.
    ///
    /// # Panics
    /// The connection ends before.
    pub fn command(&mut self, text: &str) -> Reply {
        self.try_command(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The same; the end of the connection is an error.
    ///
    /// # Errors
    /// The server closed the connection or said nothing for a minute.
    pub fn try_command(&mut self, text: &str) -> io::Result<Reply> {
        let tag = self.say(text)?;
        self.reply(&tag)
    }

    /// The same, and it must be OK.
    pub fn ok(&mut self, text: &str) -> Reply {
        let reply = self.command(text);
        assert!(reply.is_ok(), "{text}: {reply:#?}");
        reply
    }

    /// APPEND with a synchronising literal. Returns the whole reply.
    pub fn append(&mut self, mailbox: &str, options: &str, message: &[u8]) -> Reply {
        self.try_append(mailbox, options, message)
            .unwrap_or_else(|error| panic!("APPEND {mailbox}: {error}"))
    }

    /// The same; the end of the connection is an error.
    ///
    /// # Errors
    /// The server closed the connection or said nothing for a minute.
    pub fn try_append(
        &mut self,
        mailbox: &str,
        options: &str,
        message: &[u8],
    ) -> io::Result<Reply> {
        let length = message.len();
        let tag = self.say(&format!("APPEND {mailbox} {options}{{{length}}}"))?;
        let mut untagged = Vec::new();
        loop {
            let response = self.response()?;
            if response.text.starts_with('+') {
                break;
            }
            if let Some(tagged) = response.text.strip_prefix(&format!("{tag} ")) {
                let tagged = tagged.to_owned();
                return Ok(Reply { untagged, tagged });
            }
            untagged.push(response);
        }
        self.stream.send(message)?;
        self.stream.send(b"\r\n")?;
        let reply = self.reply(&tag)?;
        untagged.extend(reply.untagged);
        Ok(Reply { untagged, ..reply })
    }

    /// The literal that FETCH of one item of one message (by sequence number) returns.
    pub fn fetch(&mut self, seq: u32, item: &str) -> Vec<u8> {
        let reply = self.ok(&format!("FETCH {seq} {item}"));
        let response = reply.find(&format!("* {seq} FETCH "));
        match response.literals.first() {
            Some(literal) => literal.clone(),
            // Servers may send short strings quoted.
            None => quoted(&response.text).unwrap_or_else(|| panic!("no string in {response:?}")),
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// The server closed the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.send(bytes).expect("sending");
    }

    /// Sends a command with a fresh tag and returns the tag; [`Imap::reply`] reads on.
    ///
    /// # Errors
    /// The server closed the connection.
    pub fn say(&mut self, text: &str) -> io::Result<String> {
        self.commands += 1;
        let tag = format!("t{}", self.commands);
        self.stream.send(format!("{tag} {text}\r\n").as_bytes())?;
        Ok(tag)
    }

    /// Reads to the tagged response of `tag`.
    ///
    /// # Errors
    /// The server closed the connection or said nothing for a minute.
    pub fn reply(&mut self, tag: &str) -> io::Result<Reply> {
        let mut untagged = Vec::new();
        loop {
            let response = self.response()?;
            match response.text.split_once(' ') {
                Some((first, rest)) if first == tag => {
                    return Ok(Reply {
                        untagged,
                        tagged: rest.to_owned(),
                    });
                }
                _ => untagged.push(response),
            }
        }
    }

    /// Reads one response of any kind.
    ///
    /// # Errors
    /// As [`Imap::reply`].
    pub fn response(&mut self) -> io::Result<Response> {
        self.stream.response()
    }

    /// The connection underneath.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// The same, for good.
    #[must_use]
    pub fn into_stream(self) -> Stream {
        self.stream
    }
}

impl Stream {
    /// Reads one response of any kind, with its literals.
    ///
    /// # Errors
    /// As [`Stream::line`].
    pub fn response(&mut self) -> io::Result<Response> {
        let mut text = Vec::new();
        let mut literals = Vec::new();
        loop {
            text.extend(self.line()?);
            let Some(length) = literal_length(&text) else {
                break;
            };
            literals.push(self.bytes(length)?);
        }
        Ok(Response {
            text: String::from_utf8_lossy(&text).into_owned(),
            literals,
        })
    }
}

/// The number in a `{n}` at the end of a line.
fn literal_length(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}")?;
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(line.get(open + 1..)?)
        .ok()?
        .parse()
        .ok()
}

/// The last quoted string of a response, unescaped.
fn quoted(text: &str) -> Option<Vec<u8>> {
    let end = text.rfind('"')?;
    let inner = text.get(..end)?;
    let start = inner.find('"')?;
    let mut bytes = Vec::new();
    let mut rest = inner.get(start + 1..)?.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'\\' { rest.next()? } else { byte });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_only_at_the_end_of_a_line() {
        assert_eq!(literal_length(b"* 1 FETCH (BODY[] {12}"), Some(12));
        assert_eq!(literal_length(b"* 1 FETCH (BODY[] {12})"), None);
        assert_eq!(literal_length(b"* OK {x}"), None);
    }

    #[test]
    fn quoted_strings_are_unescaped() {
        assert_eq!(
            quoted(r#"* 1 FETCH (BODY[TEXT] "a\"b")"#).as_deref(),
            Some(br#"a"b"#.as_slice())
        );
    }
}
