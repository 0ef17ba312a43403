//! Content-Transfer-Encoding, undone while it streams by: RFC 2045 §6.7 (quoted-printable) and §6.8 (base64). What is
//! broken is passed over, as readers of mail do.

/// How a body is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// 7bit, 8bit, binary, and everything unknown.
    #[default]
    Identity,
    /// quoted-printable.
    QuotedPrintable,
    /// base64.
    Base64,
}

impl Encoding {
    /// The value of a Content-Transfer-Encoding field, one token.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Self {
        if name.eq_ignore_ascii_case(b"quoted-printable") {
            Self::QuotedPrintable
        } else if name.eq_ignore_ascii_case(b"base64") {
            Self::Base64
        } else {
            Self::Identity
        }
    }
}

/// Push decoder of one body.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    encoding: Encoding,
    /// Quoted-printable: what may become `=XX` or a soft line break, or white space that may end a line.
    held: Vec<u8>,
    /// Base64: bits that are no byte yet, and how many.
    bits: u32,
    bit_count: u32,
}

impl Decoder {
    /// At the beginning of a body.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            ..Self::default()
        }
    }

    /// Decodes the next bytes to the end of `out`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.encoding {
            Encoding::Identity => out.extend_from_slice(bytes),
            Encoding::QuotedPrintable => bytes.iter().for_each(|&byte| self.quoted(byte, out)),
            Encoding::Base64 => bytes.iter().for_each(|&byte| self.base64(byte, out)),
        }
    }

    /// The body is complete. Nothing is kept for another one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.held.first() == Some(&b'=') && self.held.len() > 1 {
            out.append(&mut self.held);
        }
        *self = Self::new(self.encoding);
    }

    fn quoted(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), byte) {
            ([b'=', ..], _) => self.after_equals(byte, out),
            (_, b'=') => {
                out.append(&mut self.held);
                self.held.push(b'=');
            }
            // White space at the end of a line was added on the way.
            (_, b' ' | b'\t') if self.held.len() < MAX_HELD => self.held.push(byte),
            (_, b'\r' | b'\n') => {
                self.held.clear();
                out.push(byte);
            }
            _ => {
                out.append(&mut self.held);
                out.push(byte);
            }
        }
    }

    fn after_equals(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), byte) {
            (_, b'\n') => self.held.clear(),
            ([b'=', .., b' ' | b'\t' | b'\r'] | [b'='], b' ' | b'\t' | b'\r')
                if self.held.len() < MAX_HELD =>
            {
                self.held.push(byte);
            }
            ([b'='], _) if byte.is_ascii_hexdigit() => self.held.push(byte),
            (&[b'=', high], _) if high.is_ascii_hexdigit() && byte.is_ascii_hexdigit() => {
                out.push(hex(high) << 4 | hex(byte));
                self.held.clear();
            }
            _ => {
                out.append(&mut self.held);
                self.quoted(byte, out);
            }
        }
    }

    fn base64(&mut self, byte: u8, out: &mut Vec<u8>) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                // Padding ends a quantum; several may be joined in one body.
                (self.bits, self.bit_count) = (0, 0);
                return;
            }
            _ => return,
        };
        self.bits = self.bits << 6 | u32::from(value);
        self.bit_count += 6;
        if self.bit_count >= 8 {
            self.bit_count -= 8;
            let [.., low] = (self.bits >> self.bit_count).to_be_bytes();
            out.push(low);
        }
    }
}

/// More white space than this is never held back.
const MAX_HELD: usize = 1024;

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: Encoding, text: &[u8], split: usize) -> Vec<u8> {
        let (mut decoder, mut out) = (Decoder::new(encoding), Vec::new());
        decoder.feed(&text[..split], &mut out);
        decoder.feed(&text[split..], &mut out);
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn quoted_printable_in_any_pieces() {
        let text = b"caf=C3=a9 so=  \r\nft \t\r\nend=\nx =zz =4 = y= =41 ";
        for split in 0..=text.len() {
            let decoded = decode(Encoding::QuotedPrintable, text, split);
            assert_eq!(
                decoded,
                "café soft\r\nendx =zz =4 = y= A".as_bytes(),
                "split at {split}"
            );
        }
    }

    #[test]
    fn base64_in_any_pieces() {
        let text = b"Y2Fm\r\nw6kg=!YmF=zZQ";
        for split in 0..=text.len() {
            let decoded = decode(Encoding::Base64, text, split);
            assert!(
                decoded.starts_with("café ba".as_bytes()),
                "split at {split}"
            );
        }
        assert_eq!(decode(Encoding::Base64, b"YQ==Yg==", 3), b"ab");
    }

    #[test]
    fn white_space_without_end_is_not_held() {
        let mut out = Vec::new();
        let mut decoder = Decoder::new(Encoding::QuotedPrintable);
        decoder.feed(&b" ".repeat(100_000), &mut out);
        assert!(out.len() > 90_000);
    }
}
