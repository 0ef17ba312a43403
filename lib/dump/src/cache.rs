//! A cache: `dovecot.index.cache`. FORMATS.md §1.12.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use ::index::cache::record::RecordHead;
use ::index::cache::{Decision, FieldType, Header, Table, TableEntry, parts};

use super::input::{beginning, hex, name, read, time, u32_at, u64_at};
use super::{Target, Trouble};

/// Field tables point to each other; no file has more.
const MOST_TABLES: usize = 10_000;

pub fn detect(target: &Target<'_>) -> bool {
    name(target.path).ends_with(".cache") && Header::decode_any(&beginning(target.path)).is_ok()
}

/// The header, the fields, then every record by its offset: which mail it is of, only the index knows.
pub fn dump(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    let header = Header::decode_any(&bytes);
    let index_id = header
        .map_err(|why| Trouble::file(format!("{}: {why:?}", target.path.display())))?
        .index_id;
    let cache = Cache::of(bytes, index_id)
        .ok_or_else(|| Trouble::file(format!("{}: corrupted", target.path.display())))?;
    cache.write_header(Forced::Told, out)?;
    writeln!(out, "\n-- RECORDS --")?;
    cache.write_all(out)
}

/// Is it told that a decision was made by the configuration? Dovecot's dump of an index does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    Told,
    Hidden,
}

/// A cache file, all of it.
pub struct Cache {
    bytes: Vec<u8>,
    header: Header,
    fields: Vec<TableEntry>,
    /// Where tables of fields are, and how long: between the records.
    tables: Vec<(usize, usize)>,
}

impl Cache {
    /// `None`: there is none of this index.
    pub fn open(path: &Path, index_id: u32) -> Option<Self> {
        Self::of(read(path).ok()?, index_id)
    }

    fn of(bytes: Vec<u8>, index_id: u32) -> Option<Self> {
        let header = Header::decode(&bytes, index_id).ok()?;
        let mut tables = Vec::new();
        let mut fields = Vec::new();
        let mut next = header.fields_offset;
        while next != 0 && tables.len() < MOST_TABLES {
            let at = usize::try_from(next).ok()?;
            let table = Table::decode(bytes.get(at..)?).ok()?;
            let size = usize::try_from(u32_at(&bytes, at + 4)?).ok()?;
            tables.push((at, size.next_multiple_of(4)));
            (fields, next) = (table.entries, table.next_offset);
        }
        Some(Self {
            bytes,
            header,
            fields,
            tables,
        })
    }

    /// What the index calls it.
    pub fn file_seq(&self) -> u32 {
        self.header.file_seq
    }

    /// Prints the header and the fields.
    pub fn write_header(&self, forced: Forced, out: &mut dyn Write) -> Result<(), Trouble> {
        let header = &self.header;
        let dated = |value| format!("{value} ({})", time(value));
        let major = self.bytes.first().copied().unwrap_or_default();
        writeln!(out, "major version ........ = {major}")?;
        writeln!(out, "minor version ........ = {}", header.minor_version)?;
        writeln!(out, "indexid .............. = {}", dated(header.index_id))?;
        writeln!(
            out,
            "file_seq ............. = {} ({} purges)",
            dated(header.file_seq),
            i64::from(header.file_seq) - i64::from(header.index_id)
        )?;
        writeln!(out, "continued_record_count = {}", header.continued_records)?;
        writeln!(out, "record_count ......... = {}", header.records)?;
        writeln!(out, "used_file_size (old) . = {}", header.used_size)?;
        writeln!(out, "deleted_record_count . = {}", header.deleted_records)?;
        let raw = u32_at(&self.bytes, 28).unwrap_or_default();
        writeln!(
            out,
            "field_header_offset .. = {} (0x{raw:08x} nontranslated)",
            header.fields_offset
        )?;
        writeln!(out, "-- Cache fields --")?;
        writeln!(
            out,
            " #  Name                                         Type Size Dec  Last used"
        )?;
        for (number, field) in self.fields.iter().enumerate() {
            write_field(number, field, forced, out)?;
        }
        Ok(())
    }

    fn write_all(&self, out: &mut dyn Write) -> Result<(), Trouble> {
        let mut at = Header::SIZE;
        while at < self.bytes.len() {
            if let Some((_, size)) = self.tables.iter().find(|(table, _)| *table == at) {
                writeln!(out, "fields offset={at} size={size}")?;
                at += size;
                continue;
            }
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Ok(head) = RecordHead::decode(rest) else {
                return Ok(writeln!(out, "broken at offset={at}")?);
            };
            let size = usize::try_from(head.size).unwrap_or(usize::MAX);
            let Some(record) = rest.get(RecordHead::SIZE..size) else {
                return Ok(writeln!(out, "broken at offset={at}")?);
            };
            writeln!(
                out,
                "record offset={at} size={size}, prev_offset = {}",
                head.prev_offset
            )?;
            if self.write_values(record, out)?.is_none() {
                writeln!(out, " - broken cache")?;
            }
            at += size;
        }
        Ok(())
    }

