//! A transaction log: `dovecot.index.log` and its like. FORMATS.md §1.2.

use std::io::Write;

use ::index::log::record::{
    Append, Attribute, Expunge, ExtIntro, FlagUpdate, Patch, Toggle, UidRange, ext_records, kind,
};
use ::index::log::{Body, LogHeader, Origin, RawRecord};
use ::index::state::modseq_after;

use super::input::{beginning, hex, name, read, time, u32_at, u64_at};
use super::{Target, Trouble};

/// Written by dsync.
const SYNC: u32 = 0x2000_0000;

pub fn detect(target: &Target<'_>) -> bool {
    let named = name(target.path);
    let named = named
        .split_once(".log")
        .is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('.'));
    named && LogHeader::decode(&beginning(target.path)).is_ok()
}

pub fn dump(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    let header = LogHeader::decode(&bytes).map_err(|wrong| Trouble::file(wrong.to_string()))?;
    write_header(&header, out)?;
    let mut dumper = Dumper {
        minor_version: header.minor_version,
        modseq: header.initial_modseq,
        record_size: 0,
    };
    let mut at = usize::from(header.header_size);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(record) = RawRecord::decode(rest, at as u64) else {
            return broken(rest, at, out);
        };
        dumper.record(&record, out)?;
        at += record.size();
    }
    Ok(())
}

fn broken(rest: &[u8], at: usize, out: &mut dyn Write) -> Result<(), Trouble> {
    let Some((size, kind)) = u32_at(rest, 0).zip(u32_at(rest, 4)) else {
        return Err(Trouble::file(format!("rec hdr read() {} != 8", rest.len())));
    };
    writeln!(
        out,
        "record: offset={at}, type={}, size=broken ({size:x})",
        type_name(kind, Origin::Internal)
    )?;
    Ok(())
}

fn write_header(header: &LogHeader, out: &mut dyn Write) -> Result<(), Trouble> {
    writeln!(out, "version = 1.{}", header.minor_version)?;
    writeln!(out, "hdr size = {}", header.header_size)?;
    writeln!(out, "index id = {}", header.index_id)?;
    writeln!(out, "file seq = {}", header.file_seq)?;
    writeln!(
        out,
        "prev file = {}/{}",
        header.prev_file_seq, header.prev_file_offset
    )?;
    writeln!(out, "create stamp = {}", header.created)?;
    writeln!(out, "initial modseq = {}", header.initial_modseq)?;
    writeln!(out, "compat flags = {:x}", header.compat_flags)?;
    Ok(())
}

fn type_name(kind: u32, origin: Origin) -> String {
    let name = match kind & 0x0fff_ffff {
        kind::EXPUNGE => "expunge",
        kind::EXPUNGE_GUID => "expunge-guid",
        kind::APPEND => "append",
        kind::FLAG_UPDATE => "flag-update",
        kind::HEADER_UPDATE => "header-update",
        kind::EXT_INTRO => "ext-intro",
        kind::EXT_RESET => "ext-reset",
        kind::EXT_HDR_UPDATE => "ext-hdr",
        kind::EXT_HDR_UPDATE32 => "ext-hdr32",
        kind::EXT_REC_UPDATE => "ext-rec",
        kind::KEYWORD_UPDATE => "keyword-update",
        kind::KEYWORD_RESET => "keyword-reset",
        kind::EXT_ATOMIC_INC => "ext-atomic-inc",
        kind::MODSEQ_UPDATE => "modseq-update",
        kind::INDEX_DELETED => "index-deleted",
        kind::INDEX_UNDELETED => "index-undeleted",
        kind::BOUNDARY => "boundary",
        kind::ATTRIBUTE_UPDATE => "attribute-update",
        other => return format!("unknown: {other:x}"),
    };
    match origin {
        Origin::Internal => name.to_owned(),
        Origin::External => format!("{name} (ext)"),
    }
}

