//! Standard output; on a terminal, mail must not control it.

use std::io::{self, BufWriter, IsTerminal, Write};

/// Where rows go.
pub fn stdout() -> Box<dyn Write> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        Box::new(Harmless::new(BufWriter::new(stdout)))
    } else {
        Box::new(BufWriter::with_capacity(64 << 10, stdout))
    }
}

/// Shows control characters as `?`, but for line ends and tabs.
struct Harmless<W> {
    inner: W,
    /// The last byte was 0xc2: in UTF-8, 0x80 to 0x9f after it are control characters, too.
    after_c2: bool,
}

impl<W: Write> Harmless<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            after_c2: false,
        }
    }

    fn harmless(&mut self, byte: u8) -> u8 {
        let control = match byte {
            b'\n' | b'\t' | b'\r' => false,
            0x80..=0x9f => self.after_c2,
            byte => byte.is_ascii_control(),
        };
        self.after_c2 = byte == 0xc2;
        // What remains of a two-byte control character is not UTF-8; terminals show that it is none.
        if control { b'?' } else { byte }
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let harmless: Vec<u8> = bytes.iter().map(|&byte| self.harmless(byte)).collect();
        self.inner.write_all(&harmless)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_does_not_control_the_terminal() {
        let mut out = Harmless::new(Vec::new());
        out.write_all("a\u{1b}[2J\tb\r\nü\u{c2}".as_bytes())
            .unwrap();
        out.write_all("\u{9b}2J\u{7f}".as_bytes()).unwrap();
        assert_eq!(out.inner, b"a?[2J\tb\r\n\xc3\xbc\xc3\x82\xc2?2J?");
    }
}