    /// Prints the records of one mail, the newest first.
    pub fn write_mail(&self, offset: u32, out: &mut dyn Write) -> Result<(), Trouble> {
        let mut next = offset;
        let mut seen = HashSet::new();
        while next != 0 {
            let at = usize::try_from(next).unwrap_or(usize::MAX);
            let rest = self.bytes.get(at..).unwrap_or_default();
            let head = RecordHead::decode(rest).ok().filter(|_| seen.insert(next));
            let record = head.and_then(|head| {
                let size = usize::try_from(head.size).ok()?;
                Some((head, rest.get(RecordHead::SIZE..size)?))
            });
            let Some((head, record)) = record else {
                return Ok(writeln!(out, " - broken cache")?);
            };
            writeln!(
                out,
                " - cache offset={next} size={}, prev_offset = {}",
                head.size, head.prev_offset
            )?;
            if self.write_values(record, out)?.is_none() {
                return Ok(writeln!(out, " - broken cache")?);
            }
            next = head.prev_offset;
        }
        Ok(())
    }

    /// `None`: they make no sense.
    fn write_values(&self, mut rest: &[u8], out: &mut dyn Write) -> Result<Option<()>, Trouble> {
        while !rest.is_empty() {
            let Some((field, value, behind)) = self.value(rest) else {
                return Ok(None);
            };
            let name = String::from_utf8_lossy(&field.name);
            writeln!(out, "    - {name}: {}", text_of(field, value))?;
            rest = behind;
        }
        Ok(Some(()))
    }

    fn value<'v>(&self, rest: &'v [u8]) -> Option<(&TableEntry, &'v [u8], &'v [u8])> {
        let field = self.fields.get(usize::try_from(u32_at(rest, 0)?).ok()?)?;
        let rest = rest.get(4..)?;
        let (size, rest) = match field.kind {
            FieldType::Fixed | FieldType::Bitmask => (field.size, rest),
            _ => (u32_at(rest, 0)?, rest.get(4..)?),
        };
        let size = usize::try_from(size).ok()?;
        let value = rest.get(..size)?;
        let behind = rest.get(size.checked_next_multiple_of(4)?..);
        Some((field, value, behind.unwrap_or_default()))
    }
}

fn write_field(
    number: usize,
    field: &TableEntry,
    forced: Forced,
    out: &mut dyn Write,
) -> Result<(), Trouble> {
    let name = String::from_utf8_lossy(&field.name);
    let kind = match field.kind {
        FieldType::Fixed => "fix",
        FieldType::Variable => "var",
        FieldType::String => "str",
        FieldType::Bitmask => "bit",
        FieldType::Header => "hdr",
    };
    let fixed = matches!(field.kind, FieldType::Fixed | FieldType::Bitmask);
    let size = match fixed || field.size != u32::MAX {
        true => field.size.to_string(),
        false => "-".to_owned(),
    };
    let decision = match field.policy.decision {
        Decision::No => "no",
        Decision::Temp => "tmp",
        Decision::Yes => "yes",
    };
    let decision = match field.policy.forced && forced == Forced::Told {
        true => format!("{decision}!"),
        false => decision.to_owned(),
    };
    let used = time(field.last_used);
    let used = used.get(..16).unwrap_or(&used);
    writeln!(
        out,
        "{number:2}: {name:<44} {kind:<4} {size:>4} {decision:<4} {used}"
    )?;
    Ok(())
}

fn text_of(field: &TableEntry, value: &[u8]) -> String {
    match field.kind {
        FieldType::Fixed => match (value.len(), u32_at(value, 0), u64_at(value, 0)) {
            (4, Some(number), _) => format!("{number} ({})", hex(value)),
            (8, _, Some(number)) => format!("{number}({})", hex(value)),
            _ => format!("({})", hex(value)),
        },
        FieldType::Variable | FieldType::Bitmask => {
            let parts = match field.name.as_slice() {
                b"mime.parts" => format!(" {}", parts_of(value)),
                _ => String::new(),
            };
            format!("({}){parts}", hex(value))
        }
        FieldType::String => String::from_utf8_lossy(value).into_owned(),
        FieldType::Header => header_of(value),
    }
}

/// Lines that the field stands in, and the lines themselves.
fn header_of(mut value: &[u8]) -> String {
    let mut lines = Vec::new();
    if value.is_empty() {
        return String::new();
    }
    loop {
        let Some(line) = u32_at(value, 0) else {
            return "\n - BROKEN: header field doesn't end with 0 line".to_owned();
        };
        value = value.get(4..).unwrap_or_default();
        if line == 0 {
            break;
        }
        lines.push(line.to_string());
    }
    if lines.len() == 1 {
        value = value.strip_suffix(b"\n").unwrap_or(value);
    }
    let mut text = lines.join(", ");
    if !value.is_empty() {
        // Writing to memory does not fail.
        let _ = write!(text, ": {}", String::from_utf8_lossy(value));
    }
    text
}

fn parts_of(value: &[u8]) -> String {
    match parts::decode_parts(value) {
        Ok(parts) => {
            let mut text = String::new();
            let mut rest = parts.as_slice();
            while !rest.is_empty() {
                rest = write_part(rest, 0, &mut text);
            }
            text
        }
        Err(damage) => format!("error: {damage}"),
    }
}

/// One part and those in it; returns what follows.
fn write_part<'p>(parts: &'p [parts::Part], depth: usize, text: &mut String) -> &'p [parts::Part] {
    let Some((part, mut rest)) = parts.split_first() else {
        return &[];
    };
    // Writing to memory does not fail.
    let _ = write!(
        text,
        "(pos={} hdr.p={} hdr.v={} body.p={} body.v={} flags={:x}",
        part.position,
        part.header_physical,
        part.header_virtual,
        part.body_physical,
        part.body_virtual,
        part.flags.0
    );
    if part.children > 0 && depth < 1000 {
        text.push(' ');
        for _ in 0..part.children {
            rest = write_part(rest, depth + 1, text);
        }
    }
    text.push(')');
    rest
}