/// Names of what a header update changes, where it is and how long. FORMATS.md §1.1.
const HEADER_FIELDS: [(&str, u32, u32); 20] = [
    ("minor_version", 1, 1),
    ("base_header_size", 2, 2),
    ("header_size", 4, 4),
    ("record_size", 8, 4),
    ("compat_flags", 12, 1),
    ("indexid", 16, 4),
    ("flags", 20, 4),
    ("uid_validity", 24, 4),
    ("next_uid", 28, 4),
    ("messages_count", 32, 4),
    ("unused_old_recent_messages_count", 36, 4),
    ("seen_messages_count", 40, 4),
    ("deleted_messages_count", 44, 4),
    ("first_recent_uid", 48, 4),
    ("first_unseen_uid_lowwater", 52, 4),
    ("first_deleted_uid_lowwater", 56, 4),
    ("log_file_seq", 60, 4),
    ("log_file_tail_offset", 64, 4),
    ("log_file_head_offset", 68, 4),
    ("day_stamp", 84, 4),
];

struct Dumper {
    minor_version: u8,
    /// Of the last record that has one.
    modseq: u64,
    /// Of the extension that the last intro named.
    record_size: usize,
}

impl Dumper {
    fn record(&mut self, record: &RawRecord<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
        write!(
            out,
            "record: offset={}, type={}{}, size={}",
            record.offset,
            type_name(record.kind, record.origin()),
            if record.flags & SYNC == 0 {
                ""
            } else {
                " (sync)"
            },
            record.size()
        )?;
        let before = self.modseq;
        self.modseq = modseq_after(before, record, self.minor_version);
        if before > 0 && self.modseq > before && has_modseq(record) {
            write!(out, ", modseq={}", self.modseq)?;
        }
        writeln!(out)?;
        match record.body() {
            Ok(body) => self.body(&body, out),
            Err(wrong) => Ok(writeln!(out, " - broken: {wrong}")?),
        }
    }

    fn body(&mut self, body: &Body, out: &mut dyn Write) -> Result<(), Trouble> {
        match body {
            Body::Append(mails) => appends(mails, out)?,
            Body::Expunge(ranges) => writeln!(out, " - uids={}", ranges_of(ranges))?,
            Body::ExpungeGuid(mails) => expunges(mails, out)?,
            Body::FlagUpdate(updates) => flag_updates(updates, out)?,
            Body::HeaderUpdate(patches) => header_updates(patches, out)?,
            Body::ExtIntro(intros) => {
                for intro in intros {
                    self.intro(intro, out)?;
                }
            }
            Body::ExtReset {
                reset_id, preserve, ..
            } => {
                writeln!(out, " - new_reset_id = {reset_id}")?;
                writeln!(out, " - preserve_data = {preserve}")?;
            }
            Body::ExtHeaderUpdate(patches) | Body::ExtHeaderUpdate32(patches) => {
                for patch in patches {
                    raw_patch(patch.offset, &patch.data, out)?;
                }
            }
            Body::ExtRecordUpdate(entries) => {
                for (uid, data) in ext_records(entries, self.record_size) {
                    writeln!(out, " - uid={uid}: {}", data_of(data))?;
                }
            }
            Body::ExtAtomicInc(changes) => {
                for (uid, difference) in changes {
                    let plus = if *difference > 0 { "+" } else { "" };
                    writeln!(out, " - uid={uid}: {plus}{difference}")?;
                }
            }
            Body::KeywordUpdate { change, name, uids } => {
                keyword_update((*change, name), uids, out)?;
            }
            Body::KeywordReset(ranges) => writeln!(out, " - uids={}", ranges_of(ranges))?,
            Body::ModseqUpdate(updates) => {
                for (uid, modseq) in updates {
                    writeln!(out, " - uid={uid} modseq={modseq}")?;
                }
            }
            Body::IndexDeleted | Body::IndexUndeleted => {}
            Body::Boundary(size) => writeln!(out, " - size={size}")?,
            Body::AttributeUpdate(attributes) => attribute_updates(attributes, out)?,
            Body::Unknown(_, payload) => writeln!(out, " - {}", hex(payload))?,
        }
        Ok(())
    }

    fn intro(&mut self, intro: &ExtIntro, out: &mut dyn Write) -> Result<(), Trouble> {
        self.record_size = usize::from(intro.record_size);
        writeln!(out, " - ext_id = {}", intro.ext_id.unwrap_or(u32::MAX))?;
        writeln!(out, " - reset_id = {}", intro.reset_id)?;
        writeln!(out, " - hdr_size = {}", intro.header_size)?;
        writeln!(out, " - record_size = {}", intro.record_size)?;
        writeln!(out, " - record_align = {}", intro.record_align)?;
        writeln!(out, " - flags = {}", intro.flags)?;
        writeln!(out, " - name_size = {}", intro.name.len())?;
        if !intro.name.is_empty() {
            writeln!(out, " - name = '{}'", intro.name)?;
        }
        Ok(())
    }
}

