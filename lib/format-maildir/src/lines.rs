//! Line ends of saved messages, and the two sizes that a file name tells.
//!
//! Stored with LF, a line that came with CRLF loses its CR, unless another CR stands before it: so
//! that reading, which ends every line with CRLF, gives back exactly what came.

use sys::fs::FsResult;

use mailbox::LineEnds;

use crate::packed::Sink;

/// Sizes of a stored message, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// In the file, before it is compressed.
    pub on_disk: u64,
    /// When every line ends with CRLF.
    pub with_crlf: u64,
}

/// Converts while it writes.
pub(crate) struct LineWriter<'f> {
    sink: Sink<'f>,
    ends: LineEnds,
    buffer: Vec<u8>,
    sizes: Written,
    /// A CR that came last: what follows decides.
    held_cr: bool,
    /// The byte before it, or the last one written.
    previous: u8,
}

impl<'f> LineWriter<'f> {
    pub(crate) fn new(sink: Sink<'f>, ends: LineEnds) -> Self {
        let buffer = Vec::with_capacity(96 * 1024);
        Self {
            sink,
            ends,
            buffer,
            sizes: Written::default(),
            held_cr: false,
            previous: 0,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> FsResult<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let plain = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            if plain > 0 {
                self.release_cr();
                let (text, after) = rest.split_at(plain);
                self.put(text);
                self.sizes.with_crlf += text.len() as u64;
                rest = after;
            }
            match rest.split_first() {
                Some((b'\r', after)) => {
                    self.release_cr();
                    self.held_cr = true;
                    rest = after;
                }
                Some((_, after)) => {
                    self.end_line();
                    rest = after;
                }
                None => {}
            }
        }
        if self.buffer.len() >= 64 * 1024 {
            self.flush()
        } else {
            Ok(())
        }
    }

    pub(crate) fn finish(mut self) -> FsResult<Written> {
        self.release_cr();
        self.flush()?;
        self.sink.finish()?;
        Ok(self.sizes)
    }

    /// A CR that ends no line is text.
    fn release_cr(&mut self) {
        if std::mem::take(&mut self.held_cr) {
            self.put(b"\r");
            self.sizes.with_crlf += 1;
        }
    }

    fn end_line(&mut self) {
        let with_cr = std::mem::take(&mut self.held_cr);
        let keep = match self.ends {
            LineEnds::Crlf => true,
            // CR CR LF stored as CR LF would lose a byte for good.
            LineEnds::Lf => with_cr && self.previous == b'\r',
        };
        self.put(if keep { b"\r\n" } else { b"\n" });
        self.sizes.with_crlf += 2;
    }

    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.sizes.on_disk += bytes.len() as u64;
        self.previous = bytes.last().copied().unwrap_or(self.previous);
    }

    fn flush(&mut self) -> FsResult<()> {
        self.sink.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Counts the bytes that a stored message has when every line ends with CRLF.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CrlfCounter {
    pub bytes: u64,
    after_cr: bool,
}

impl CrlfCounter {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
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
    use sys::fs::{Fs, How};

    /// Stored bytes and sizes of `input`, written in pieces of `step` bytes.
    fn stored(input: &[u8], ends: LineEnds, step: usize) -> (Vec<u8>, Written) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mail");
        let file = Fs::real().open(&path, How::CreateNew, 0o600).unwrap();
        let mut writer = LineWriter::new(Sink::Plain(&file), ends);
        for piece in input.chunks(step) {
            writer.write(piece).unwrap();
        }
        let sizes = writer.finish().unwrap();
        (std::fs::read(path).unwrap(), sizes)
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
                    let (bytes, sizes) = stored(input, ends, step);
                    assert_eq!(read_back(&bytes), input, "{ends:?} {step}");
                    assert_eq!(sizes.on_disk, bytes.len() as u64);
                    assert_eq!(sizes.with_crlf, input.len() as u64);
                }
            }
        }
    }

    #[test]
    fn bare_lf_counts_as_crlf() {
        assert_eq!(stored(b"a\nb\r\n", LineEnds::Lf, 1).0, b"a\nb\n");
        assert_eq!(stored(b"a\nb\r\n", LineEnds::Crlf, 1).0, b"a\r\nb\r\n");
        assert_eq!(stored(b"a\nb\r\n", LineEnds::Lf, 9).1.with_crlf, 6);
    }

    #[test]
    fn counting_gives_what_reading_gives() {
        let text = b"a\nb\r\n\n\r\n\r\rx\n";
        for step in 1..=text.len() {
            let mut counter = CrlfCounter::default();
            text.chunks(step).for_each(|piece| counter.add(piece));
            assert_eq!(counter.bytes, read_back(text).len() as u64);
        }
    }
}
