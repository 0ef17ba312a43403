//! Columns as wide as the first hundred rows need; narrower where the terminal is.

use std::io::{self, Write};

use super::{At, Column, Format, Title};

/// Rows that decide how wide the columns are.
const ROWS: usize = 100;
/// Without a terminal.
const DEFAULT_WIDTH: usize = 80;
/// On any terminal.
const MIN_WIDTH: usize = 30;

pub struct Table {
    width: usize,
    /// Values of rows that wait for the widths.
    waiting: Vec<Vec<u8>>,
    widths: Option<Vec<usize>>,
    /// Pieces of a value.
    pieces: Vec<u8>,
}

impl Table {
    pub fn new() -> Self {
        let columns = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let width = columns.map_or(DEFAULT_WIDTH, |size| {
            usize::from(size.ws_col).max(MIN_WIDTH)
        });
        Self {
            width,
            waiting: Vec::new(),
            widths: None,
            pieces: Vec::new(),
        }
    }

    fn decide(&mut self, columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
        if self.widths.is_some() {
            return Ok(());
        }
        let widths = widths(columns, &self.waiting, self.width);
        if columns.iter().any(|column| column.shown == Title::Shown) {
            let titles = columns.iter().zip(&widths);
            let titles: Vec<String> = titles
                .map(|(column, width)| format!("{:width$}", column.title))
                .collect();
            writeln!(out, "{}", titles.join(" "))?;
        }
        self.widths = Some(widths);
        for (number, value) in std::mem::take(&mut self.waiting).iter().enumerate() {
            let index = number % columns.len().max(1);
            self.print(At { columns, index }, value, out)?;
        }
        Ok(())
    }

    fn print(&self, at: At<'_>, value: &[u8], out: &mut dyn Write) -> io::Result<()> {
        let width = self.widths.as_ref().and_then(|widths| widths.get(at.index));
        out.write_all(value)?;
        let padding = width.map_or(0, |width| width.saturating_sub(length(value)));
        write!(out, "{:padding$}", "")?;
        out.write_all(if at.is_last() { b"\n" } else { b" " })
    }
}

impl Format for Table {
    fn begin(&mut self, _columns: &[Column], _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn value(&mut self, at: At<'_>, value: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if self.widths.is_none() {
            if self.waiting.len() < ROWS * at.columns.len() {
                self.waiting.push(value.to_vec());
                return Ok(());
            }
            self.decide(at.columns, out)?;
        }
        self.print(at, value, out)
    }

    fn piece(&mut self, _at: At<'_>, piece: &[u8], _out: &mut dyn Write) -> io::Result<()> {
        if piece.contains(&b'\n') {
            let why = "table formatter doesn't support multi-line values";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        self.pieces.extend_from_slice(piece);
        Ok(())
    }

    fn end(&mut self, at: At<'_>, out: &mut dyn Write) -> io::Result<()> {
        let value = std::mem::take(&mut self.pieces);
        self.value(at, &value, out)
    }

    fn finish(&mut self, columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
        self.decide(columns, out)
    }
}

/// Characters of a value.
fn length(value: &[u8]) -> usize {
    value.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

/// How wide columns are, as Dovecot finds it: as wide as title and values need, the last columns give
/// way first where it is too much, the last one gets half of what is left over.
fn widths(columns: &[Column], values: &[Vec<u8>], room: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.title.len()).collect();
    let mut least = widths.clone();
    for (number, value) in values.iter().enumerate() {
        let index = number % columns.len().max(1);
        if let (Some(width), Some(least)) = (widths.get_mut(index), least.get_mut(index)) {
            *width = (*width).max(length(value));
            *least = (*least).min(length(value));
        }
    }
    let needed = widths.iter().sum::<usize>() + widths.len().saturating_sub(1);
    if needed > room {
        shrink(&mut widths, &least, needed, room);
    } else if let Some(last) = widths.last_mut() {
        *last += (room - needed) / 2;
    }
    widths
}

/// Halves what columns have to spare, from the last on, until one column's rest is enough.
fn shrink(widths: &mut [usize], least: &[usize], needed: usize, room: usize) {
    for (width, least) in widths.iter_mut().zip(least).rev() {
        let spare = width.saturating_sub(*least);
        if needed.saturating_sub(spare) <= room {
            *width -= needed - room;
            return;
        }
        *width -= if spare == 1 { 1 } else { spare / 2 };
    }
}
