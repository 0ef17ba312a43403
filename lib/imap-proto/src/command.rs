//! One complete command: its raw bytes, and its tag, name and arguments.

use crate::args::Args;

/// The bytes of one command without the final line end; literals stand in their place, `{n}CRLF` and `n` bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    bytes: Vec<u8>,
}

/// A command's tag, as the client wrote it. RFC 3501 §2.2.1: printable ASCII, no space, no `( ) { % * " \ +`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

/// Tag, name and arguments.
#[derive(Debug)]
pub struct Head<'a> {
    /// What the tagged reply starts with.
    pub tag: Tag,
    /// In capitals; `UID FETCH` and its like are one name.
    pub name: String,
    /// What follows the name.
    pub args: Args<'a>,
}

/// Why a line is no command at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadError {
    /// No usable tag: the reply is `* BAD`.
    Tag,
    /// A tag, but no command name behind it: the reply is `tag BAD`.
    Name(Tag),
}

impl Tag {
    /// Checks and keeps a tag.
    pub fn new(word: &[u8]) -> Option<Self> {
        if word.is_empty() || !word.iter().all(|byte| is_tag_char(*byte)) {
            return None;
        }
        String::from_utf8(word.to_vec()).ok().map(Self)
    }

    /// The tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Command {
    /// Wraps bytes that some framing, usually [`crate::Decoder`], has found complete.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the raw bytes away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Splits off tag and name. RFC 3501 §2.2.1.
    pub fn head(&self) -> Result<Head<'_>, HeadError> {
        let (word, rest) = word(&self.bytes);
        let tag = Tag::new(word).ok_or(HeadError::Tag)?;
        let Some((name, rest)) = name(rest) else {
            return Err(HeadError::Name(tag));
        };
        Ok(Head {
            tag,
            name,
            args: Args::new(rest),
        })
    }

    /// The tag of a command whose rest may be broken.
    pub fn tag(&self) -> Option<Tag> {
        Tag::new(word(&self.bytes).0)
    }
}

/// The command's name in capitals, with a second word after `UID`.
fn name(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (first, rest) = word(spaces(bytes)?);
    let mut name = upper(first)?;
    if name != "UID" {
        return Some((name, rest));
    }
    let (second, rest) = word(spaces(rest)?);
    name.push(' ');
    name.push_str(&upper(second)?);
    Some((name, rest))
}

fn upper(word: &[u8]) -> Option<String> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    String::from_utf8(word.to_ascii_uppercase()).ok()
}

/// Skips at least one space; Dovecot accepts several.
fn spaces(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(b" ")?;
    let start = rest
        .iter()
        .position(|byte| *byte != b' ')
        .unwrap_or(rest.len());
    rest.get(start..)
}

fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    bytes.split_at(end.unwrap_or(bytes.len()))
}

fn is_tag_char(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(line: &[u8]) -> Result<(String, String), HeadError> {
        Command::new(line.to_vec())
            .head()
            .map(|head| (head.tag.to_string(), head.name))
    }

    #[test]
    fn tags_and_names() {
        assert_eq!(head(b"a1 noop"), Ok(("a1".into(), "NOOP".into())));
        assert_eq!(
            head(b"a1 uid fetch 1 FLAGS"),
            Ok(("a1".into(), "UID FETCH".into()))
        );
        assert_eq!(head(b"a1 UID"), Err(HeadError::Name(Tag("a1".into()))));
        assert_eq!(head(b""), Err(HeadError::Tag));
        assert_eq!(head(b" noop"), Err(HeadError::Tag));
        assert_eq!(head(b"+ noop"), Err(HeadError::Tag));
        assert_eq!(head(b"a\0 noop"), Err(HeadError::Tag));
        assert_eq!(head(b"a"), Err(HeadError::Name(Tag("a".into()))));
        assert_eq!(head(b"a \x80"), Err(HeadError::Name(Tag("a".into()))));
    }
}