/// Records that say what happened to mails; others may raise the highest modseq, too.
fn has_modseq(record: &RawRecord<'_>) -> bool {
    !matches!(record.kind, kind::MODSEQ_UPDATE | kind::EXT_INTRO)
}

fn appends(mails: &[Append], out: &mut dyn Write) -> Result<(), Trouble> {
    write!(out, " - uids=")?;
    for mail in mails {
        write!(out, "{}", mail.uid)?;
        if mail.flags != 0 {
            write!(out, " (flags={:x})", mail.flags)?;
        }
        write!(out, ",")?;
    }
    writeln!(out)?;
    Ok(())
}

fn keyword_update(
    (change, name): (Toggle, &str),
    uids: &[UidRange],
    out: &mut dyn Write,
) -> Result<(), Trouble> {
    let modify = match change {
        Toggle::Add => 0,
        Toggle::Remove => 1,
    };
    let uids = ranges_of(uids);
    writeln!(out, " - modify={modify}, name={name}, uids={uids}")?;
    Ok(())
}

fn expunges(mails: &[Expunge], out: &mut dyn Write) -> Result<(), Trouble> {
    for mail in mails {
        writeln!(out, " - uid={} (guid {})", mail.uid, hex(&mail.guid))?;
    }
    Ok(())
}

fn flag_updates(updates: &[FlagUpdate], out: &mut dyn Write) -> Result<(), Trouble> {
    for update in updates {
        writeln!(
            out,
            " - uids={}-{} (flags +{:x}-{:x}, modseq_inc_flag={})",
            update.uids.first, update.uids.last, update.add, update.remove, update.modseq_inc
        )?;
    }
    Ok(())
}

fn header_updates(patches: &[Patch], out: &mut dyn Write) -> Result<(), Trouble> {
    for patch in patches {
        let (mut offset, mut data) = (patch.offset, patch.data.as_slice());
        while !data.is_empty() {
            let known = HEADER_FIELDS.iter().find(|(_, at, size)| {
                *at == offset && usize::try_from(*size).is_ok_and(|size| size <= data.len())
            });
            let Some((name, _, size)) = known else {
                raw_patch(offset, data, out)?;
                break;
            };
            let (value, rest) = data.split_at(usize::try_from(*size).unwrap_or(data.len()));
            writeln!(out, " - {name} = {}", number(value))?;
            (offset, data) = (offset + size, rest);
        }
    }
    Ok(())
}

fn raw_patch(offset: u32, data: &[u8], out: &mut dyn Write) -> Result<(), Trouble> {
    writeln!(
        out,
        " - offset = {offset}, size = {}: {}",
        data.len(),
        data_of(data)
    )?;
    Ok(())
}

fn attribute_updates(attributes: &[Attribute], out: &mut dyn Write) -> Result<(), Trouble> {
    for attribute in attributes {
        let change = match attribute.change {
            Toggle::Add => "add",
            Toggle::Remove => "remove",
        };
        let scope = match attribute.scope {
            b'p' => "private",
            b's' => "shared",
            _ => "?error?",
        };
        write!(
            out,
            " - {change}: {scope}/{} : timestamp={}",
            String::from_utf8_lossy(&attribute.name),
            time(attribute.time)
        )?;
        match attribute.change {
            Toggle::Add => writeln!(out, " value_len={}", attribute.value_size)?,
            Toggle::Remove => writeln!(out)?,
        }
    }
    Ok(())
}

fn ranges_of(ranges: &[UidRange]) -> String {
    let one = |range: &UidRange| format!("{}-{},", range.first, range.last);
    ranges.iter().map(one).collect()
}

/// Digits, and what they mean where that may be one number.
fn data_of(data: &[u8]) -> String {
    match u32_at(data, 0).filter(|_| data.len() == 4) {
        Some(number) => format!("{} (dec={number})", hex(data)),
        None => hex(data),
    }
}

fn number(value: &[u8]) -> String {
    match value {
        [byte] => byte.to_string(),
        [low, high] => u16::from_le_bytes([*low, *high]).to_string(),
        _ => match (value.len(), u32_at(value, 0), u64_at(value, 0)) {
            (4, Some(number), _) => number.to_string(),
            (8, _, Some(number)) => number.to_string(),
            _ => hex(value),
        },
    }
}
