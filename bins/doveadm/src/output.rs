//! Rows in the formats that scripts ask doveadm for, as Dovecot prints them.

mod flow;
mod json;
mod pager;
mod tab;
mod table;
mod terminal;

use std::borrow::Cow;
use std::io::{self, Write};

use clap::ValueEnum;

/// How rows look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Formatter {
    /// name=value pairs, a row a line
    Flow,
    /// Names in the first line, values between tabs
    Tab,
    /// Columns
    Table,
    /// A line per value, form feeds between rows
    Pager,
    /// One array of objects
    Json,
}

/// A column: what programs call it (JSON), what people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub key: Cow<'static, str>,
    pub title: Cow<'static, str>,
    pub shown: Title,
}

/// Is a column's title printed beside each value?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Title {
    Shown,
    Hidden,
}

impl Column {
    pub const fn new(key: &'static str, title: &'static str) -> Self {
        Self {
            key: Cow::Borrowed(key),
            title: Cow::Borrowed(title),
            shown: Title::Shown,
        }
    }

    /// One whose name is its title.
    pub fn named(name: &str) -> Self {
        Self {
            key: Cow::Owned(name.to_owned()),
            title: Cow::Owned(name.to_owned()),
            shown: Title::Shown,
        }
    }

    /// One whose values speak for themselves.
    pub const fn untitled(key: &'static str, title: &'static str) -> Self {
        Self {
            key: Cow::Borrowed(key),
            title: Cow::Borrowed(title),
            shown: Title::Hidden,
        }
    }
}

/// Where values go: one after the other, in the order of the columns.
pub trait Rows {
    /// A whole value.
    fn value(&mut self, value: &[u8]) -> io::Result<()>;

    /// A piece of a long value.
    fn piece(&mut self, piece: &[u8]) -> io::Result<()>;

    /// The long value is complete.
    fn end(&mut self) -> io::Result<()>;
}

/// One of the formats. `column` is where in its row a value stands.
trait Format {
    /// Before everything else.
    fn begin(&mut self, columns: &[Column], out: &mut dyn Write) -> io::Result<()>;
    fn value(&mut self, at: At<'_>, value: &[u8], out: &mut dyn Write) -> io::Result<()>;
    fn piece(&mut self, at: At<'_>, piece: &[u8], out: &mut dyn Write) -> io::Result<()>;
    fn end(&mut self, at: At<'_>, out: &mut dyn Write) -> io::Result<()>;
    /// After everything else.
    fn finish(&mut self, columns: &[Column], out: &mut dyn Write) -> io::Result<()>;
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct At<'c> {
    columns: &'c [Column],
    index: usize,
}

impl<'c> At<'c> {
    fn is_first(self) -> bool {
        self.index == 0
    }

    fn is_last(self) -> bool {
        self.index + 1 >= self.columns.len()
    }

    fn column(self) -> Option<&'c Column> {
        self.columns.get(self.index)
    }
}

/// Prints rows.
pub struct Printer {
    format: Box<dyn Format>,
    columns: Vec<Column>,
    index: usize,
    out: Box<dyn Write>,
    /// Goes before every row: whose it is, where there are several users.
    sticky: Option<Vec<u8>>,
}

impl Printer {
    /// To standard output.
    pub fn new(formatter: Formatter, columns: Vec<Column>) -> io::Result<Self> {
        Self::to(terminal::stdout(), formatter, columns)
    }

    fn to(out: Box<dyn Write>, formatter: Formatter, columns: Vec<Column>) -> io::Result<Self> {
        let format: Box<dyn Format> = match formatter {
            Formatter::Flow => Box::new(flow::Flow::default()),
            Formatter::Tab => Box::new(tab::Tab::default()),
            Formatter::Table => Box::new(table::Table::new()),
            Formatter::Pager => Box::new(pager::Pager::default()),
            Formatter::Json => Box::new(json::Json::default()),
        };
        let mut printer = Self {
            format,
            columns,
            index: 0,
            out,
            sticky: None,
        };
        printer.format.begin(&printer.columns, &mut *printer.out)?;
        Ok(printer)
    }

    /// From now on each row begins with this value.
    pub fn stick(&mut self, value: &str) {
        self.sticky = Some(value.as_bytes().to_vec());
    }

    /// Nothing comes any more.
    pub fn finish(mut self) -> io::Result<()> {
        self.format.finish(&self.columns, &mut *self.out)?;
        self.out.flush()
    }

    fn put(&mut self, what: What<'_>) -> io::Result<()> {
        if self.index == 0
            && let Some(sticky) = self.sticky.clone()
        {
            self.put_one(What::Value(&sticky))?;
        }
        self.put_one(what)
    }

    fn put_one(&mut self, what: What<'_>) -> io::Result<()> {
        let at = At {
            columns: &self.columns,
            index: self.index,
        };
        let out = &mut *self.out;
        match what {
            What::Value(value) => self.format.value(at, value, out)?,
            What::Piece(piece) => return self.format.piece(at, piece, out),
            What::End => self.format.end(at, out)?,
        }
        self.index = if at.is_last() { 0 } else { self.index + 1 };
        Ok(())
    }
}

enum What<'v> {
    Value(&'v [u8]),
    Piece(&'v [u8]),
    End,
}

impl Rows for Printer {
    fn value(&mut self, value: &[u8]) -> io::Result<()> {
        self.put(What::Value(value))
    }

    fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.put(What::Piece(piece))
    }

    fn end(&mut self) -> io::Result<()> {
        self.put(What::End)
    }
}

/// Prints rows of services' and users' names, in which control characters have no business: they could
/// move the cursor or forge a row. Whoever closed the pipe has read enough.
pub fn print(formatter: Formatter, columns: &[Column], rows: &[Vec<String>]) {
    let _ = try_print(terminal::stdout(), formatter, columns, rows);
}

fn try_print(
    out: Box<dyn Write>,
    formatter: Formatter,
    columns: &[Column],
    rows: &[Vec<String>],
) -> io::Result<()> {
    let mut printer = Printer::to(out, formatter, columns.to_vec())?;
    for value in rows.iter().flatten() {
        match formatter {
            Formatter::Json => printer.value(value.as_bytes())?,
            _ => printer.value(clean(value).as_bytes())?,
        }
    }
    printer.finish()
}

/// Prints text.
pub fn put(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn clean(value: &str) -> String {
    value
        .chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests;
