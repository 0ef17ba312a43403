//! Line ends of saved messages, and their two sizes.
//!
//! Stored with LF, a line that came with CRLF loses its CR, unless another CR stands before it: so
//! that reading, which ends every line with CRLF, gives back exactly what came.

use mailbox::LineEnds;

/// Converts piece by piece.
#[derive(Clone, Debug)]
pub(crate) struct Converter {
    ends: LineEnds,
    /// Bytes when every line ends with CRLF.
    pub virtual_size: u64,
    /// A CR that came last: what follows decides.
    held_cr: bool,
    /// The byte before it, or the last one given out.
    previous: u8,
}

impl Converter {
    pub(crate) fn new(ends: LineEnds) -> Self {
        Self {
            ends,
            virtual_size: 0,
            held_cr: false,
            previous: 0,
        }
    }

    /// Adds what becomes of `bytes` to `out`.
    pub(crate) fn convert(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let plain = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            if plain > 0 {
                self.release_cr(out);
                let (text, after) = rest.split_at(plain);
                self.put(text, out);
                self.virtual_size += text.len() as u64;
                rest = after;
            }
            match rest.split_first() {
                Some((b'\r', after)) => {
                    self.release_cr(out);
                    self.held_cr = true;
                    rest = after;
                }
                Some((_, after)) => {
                    self.end_line(out);
                    rest = after;
                }
                None => {}
            }
        }
    }

    /// Nothing follows.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.release_cr(out);
    }

    /// A CR that ends no line is text.
    fn release_cr(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.held_cr) {
            self.put(b"\r", out);
            self.virtual_size += 1;
        }
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        let with_cr = std::mem::take(&mut self.held_cr);
        let keep = match self.ends {
            LineEnds::Crlf => true,
            // CR CR LF stored as CR LF would lose a byte for good.
            LineEnds::Lf => with_cr && self.previous == b'\r',
        };
        self.put(if keep { b"\r\n" } else { b"\n" }, out);
        self.virtual_size += 2;
    }

    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
        self.previous = bytes.last().copied().unwrap_or(self.previous);
    }
}

/// Bytes of a message when every line ends with CRLF, counted piece by piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct VirtualSize {
    /// So far.
    pub bytes: u64,
    after_cr: bool,
}

impl VirtualSize {
    /// Counts on.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        for newline in memchr::memchr_iter(b'\n', bytes) {
            let after_cr = match newline.checked_sub(1) {
                Some(before) => bytes.get(before) == Some(&b'\r'),
                None => self.after_cr,
            };
            self.bytes += u64::from(!after_cr);
        }
        self.after_cr = bytes.last().map_or(self.after_cr, |&last| last == b'\r');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(input: &[u8], ends: LineEnds, step: usize) -> (Vec<u8>, u64) {
        let (mut converter, mut out) = (Converter::new(ends), Vec::new());
        for piece in input.chunks(step) {
            converter.convert(piece, &mut out);
        }
        converter.finish(&mut out);
        (out, converter.virtual_size)
    }

    /// What a reader makes of stored bytes: each LF without CR gets one.
    fn read_back(stored: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for &byte in stored {
            if byte == b'\n' && text.last() != Some(&b'\r') {
                text.push(b'\r');
            }
            text.push(byte);
        }
        text
    }

    #[test]
    fn crlf_text_comes_back_byte_for_byte() {
        for input in [
            &b"a\r\n\r\nb\r\n"[..],
            b"a\r\r\nb\rc\r\n\r",
            b"\r\n",
            b"\r\r\r\n\r\r\n",
            b"",
            b"no end",
        ] {
            for ends in [LineEnds::Lf, LineEnds::Crlf] {
                for step in [1, 2, 3, 100] {
                    let (bytes, size) = stored(input, ends, step);
                    assert_eq!(read_back(&bytes), input, "{ends:?} {step}");
                    assert_eq!(size, input.len() as u64);
                    let mut counted = VirtualSize::default();
                    bytes.chunks(step).for_each(|piece| counted.add(piece));
                    assert_eq!(counted.bytes, size);
                }
            }
        }
    }

    #[test]
    fn bare_lf_counts_as_crlf() {
        assert_eq!(
            stored(b"a\nb\r\n", LineEnds::Lf, 1),
            (b"a\nb\n".to_vec(), 6)
        );
        assert_eq!(stored(b"a\nb\r\n", LineEnds::Crlf, 9).0, b"a\r\nb\r\n");
    }
}
