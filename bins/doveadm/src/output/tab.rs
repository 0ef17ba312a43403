//! Names in the first line, values between tabs.

use std::io::{self, Write};

use super::{At, Column, Format};

#[derive(Default)]
pub struct Tab {
    /// Pieces of a value have come.
    within: bool,
}

impl Format for Tab {
    fn begin(&mut self, columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
        let titles: Vec<&str> = columns.iter().map(|column| &*column.title).collect();
        writeln!(out, "{}", titles.join("\t"))
    }

    fn value(&mut self, at: At<'_>, value: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if !at.is_first() {
            out.write_all(b"\t")?;
        }
        out.write_all(value)?;
        if at.is_last() {
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn piece(&mut self, at: At<'_>, piece: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if !self.within && !at.is_first() {
            out.write_all(b"\t")?;
        }
        self.within = true;
        out.write_all(piece)
    }

    /// Dovecot ends a long value like an empty one, with another tab.
    fn end(&mut self, at: At<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.within = false;
        self.value(at, b"", out)
    }

    fn finish(&mut self, _columns: &[Column], _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
