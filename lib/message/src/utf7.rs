//! UTF-7 (RFC 2152), which mail of the nineties is written in. (IMAP's own variant is for mailbox names and lives with them.)

/// Push decoder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Utf7 {
    state: State,
    bits: u32,
    bit_count: u32,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Direct,
    /// A `+` was read.
    Shift,
    Base64,
}

impl Utf7 {
    pub fn feed(&mut self, bytes: &[u8], out: &mut String) {
        for &byte in bytes {
            self.push(byte, out);
        }
    }

    fn push(&mut self, byte: u8, out: &mut String) {
        match (self.state, value(byte)) {
            (State::Direct, _) if byte == b'+' => self.state = State::Shift,
            (State::Direct, _) => out.push(if byte.is_ascii() {
                char::from(byte)
            } else {
                char::REPLACEMENT_CHARACTER
            }),
            (State::Shift, _) if byte == b'-' => {
                out.push('+');
                self.state = State::Direct;
            }
            (_, Some(value)) => {
                self.state = State::Base64;
                self.base64(value, out);
            }
            (_, None) => {
                *self = Self::default();
                if byte != b'-' {
                    self.push(byte, out);
                }
            }
        }
    }

    fn base64(&mut self, value: u8, out: &mut String) {
        self.bits = self.bits << 6 | u32::from(value);
        self.bit_count += 6;
        if self.bit_count >= 16 {
            self.bit_count -= 16;
            let [.., high, low] = (self.bits >> self.bit_count).to_be_bytes();
            self.unit(u16::from_be_bytes([high, low]), out);
        }
    }

    fn unit(&mut self, unit: u16, out: &mut String) {
        if let Some(high) = self.high.take() {
            out.extend(
                char::decode_utf16([high, unit])
                    .map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER)),
            );
        } else if matches!(unit, 0xd800..=0xdbff) {
            self.high = Some(unit);
        } else {
            out.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }
}

fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_rfc_in_any_pieces() {
        for (text, expected) in [
            ("A+ImIDkQ.", "A≢Α."),
            ("Hi Mom -+Jjo--!", "Hi Mom -☺-!"),
            ("1 +- 1", "1 + 1"),
            ("+2DTdHg-x", "𝄞x"),
        ] {
            for split in 0..=text.len() {
                let (mut utf7, mut out) = (Utf7::default(), String::new());
                utf7.feed(&text.as_bytes()[..split], &mut out);
                utf7.feed(&text.as_bytes()[split..], &mut out);
                assert_eq!(out, expected);
            }
        }
    }
}
