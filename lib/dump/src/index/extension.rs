//! Extensions of an index, and what their headers mean. FORMATS.md §1.10.

use std::io::Write;

use ::index::{Extension, State};

use crate::Trouble;
use crate::input::{hex, time, u32_at, u64_at};

/// All of them, in their order.
pub fn write_all(state: &State, out: &mut dyn Write) -> Result<(), Trouble> {
    if state.extensions().is_empty() {
        writeln!(out, "no extensions")?;
    }
    for (number, extension) in state.extensions().iter().enumerate() {
        writeln!(out, "-- Extension {number} --")?;
        writeln!(out, "name ........ = {}", extension.name)?;
        writeln!(out, "hdr_size .... = {}", extension.header.len())?;
        writeln!(out, "reset_id .... = {}", extension.reset_id)?;
        writeln!(out, "record_offset = {}", extension.record_offset)?;
        writeln!(out, "record_size . = {}", extension.record_size)?;
        writeln!(out, "record_align  = {}", extension.record_align)?;
        if !extension.header.is_empty() && extension.name != "keywords" {
            write_header(extension, state, out)?;
        }
    }
    Ok(())
}

/// One field of a header: its name, where it is, and how it is told.
type Field = (&'static str, usize, Told);

#[derive(Clone, Copy)]
enum Told {
    Number,
    Long,
    Byte,
    HexByte,
    Time,
    Guid,
}

const VSIZE: &[Field] = &[
    ("highest uid .", 8, Told::Number),
    ("message count", 12, Told::Number),
    ("vsize .......", 0, Told::Long),
];
const MAILDIR: &[Field] = &[
    ("new_check_time ....", 0, Told::Time),
    ("new_mtime .........", 4, Told::Time),
    ("new_mtime_nsecs ...", 8, Told::Number),
    ("cur_check_time ....", 12, Told::Time),
    ("cur_mtime .........", 16, Told::Time),
    ("cur_mtime_nsecs....", 20, Told::Number),
    ("uidlist_mtime .....", 24, Told::Time),
    ("uidlist_mtime_nsecs", 28, Told::Number),
    ("uidlist_size ......", 32, Told::Number),
];
const MBOX: &[Field] = &[
    ("sync_mtime .", 8, Told::Time),
    ("sync_size ..", 0, Told::Long),
    ("dirty_flag .", 12, Told::Byte),
    ("mailbox_guid", 16, Told::Guid),
];
const MDBOX: &[Field] = &[
    ("map_uid_validity ..", 0, Told::Number),
    ("mailbox_guid ......", 4, Told::Guid),
    ("flags .............", 20, Told::HexByte),
];
const SDBOX: &[Field] = &[
    ("rebuild_count .", 0, Told::Number),
    ("mailbox_guid ..", 4, Told::Guid),
    ("flags .........", 20, Told::HexByte),
];
const MODSEQ: &[Field] = &[
    ("highest_modseq", 0, Told::Long),
    ("log_seq ......", 8, Told::Number),
    ("log_offset ...", 12, Told::Number),
];
const POP3_UIDL: &[Field] = &[("max_uid_with_pop3_uidl", 0, Told::Number)];
const FTS: &[Field] = &[
    ("last_indexed_uid .....", 0, Told::Number),
    ("settings_checksum ....", 4, Told::Number),
];

fn write_header(extension: &Extension, state: &State, out: &mut dyn Write) -> Result<(), Trouble> {
    let known = match extension.name.as_str() {
        "hdr-vsize" => VSIZE,
        "maildir" => MAILDIR,
        "mbox" => MBOX,
        "mdbox-hdr" => MDBOX,
        "dbox-hdr" => SDBOX,
        "modseq" => MODSEQ,
        "hdr-pop3-uidl" => POP3_UIDL,
        "fts" => FTS,
        name => {
            writeln!(out, "header ........ = {}", hex(&extension.header))?;
            return match name {
                "list" => write_names(&extension.header, out),
                "box-name" => write_box_name(&extension.header, out),
                _ => Ok(()),
            };
        }
    };
    writeln!(out, "header")?;
    let mut header = extension.header.clone();
    // What a checkpoint would say now.
    if extension.name == "modseq"
        && let Some(to) = header.get_mut(..16)
    {
        let place = state.place();
        let head = u32::try_from(place.head).unwrap_or(u32::MAX);
        let now = state.highest_modseq().to_le_bytes().into_iter();
        let now = now
            .chain(place.file_seq.to_le_bytes())
            .chain(head.to_le_bytes());
        to.iter_mut().zip(now).for_each(|(to, byte)| *to = byte);
    }
    // A header that is shorter than usual ends with zeros.
    header.resize(header.len() + 128, 0);
    for (name, at, told) in known {
        writeln!(out, " - {name} = {}", told.text(&header, *at))?;
    }
    Ok(())
}

impl Told {
    fn text(self, header: &[u8], at: usize) -> String {
        let number = u32_at(header, at).unwrap_or_default();
        let byte = header.get(at).copied().unwrap_or_default();
        match self {
            Self::Number => number.to_string(),
            Self::Long => u64_at(header, at).unwrap_or_default().to_string(),
            Self::Byte => byte.to_string(),
            Self::HexByte => format!("0x{byte:x}"),
            Self::Time => time(number),
            Self::Guid => hex(header.get(at..at + 16).unwrap_or_default()),
        }
    }
}

/// The names of the list index: packed, unaligned. FORMATS.md §1.11.
fn write_names(header: &[u8], out: &mut dyn Write) -> Result<(), Trouble> {
    let flag = header.first().copied().unwrap_or_default();
    writeln!(out, " - refresh_flag = {flag}")?;
    let mut rest = header.get(1..).unwrap_or_default();
    while !rest.is_empty() {
        let id = match u32_at(rest, 0) {
            Some(0) => return Ok(()),
            Some(id) => id,
            None => return Ok(writeln!(out, " - corrupted")?),
        };
        let name = rest.get(4..).unwrap_or_default();
        let Some(end) = name.iter().position(|byte| *byte == 0) else {
            return Ok(writeln!(out, " - corrupted")?);
        };
        let (name, behind) = name.split_at(end);
        writeln!(out, " - {id} : {}", String::from_utf8_lossy(name))?;
        rest = behind.get(1..).unwrap_or_default();
    }
    Ok(())
}

fn write_box_name(header: &[u8], out: &mut dyn Write) -> Result<(), Trouble> {
    for part in header.split(|byte| *byte == 0) {
        writeln!(out, " {}", String::from_utf8_lossy(part))?;
    }
    Ok(())
}
