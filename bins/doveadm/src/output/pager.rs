//! A line per value, form feeds between rows.

use std::io::{self, Write};

use super::{At, Column, Format, Title};

#[derive(Default)]
pub struct Pager {
    /// Pieces of a value have come.
    within: bool,
    /// A value has been printed.
    begun: bool,
}

impl Pager {
    fn title(at: At<'_>, end: &str, out: &mut dyn Write) -> io::Result<()> {
        match at.column() {
            Some(column) if column.shown == Title::Shown => write!(out, "{}:{end}", column.title),
            _ => Ok(()),
        }
    }
}

impl Format for Pager {
    fn begin(&mut self, _columns: &[Column], _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn value(&mut self, at: At<'_>, value: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if at.is_first() && self.begun {
            out.write_all(b"\x0c\n")?;
        }
        self.begun = true;
        Self::title(at, " ", out)?;
        out.write_all(value)?;
        out.write_all(b"\n")
    }

    /// As in Dovecot, no form feed comes before a row that begins with a long value.
    fn piece(&mut self, at: At<'_>, piece: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if !self.within {
            Self::title(at, "\n", out)?;
            self.within = true;
        }
        out.write_all(piece)
    }

    fn end(&mut self, at: At<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.piece(at, b"", out)?;
        self.within = false;
        Ok(())
    }

    fn finish(&mut self, _columns: &[Column], _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
