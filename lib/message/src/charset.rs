//! Charsets of mail into UTF-8, while they stream by. Unknown ones are read as UTF-8, so that their ASCII is found.

use encoding_rs::{Encoding, REPLACEMENT, UTF_8};

use crate::utf7::Utf7;

/// Push decoder of one text.
#[derive(Debug)]
pub struct CharsetDecoder(Inner);

#[derive(Debug)]
enum Inner {
    Utf7(Utf7),
    Other(Box<encoding_rs::Decoder>),
}

impl CharsetDecoder {
    /// For a charset as it is named in mail (RFC 2978). An empty name is UTF-8.
    #[must_use]
    pub fn new(name: &[u8]) -> Self {
        if ["utf-7", "unicode-1-1-utf-7"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        {
            return Self(Inner::Utf7(Utf7::default()));
        }
        // What calls itself ASCII and is not is UTF-8 today. (The web reads it as windows-1252.)
        let ascii = ["us-ascii", "ascii", "ansi_x3.4-1968"];
        let is_ascii = ascii
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let encoding =
            Encoding::for_label(name).filter(|encoding| !is_ascii && *encoding != REPLACEMENT);
        Self(Inner::Other(Box::new(
            encoding.unwrap_or(UTF_8).new_decoder(),
        )))
    }

    /// Decodes the next bytes to the end of `out`. What is broken becomes U+FFFD.
    pub fn feed(&mut self, bytes: &[u8], out: &mut String) {
        self.decode(bytes, out, End::Open);
    }

    /// The text is complete.
    pub fn finish(mut self, out: &mut String) {
        self.decode(&[], out, End::Last);
    }

    fn decode(&mut self, bytes: &[u8], out: &mut String, end: End) {
        match &mut self.0 {
            Inner::Utf7(utf7) => utf7.feed(bytes, out),
            Inner::Other(decoder) => {
                out.reserve(
                    decoder
                        .max_utf8_buffer_length(bytes.len())
                        .unwrap_or(bytes.len()),
                );
                // There is room for everything, so one call is enough.
                let _ = decoder.decode_to_string(bytes, out, end == End::Last);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Last,
}

/// A whole text at once.
#[must_use]
pub fn decode(charset: &[u8], bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut decoder = CharsetDecoder::new(charset);
    decoder.feed(bytes, &mut out);
    decoder.finish(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_of_mail() {
        assert_eq!(decode(b"iso-8859-1", b"a\xe4"), "aä");
        assert_eq!(decode(b"ISO-2022-JP", b"\x1b$B$\"\x1b(B"), "あ");
        assert_eq!(decode(b"us-ascii", "é".as_bytes()), "é");
        assert_eq!(decode(b"no-such", b"a\xe4b"), "a\u{fffd}b");
        assert_eq!(decode(b"utf-7", b"caf+AOk-"), "café");
        assert_eq!(decode(b"", b"a\xc3"), "a\u{fffd}");
    }

    #[test]
    fn characters_may_be_split() {
        let text = "aä€𝄞".as_bytes();
        for split in 0..=text.len() {
            let mut out = String::new();
            let mut decoder = CharsetDecoder::new(b"utf-8");
            decoder.feed(&text[..split], &mut out);
            decoder.feed(&text[split..], &mut out);
            decoder.finish(&mut out);
            assert_eq!(out, "aä€𝄞");
        }
    }
}
