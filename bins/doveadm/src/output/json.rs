//! One array of objects. All values are strings, as Dovecot's are.

use std::io::{self, Write};

use super::{At, Column, Format};

#[derive(Default)]
pub struct Json {
    /// A row has been printed.
    begun: bool,
    /// Pieces of a value have come.
    within: bool,
    /// The beginning of a character whose rest comes with the next piece.
    broken: Vec<u8>,
}

impl Json {
    fn key(&mut self, at: At<'_>, out: &mut dyn Write) -> io::Result<()> {
        let before: &[u8] = match (at.is_first(), self.begun) {
            (true, false) => b"[{",
            (true, true) => b",{",
            (false, _) => b",",
        };
        self.begun = true;
        out.write_all(before)?;
        let key = at.column().map_or("", |column| &*column.key);
        write!(out, "\"{}\":\"", escaped(key))
    }

    fn close(at: At<'_>, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(if at.is_last() { b"\"}" } else { b"\"" })
    }
}

impl Format for Json {
    fn begin(&mut self, _columns: &[Column], _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn value(&mut self, at: At<'_>, value: &[u8], out: &mut dyn Write) -> io::Result<()> {
        self.key(at, out)?;
        out.write_all(escaped(&String::from_utf8_lossy(value)).as_bytes())?;
        Self::close(at, out)
    }

    fn piece(&mut self, at: At<'_>, piece: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if !self.within {
            self.key(at, out)?;
            self.within = true;
        }
        self.broken.extend_from_slice(piece);
        let whole = whole_characters(&self.broken);
        let text = self.broken.get(..whole).unwrap_or_default();
        out.write_all(escaped(&String::from_utf8_lossy(text)).as_bytes())?;
        self.broken.drain(..whole);
        Ok(())
    }

    fn end(&mut self, at: At<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.piece(at, b"", out)?;
        let rest = std::mem::take(&mut self.broken);
        out.write_all(escaped(&String::from_utf8_lossy(&rest)).as_bytes())?;
        self.within = false;
        Self::close(at, out)
    }

    fn finish(&mut self, _columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
        out.write_all(if self.begun { b"]" } else { b"[]" })
    }
}

/// How much of `bytes` is not the beginning of a character that could still become whole.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // What is broken in the middle is replaced; the end may still be cut off.
        Err(error) => {
            let behind = error.valid_up_to() + error.error_len().unwrap_or(1);
            behind + whole_characters(bytes.get(behind..).unwrap_or_default())
        }
        Ok(_) => bytes.len(),
    }
}

/// As it stands between quotes.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}
