//! Files of lines: `dovecot-uidlist`, `dovecot-keywords`, `subscriptions`, `dovecot-uidvalidity`. FORMATS.md §4.2,
//! §4.3, §6.1, §6.3.

use std::io::Write;

use super::input::{beginning, name, read, time};
use super::{Target, Trouble};

fn lines(bytes: &[u8]) -> impl Iterator<Item = String> + '_ {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .filter(|line| !line.is_empty())
}

fn first_line(target: &Target<'_>) -> String {
    let bytes = beginning(target.path);
    lines(&bytes).next().unwrap_or_default()
}

/// `3 V… N… G…`, or `1 validity next`.
pub fn detect_uidlist(target: &Target<'_>) -> bool {
    let first = first_line(target);
    let mut words = first.split(' ');
    match words.next() {
        Some("3") => words.any(|word| word.starts_with('V') && is_number(word.get(1..))),
        Some("1") => {
            let rest: Vec<&str> = words.collect();
            rest.len() == 2 && rest.iter().all(|word| is_number(Some(word)))
        }
        _ => false,
    }
}

pub fn dump_uidlist(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    let mut lines = lines(&bytes);
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(' ');
    let version = words.next().unwrap_or_default().to_owned();
    writeln!(out, "version = {version}")?;
    if version == "1" {
        for (name, value) in ["uidvalidity", "next uid"].iter().zip(words) {
            writeln!(out, "{name} = {value}")?;
        }
    } else {
        for word in words {
            let (key, value) = word.split_at_checked(1).unwrap_or((word, ""));
            match (key, value.parse()) {
                ("V", Ok(stamp)) => writeln!(out, "uidvalidity = {value} ({})", time(stamp))?,
                ("N", _) => writeln!(out, "next uid = {value}")?,
                ("G", _) => writeln!(out, "mailbox guid = {value}")?,
                ("P", _) => writeln!(out, "pop3 uidl format = {value}")?,
                _ => writeln!(out, "unknown {key} = {value}")?,
            }
        }
    }
    for line in lines {
        record(&line, out)?;
    }
    Ok(())
}

/// `12 W345 Gabc :name`
fn record(line: &str, out: &mut dyn Write) -> Result<(), Trouble> {
    let (head, name) = match line.split_once(':') {
        Some((head, name)) => (head, name),
        None => line.split_once(' ').unwrap_or((line, "")),
    };
    let mut words = head.split(' ').filter(|word| !word.is_empty());
    write!(out, "uid={}", words.next().unwrap_or_default())?;
    for word in words {
        let (key, value) = word.split_at_checked(1).unwrap_or((word, ""));
        let name = match key {
            "S" => "size",
            "W" => "vsize",
            "G" => "guid",
            "P" => "pop3-uidl",
            "O" => "pop3-order",
            key => key,
        };
        write!(out, " {name}={value}")?;
    }
    writeln!(out, " name={name}")?;
    Ok(())
}

/// `0 Work`
pub fn detect_keywords(target: &Target<'_>) -> bool {
    name(target.path) == "dovecot-keywords"
        && first_line(target)
            .split_once(' ')
            .is_some_and(|(number, _)| is_number(Some(number)))
}

pub fn dump_keywords(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    for line in lines(&bytes) {
        let (number, name) = line.split_once(' ').unwrap_or((&line, ""));
        let letter = number.parse::<u8>().ok().filter(|number| *number < 26);
        let letter = letter.map_or('?', |number| char::from(b'a' + number));
        writeln!(out, "{number:>3} ({letter}) = {name}")?;
    }
    Ok(())
}

/// `V 2`, or a name a line.
pub fn detect_subscriptions(target: &Target<'_>) -> bool {
    beginning(target.path).starts_with(b"V\t")
        || ["subscriptions", ".subscriptions"].contains(&name(target.path).as_str())
}

pub fn dump_subscriptions(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    let mut lines = lines(&bytes).peekable();
    let version = lines
        .next_if(|line| line.starts_with("V\t"))
        .and_then(|line| line.get(2..).map(str::to_owned));
    writeln!(out, "version = {}", version.as_deref().unwrap_or("1"))?;
    for line in lines {
        let levels: Vec<String> = line.split('\t').map(unescape).collect();
        writeln!(out, "{}", levels.join("\t"))?;
    }
    Ok(())
}

/// `\x01t` and its like. FORMATS.md §6.3.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '\u{1}' => match letters.next() {
                Some('0') => '\0',
                Some('1') => '\u{1}',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('n') => '\n',
                Some(other) => other,
                None => break,
            },
            letter => letter,
        };
        plain.push(letter);
    }
    plain
}

/// Eight hexadecimal digits, in the file or behind the last dot of its name.
pub fn detect_uidvalidity(target: &Target<'_>) -> bool {
    name(target.path).starts_with("dovecot-uidvalidity")
}

pub fn dump_uidvalidity(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    let name = name(target.path);
    let digits = match (bytes.is_empty(), name.rsplit_once('.')) {
        (true, Some((_, suffix))) => suffix.to_owned(),
        _ => String::from_utf8_lossy(&bytes).trim_end().to_owned(),
    };
    match u32::from_str_radix(&digits, 16) {
        Ok(last) if digits.len() == 8 => {
            writeln!(out, "last uidvalidity = {last} ({})", time(last))?;
            Ok(())
        }
        _ => Err(Trouble::file(format!("not a UIDVALIDITY: {digits}"))),
    }
}

fn is_number(word: Option<&str>) -> bool {
    word.is_some_and(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
}
