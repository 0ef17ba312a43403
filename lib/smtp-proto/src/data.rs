//! The message after DATA: its end, and the dots that hide it. RFC 5321 §4.1.1.4, §4.5.2.
//!
//! Only CRLF.CRLF ends a message. A server that takes anything else for the end, such as LF.LF, lets a sender hide a second
//! message inside the first one (CVE-2023-51764 and its kin). Bare CR and bare LF are data like any other byte, and start
//! no line: a dot after them is data, too.

use memchr::memchr;

/// Un-stuffs a message that arrives in any pieces, and finds its end. Keeps no bytes of it.
#[derive(Debug, Default)]
pub struct DataDecoder {
    at: At,
}

/// What [`DataDecoder::decode`] made of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataStep {
    /// All input was used and the message goes on.
    More,
    /// The message is complete; `consumed` bytes of the input belong to it and its end.
    End {
        /// Bytes used; the rest is the next command.
        consumed: usize,
    },
}

/// Where the decoder stands. Bytes that can still turn out to be the end are held back, all others were given out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// After CRLF, or before the first byte.
    #[default]
    LineStart,
    /// Inside a line.
    Inside,
    /// After CR inside a line.
    Cr,
    /// After a dot at the start of a line, which is not data in any case.
    Dot,
    /// After dot and CR at the start of a line; the CR is held back.
    DotCr,
    /// After the end.
    End,
}

impl DataDecoder {
    /// A decoder at the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the message bytes of `input` to `output`, up to the end of the message or of `input`.
    ///
    /// `output` grows by at most one byte more than `input` has. After the end, nothing more is consumed.
    pub fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> DataStep {
        let mut rest = input;
        while let Some((&byte, tail)) = rest.split_first() {
            match self.at {
                At::End => break,
                At::Inside => {
                    rest = self.inside(rest, output);
                    continue;
                }
                _ => self.at = self.step(byte, output),
            }
            rest = tail;
        }
        if self.at == At::End {
            DataStep::End {
                consumed: input.len() - rest.len(),
            }
        } else {
            DataStep::More
        }
    }

    /// True once the end was seen.
    pub fn is_done(&self) -> bool {
        self.at == At::End
    }

