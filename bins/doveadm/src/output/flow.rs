//! `name=value` pairs, a row a line.

use std::io::{self, Write};

use super::{At, Column, Format, Title};

#[derive(Default)]
pub struct Flow {
    /// Pieces of a value have come.
    within: bool,
}

impl Flow {
    fn title(at: At<'_>, out: &mut dyn Write) -> io::Result<()> {
        match at.column() {
            Some(column) if column.shown == Title::Shown => write!(out, "{}=", column.title),
            _ => Ok(()),
        }
    }

    fn separate(at: At<'_>, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(if at.is_last() { b"\n" } else { b" " })
    }
}

impl Format for Flow {
    fn begin(&mut self, _columns: &[Column], _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn value(&mut self, at: At<'_>, value: &[u8], out: &mut dyn Write) -> io::Result<()> {
        Self::title(at, out)?;
        out.write_all(value)?;
        Self::separate(at, out)
    }

    fn piece(&mut self, at: At<'_>, piece: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if !self.within {
            Self::title(at, out)?;
            self.within = true;
        }
        out.write_all(piece)
    }

    fn end(&mut self, at: At<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.piece(at, b"", out)?;
        self.within = false;
        Self::separate(at, out)
    }

    fn finish(&mut self, _columns: &[Column], _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
