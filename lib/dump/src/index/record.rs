//! One mail of an index: flags, what extensions say of it, what is cached.

use std::io::Write;

use ::index::{Extension, RecordRef, State};

use crate::Trouble;
use crate::cache::Cache;
use crate::input::{hex, time, u16_at, u32_at, u64_at};

/// Flags as Dovecot's dump orders them. FORMATS.md §1.1.
const FLAGS: [(u8, &str); 5] = [
    (0x08, "Seen"),
    (0x01, "Answered"),
    (0x02, "Flagged"),
    (0x04, "Deleted"),
    (0x10, "Draft"),
];

/// Prints it without what is cached.
pub fn write(
    state: &State,
    seq: u32,
    mail: RecordRef<'_>,
    out: &mut dyn Write,
) -> Result<(), Trouble> {
    let flags = mail.flags();
    let names = FLAGS.iter().filter(|(flag, _)| flags & flag != 0);
    let names: Vec<&str> = names.map(|(_, name)| *name).collect();
    let names = match names.as_slice() {
        [] => String::new(),
        names => format!("({})", names.join(" ")),
    };
    let uid = mail.uid();
    writeln!(
        out,
        "RECORD: seq={seq}, uid={uid}, flags=0x{flags:02x} {names}"
    )?;
    for (number, extension) in in_dovecots_order(state) {
        let Some(data) = extension.bytes_of(mail).filter(|data| !data.is_empty()) else {
            continue;
        };
        let value = number_of(extension, data);
        let (name, hex) = (&extension.name, hex(data));
        writeln!(out, " - ext {number} {name:<10}: {value:>10} ({hex})")?;
        write_meaning(extension, data, out)?;
    }
    Ok(())
}

/// The two that Dovecot always knows come first, the others as they stand in the index.
fn in_dovecots_order(state: &State) -> impl Iterator<Item = (usize, &Extension)> {
    const ALWAYS: [&str; 2] = ["keywords", "modseq"];
    let all = || state.extensions().iter().map(|extension| &**extension);
    let always = ALWAYS.iter().enumerate();
    let first = always.filter_map(move |(number, name)| {
        Some((number, all().find(|extension| extension.name == *name)?))
    });
    let others = all().filter(|extension| !ALWAYS.contains(&extension.name.as_str()));
    first.chain((ALWAYS.len()..).zip(others))
}

fn number_of(extension: &Extension, data: &[u8]) -> String {
    let number = match (extension.record_size, extension.record_align) {
        (2, 2) => u16_at(data, 0).map(u64::from),
        (4, 4) => u32_at(data, 0).map(u64::from),
        (8, 8) => u64_at(data, 0),
        _ => None,
    };
    number.map_or_else(String::new, |number| number.to_string())
}

/// FORMATS.md §1.10, §1.11, §2.3, §2.4.
fn write_meaning(extension: &Extension, data: &[u8], out: &mut dyn Write) -> Result<(), Trouble> {
    let at = |offset| u32_at(data, offset).unwrap_or_default();
    let dated = |value| format!("{value} ({})", time(value));
    let guid = |from: usize| hex(data.get(from..from + 16).unwrap_or_default());
    let meaning: Vec<(&str, String)> = match extension.name.as_str() {
        "map" => vec![
            ("file_id", at(0).to_string()),
            ("offset ", at(4).to_string()),
            ("size   ", at(8).to_string()),
        ],
        "mdbox" => vec![
            ("map_uid  ", at(0).to_string()),
            ("save_date", dated(at(4))),
        ],
        "virtual" => vec![
            ("mailbox_id", at(0).to_string()),
            ("real_uid  ", at(4).to_string()),
        ],
        "list" => vec![
            ("name_id     ", at(0).to_string()),
            ("parent_uid  ", at(4).to_string()),
            ("guid        ", guid(8)),
            ("uid_validity", at(24).to_string()),
        ],
        "msgs" => vec![
            ("messages", at(0).to_string()),
            ("unseen  ", at(4).to_string()),
            ("recent  ", at(8).to_string()),
            ("uidnext ", at(12).to_string()),
        ],
        "vsize" if data.len() >= 16 => vec![
            (
                "vsize        ",
                u64_at(data, 0).unwrap_or_default().to_string(),
            ),
            ("highest_uid  ", at(8).to_string()),
            ("message_count", at(12).to_string()),
        ],
        _ => Vec::new(),
    };
    for (name, value) in meaning {
        writeln!(out, "                   : {name} = {value}")?;
    }
    Ok(())
}

/// Prints what is cached of it.
pub fn write_cached(
    state: &State,
    mail: RecordRef<'_>,
    cache: Option<&Cache>,
    out: &mut dyn Write,
) -> Result<(), Trouble> {
    let Some((extension, cache)) = state.extension("cache").zip(cache) else {
        return Ok(());
    };
    // Of another file than the one that is there.
    if extension.reset_id != cache.file_seq() {
        return Ok(());
    }
    let offset = extension.bytes_of(mail).and_then(|data| u32_at(data, 0));
    match offset.filter(|offset| *offset > 0) {
        Some(offset) => cache.write_mail(offset, out),
        None => Ok(()),
    }
}