    /// The long way through a line: everything up to and with the next CR.
    fn inside<'a>(&mut self, rest: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
        let length = match memchr(b'\r', rest) {
            Some(position) => {
                self.at = At::Cr;
                position + 1
            }
            None => rest.len(),
        };
        let (data, tail) = rest.split_at(length);
        output.extend_from_slice(data);
        tail
    }

    fn step(&self, byte: u8, output: &mut Vec<u8>) -> At {
        match (self.at, byte) {
            (At::LineStart, b'.') => return At::Dot,
            (At::Dot, b'\r') => return At::DotCr,
            (At::DotCr, b'\n') => return At::End,
            (At::DotCr, _) => output.push(b'\r'),
            _ => {}
        }
        output.push(byte);
        match (self.at, byte) {
            (At::Cr, b'\n') => At::LineStart,
            (_, b'\r') => At::Cr,
            _ => At::Inside,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> (Vec<u8>, Option<usize>) {
        let (mut decoder, mut output, mut used) = (DataDecoder::new(), Vec::new(), 0);
        for piece in pieces {
            match decoder.decode(piece, &mut output) {
                DataStep::More => used += piece.len(),
                DataStep::End { consumed } => return (output, Some(used + consumed)),
            }
        }
        (output, None)
    }

    /// Decodes whole, cut at every place, and one byte at a time.
    fn everywhere(input: &[u8]) -> (Vec<u8>, Option<usize>) {
        let whole = decode(&[input]);
        for cut in 0..=input.len() {
            assert_eq!(
                decode(&[&input[..cut], &input[cut..]]),
                whole,
                "cut at {cut}"
            );
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(decode(&bytes), whole);
        whole
    }

    #[test]
    fn ends_at_crlf_dot_crlf() {
        assert_eq!(
            everywhere(b"a\r\n.\r\nQUIT\r\n"),
            (b"a\r\n".to_vec(), Some(6))
        );
        assert_eq!(everywhere(b".\r\n"), (Vec::new(), Some(3)));
    }

    #[test]
    fn removes_stuffed_dots() {
        assert_eq!(
            everywhere(b"..\r\n...a\r\n.b\r\na.\r\n.\r\n").0,
            b".\r\n..a\r\nb\r\na.\r\n"
        );
    }

    #[test]
    fn nothing_else_ends_a_message() {
        // LMTP-01 … LMTP-09, and the rest of the family.
        let ends: [&[u8]; 14] = [
            b"\n.\n",
            b"\n.\r\n",
            b"\r\n.\n",
            b"\r.\r",
            b"\r.\n",
            b"\n.\r",
            b"\r.\r\n",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
            b"\r\n.\r\r\n",
            b"\r\n .\r\n",
            b"\r\n. \r\n",
            b"\r\r\n\r.\r\n",
            b"\r\n..\r\n",
        ];
        for end in ends {
            let input = [b"x", end, b"MAIL FROM:<evil@b>\r\ny"].concat();
            assert_eq!(everywhere(&input).1, None, "{end:?}");
            let (data, used) = everywhere(&[&input, &b"\r\n.\r\n"[..]].concat());
            assert_eq!(used, Some(input.len() + 5));
            assert!(data.ends_with(b"MAIL FROM:<evil@b>\r\ny\r\n"));
        }
    }

    #[test]
    fn bare_cr_and_lf_are_data() {
        assert_eq!(
            everywhere(b"a\nb\rc\n.\nd\r.\re\r\r\n.\r\n").0,
            b"a\nb\rc\n.\nd\r.\re\r\r\n"
        );
        assert_eq!(everywhere(b".\rx\r\n.\r\r\n.\r\n").0, b"\rx\r\n\r\r\n");
    }

    #[test]
    fn a_truncated_message_is_incomplete() {
        let input = b"Subject: x\r\n\r\n..y\r\n.\r\n";
        for length in 0..input.len() {
            assert_eq!(everywhere(&input[..length]).1, None);
        }
        assert!(everywhere(input).1.is_some());
    }

    #[test]
    fn stuffing_and_back_is_the_identity() {
        bolero::check!()
            .with_type::<(Vec<u8>, u8)>()
            .for_each(|(message, size)| {
                let sent = stuff(message);
                let pieces: Vec<&[u8]> = sent.chunks(usize::from(*size).max(1)).collect();
                let (received, used) = decode(&pieces);
                assert_eq!(used, Some(sent.len()));
                assert_eq!(received, [message, &b"\r\n"[..]].concat());
            });
    }

    #[test]
    fn any_bytes_in_any_pieces() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let spread: Vec<u8> = bytes
                .iter()
                .map(|byte| b"\r\n.\0x"[usize::from(byte % 5)])
                .collect();
            let whole = decode(&[&spread]);
            assert!(whole.0.len() <= spread.len());
            assert_eq!(decode(&spread.chunks(1).collect::<Vec<_>>()), whole);
            let end = spread
                .windows(5)
                .position(|window| window == b"\r\n.\r\n")
                .map(|at| at + 5);
            let expected = if spread.starts_with(b".\r\n") {
                Some(3)
            } else {
                end
            };
            assert_eq!(whole.1, expected);
        });
    }

    /// What an honest sender does, RFC 5321 §4.5.2.
    fn stuff(message: &[u8]) -> Vec<u8> {
        let mut sent = Vec::new();
        let mut at_start = true;
        for (index, &byte) in message.iter().enumerate() {
            if at_start && byte == b'.' {
                sent.push(b'.');
            }
            sent.push(byte);
            at_start = byte == b'\n' && index > 0 && message[index - 1] == b'\r';
        }
        sent.extend_from_slice(b"\r\n.\r\n");
        sent
    }
}
