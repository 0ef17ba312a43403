//! Encoded words in header fields: RFC 2047, also where they may not stand, as in the middle of a word.

use crate::charset::CharsetDecoder;
use crate::transfer::{Decoder, Encoding};

/// Decodes the value of a header field, and unfolds it: white space becomes single spaces, except in encoded words.
#[must_use]
pub fn decode(value: &[u8]) -> String {
    let mut decoder = Words::default();
    let mut rest = value;
    while let Some(start) = memchr::memmem::find(rest, b"=?") {
        let (before, word) = rest.split_at_checked(start).unwrap_or((rest, &[]));
        match Word::parse(word) {
            Some((word, after)) => {
                decoder.text(before);
                decoder.word(&word);
                rest = after;
            }
            None => {
                let skip = start.saturating_add(2);
                decoder.text(rest.get(..skip).unwrap_or(rest));
                rest = rest.get(skip..).unwrap_or_default();
            }
        }
    }
    decoder.text(rest);
    decoder.finish()
}

/// `=?charset?encoding?text?=`.
struct Word<'a> {
    charset: &'a [u8],
    encoding: Encoding,
    text: &'a [u8],
}

/// Longer charset names are none.
const CHARSET: usize = 64;

impl<'a> Word<'a> {
    /// The word at the beginning of `bytes`, and what follows it.
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let rest = bytes.strip_prefix(b"=?")?;
        let at = memchr::memchr(b'?', rest.get(..CHARSET).unwrap_or(rest))?;
        let (charset, rest) = (rest.get(..at)?, rest.get(at + 1..)?);
        let encoding = match rest.first()? {
            b'q' | b'Q' => Encoding::QuotedPrintable,
            b'b' | b'B' => Encoding::Base64,
            _ => return None,
        };
        let rest = rest.get(1..)?.strip_prefix(b"?")?;
        // Looking only for the next question mark keeps hostile headers linear; the text has none.
        let end = memchr::memchr(b'?', rest)?;
        let (text, rest) = (rest.get(..end)?, rest.get(end..)?.strip_prefix(b"?=")?);
        // RFC 2231 §5: a language may follow the charset.
        let charset = charset.split(|&byte| byte == b'*').next()?;
        Some((
            Self {
                charset,
                encoding,
                text,
            },
            rest,
        ))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut decoder = Decoder::new(self.encoding);
        if self.encoding == Encoding::QuotedPrintable {
            let text: Vec<u8> = self
                .text
                .iter()
                .map(|&byte| if byte == b'_' { b' ' } else { byte })
                .collect();
            // A space at the end is meant; quoted-printable would drop it.
            decoder.feed(&text, &mut out);
            let trailing = text.iter().rev().take_while(|&&byte| byte == b' ').count();
            out.extend(std::iter::repeat_n(b' ', trailing));
        } else {
            decoder.feed(self.text, &mut out);
        }
        decoder.finish(&mut out);
        out
    }
}

/// Joins words. A character may begin in one word and end in the next of the same charset.
#[derive(Default)]
struct Words<'a> {
    out: String,
    open: Option<(&'a [u8], CharsetDecoder)>,
    /// What was told last.
    last: Last,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    /// White space that was not encoded.
    Space,
    /// White space after an encoded word: whether it is told depends on what follows.
    HeldSpace,
    Other,
}

impl<'a> Words<'a> {
    /// Unencoded text.
    fn text(&mut self, text: &[u8]) {
        for char in String::from_utf8_lossy(text).chars() {
            if matches!(char, ' ' | '\t' | '\r' | '\n') {
                self.space();
            } else {
                self.close();
                self.out.push(char);
                self.last = Last::Other;
            }
        }
    }

    fn space(&mut self) {
        if self.open.is_some() {
            self.last = Last::HeldSpace;
        } else if self.last == Last::Other {
            self.out.push(' ');
            self.last = Last::Space;
        }
    }

    /// An encoded word. White space between two of them belongs to the encoding.
    fn word(&mut self, word: &Word<'a>) {
        let same = self
            .open
            .as_ref()
            .is_some_and(|(charset, _)| charset.eq_ignore_ascii_case(word.charset));
        if !same {
            self.last = if self.last == Last::HeldSpace {
                Last::Other
            } else {
                self.last
            };
            self.close();
        }
        let (_, decoder) = self
            .open
            .get_or_insert_with(|| (word.charset, CharsetDecoder::new(word.charset)));
        decoder.feed(&word.bytes(), &mut self.out);
        self.last = Last::Other;
    }

    /// No encoded word continues.
    fn close(&mut self) {
        if let Some((_, decoder)) = self.open.take() {
            decoder.finish(&mut self.out);
        }
        if self.last == Last::HeldSpace {
            self.out.push(' ');
            self.last = Last::Space;
        }
    }

    fn finish(mut self) -> String {
        self.close();
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn words_and_what_is_between_them() {
        for (value, expected) in [
            ("=?utf-8?q?caf=c3=a9?= bar", "café bar"),
            (
                "=?utf-8?q?a_b?= =?utf-8?q?_c?=  =?utf-8?b?w6Q?= x=?UTF-8?Q?y?=z",
                "a b cä xyz",
            ),
            ("=?iso-8859-1*en?q?a=e4?=\n =?iso-8859-1?q?b?=", "aäb"),
            ("=?utf-8?b?w?= =?utf-8?q?=c3?= =?utf-8?q?=a9?=", "é"),
            (
                "=?utf-8?x?q?= =?utf-8?q?unterm",
                "=?utf-8?x?q?= =?utf-8?q?unterm",
            ),
            ("=?nosuch?q?q?=", "q"),
            ("=?=?utf-8?q?a?=", "=?a"),
            ("\n a\r\n \tb  ", "a b "),
            ("a =?utf-8?q?_=20b?=\n c", "a   b c"),
            ("=?", "=?"),
            ("=??q??=", ""),
        ] {
            assert_eq!(decode(value.as_bytes()), expected, "{value:?}");
        }
    }

    #[test]
    fn every_truncation_is_text() {
        let value = b"x =?utf-8?q?caf=c3=a9?= =?utf-8?b?w6Q=?= y";
        for len in 0..value.len() {
            let _ = decode(&value[..len]);
        }
    }
}
