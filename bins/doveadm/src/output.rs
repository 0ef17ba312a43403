//! Rows in the formats that scripts ask doveadm for.

use std::io::Write;

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
    /// A line per value, rows apart
    Pager,
    /// One array of objects
    Json,
}

/// A column: what programs call it (JSON), what people read.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub key: &'static str,
    pub title: &'static str,
}

impl Column {
    pub const fn new(key: &'static str, title: &'static str) -> Self {
        Self { key, title }
    }
}

/// Prints rows; whoever closed the pipe has read enough.
pub fn print(formatter: Formatter, columns: &[Column], rows: &[Vec<String>]) {
    put(&render(formatter, columns, rows));
}

/// Prints text.
pub fn put(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn render(formatter: Formatter, columns: &[Column], rows: &[Vec<String>]) -> String {
    match formatter {
        Formatter::Flow => rows.iter().map(|row| flow(columns, row)).collect(),
        Formatter::Tab => tab(columns, rows),
        Formatter::Table => table(columns, rows),
        Formatter::Pager => rows
            .iter()
            .map(|row| pager(columns, row))
            .collect::<Vec<_>>()
            .join("\n"),
        Formatter::Json => json(columns, rows),
    }
}

/// Control characters could move the cursor or forge a row.
fn clean(value: &str) -> String {
    value
        .chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect()
}

fn flow(columns: &[Column], row: &[String]) -> String {
    let pairs: Vec<_> = columns
        .iter()
        .zip(row)
        .map(|(column, value)| format!("{}={}", column.title, clean(value)))
        .collect();
    pairs.join(" ") + "\n"
}

fn pager(columns: &[Column], row: &[String]) -> String {
    columns
        .iter()
        .zip(row)
        .map(|(column, value)| format!("{}: {}\n", column.title, clean(value)))
        .collect()
}

fn tab(columns: &[Column], rows: &[Vec<String>]) -> String {
    let titles: Vec<_> = columns
        .iter()
        .map(|column| column.title.to_owned())
        .collect();
    let lines = std::iter::once(&titles).chain(rows);
    lines
        .map(|row| {
            row.iter()
                .map(|value| clean(value))
                .collect::<Vec<_>>()
                .join("\t")
                + "\n"
        })
        .collect()
}

fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let length = |text: &str| text.chars().count();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|value| clean(value)).collect())
        .collect();
    let widths: Vec<usize> = (0..)
        .zip(columns)
        .map(|(place, column)| {
            let values = cells
                .iter()
                .filter_map(|row: &Vec<String>| row.get(place))
                .map(|value| length(value));
            values.max().unwrap_or_default().max(length(column.title))
        })
        .collect();
    let titles: Vec<_> = columns
        .iter()
        .map(|column| column.title.to_owned())
        .collect();
    let lines = std::iter::once(&titles).chain(&cells);
    lines
        .map(|row| {
            let padded = row
                .iter()
                .zip(&widths)
                .map(|(value, width)| format!("{value:width$}"));
            padded.collect::<Vec<_>>().join(" ").trim_end().to_owned() + "\n"
        })
        .collect()
}

fn json(columns: &[Column], rows: &[Vec<String>]) -> String {
    let object = |row: &Vec<String>| {
        let pairs = columns
            .iter()
            .zip(row)
            .map(|(column, value)| (column.key.to_owned(), value.clone().into()));
        serde_json::Value::Object(pairs.collect())
    };
    serde_json::Value::Array(rows.iter().map(object).collect()).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [
        Column::new("username", "username"),
        Column::new("connections", "#"),
    ];

    fn rows() -> Vec<Vec<String>> {
        [["jo", "2"], ["a\u{1b}[2J\nlx", "10"]]
            .map(|row| row.map(str::to_owned).to_vec())
            .to_vec()
    }

    #[test]
    fn every_format_keeps_a_row_a_row() {
        assert_eq!(
            render(Formatter::Flow, &COLUMNS, &rows()),
            "username=jo #=2\nusername=a?[2J?lx #=10\n"
        );
        assert_eq!(
            render(Formatter::Tab, &COLUMNS, &rows()),
            "username\t#\njo\t2\na?[2J?lx\t10\n"
        );
        assert_eq!(
            render(Formatter::Table, &COLUMNS, &rows()),
            "username #\njo       2\na?[2J?lx 10\n"
        );
        assert_eq!(
            render(Formatter::Pager, &COLUMNS, &rows()),
            "username: jo\n#: 2\n\nusername: a?[2J?lx\n#: 10\n"
        );
        let json: serde_json::Value =
            serde_json::from_str(&render(Formatter::Json, &COLUMNS, &rows())).unwrap();
        assert_eq!(json[1]["username"], "a\u{1b}[2J\nlx");
        assert_eq!(json[0]["connections"], "2");
    }
}
