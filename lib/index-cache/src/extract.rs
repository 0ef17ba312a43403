//! Values of fields, out of a message: the bytes that Dovecot would cache.
//!
//! The fields that a message alone cannot tell (`date.received`, `date.save`, `guid`, `pop3.*`) are
//! those of its mailbox; `binary.parts` and `body.snippet` are left to Dovecot.

use std::io;

use mailbox::Lesson;
use mailbox::cache::Nuls;
use message::{Envelope, Kind, Message};

use super::field::FieldId;
use super::lines::HeaderLines;
use super::parts::{Part, PartFlags, encode_parts, plain_body_structure};
use super::value::{MailBits, SentDate};

const HEADER_PREFIX: &str = "hdr.";

/// The values of these fields, with their names, out of what was read of a message; those that it does
/// not tell are left out, and fields that Dovecot stores instead of others are added.
#[must_use]
pub fn values(lesson: &Lesson<'_>, wanted: &[(FieldId, String)]) -> Vec<(FieldId, Vec<u8>)> {
    let mut ids: Vec<FieldId> = wanted.iter().map(|(id, _)| *id).collect();
    replace_plain_body(lesson, &mut ids);
    let own = ids.iter().filter_map(|id| Some((*id, value(lesson, *id)?)));
    let mut values: Vec<_> = own.collect();
    if lesson.nuls == Nuls::None {
        let headers = wanted
            .iter()
            .filter_map(|(id, name)| Some((*id, header_name(name)?)));
        values.extend(header_values(lesson.header, &headers.collect::<Vec<_>>()));
    }
    values
}

/// Of a header field, by what the cache calls it.
pub(super) fn header_name(field: &str) -> Option<&str> {
    let (prefix, name) = field.split_at_checked(HEADER_PREFIX.len())?;
    prefix.eq_ignore_ascii_case(HEADER_PREFIX).then_some(name)
}

/// BODY and BODYSTRUCTURE of a plain message are not stored: flags and parts tell them.
fn replace_plain_body(lesson: &Lesson<'_>, ids: &mut Vec<FieldId>) {
    let is_body = |id: &FieldId| {
        let bodies = [FieldId::IMAP_BODY, FieldId::IMAP_BODYSTRUCTURE];
        bodies.contains(id)
    };
    let is_asked = lesson.nuls == Nuls::None && ids.iter().any(is_body);
    if is_asked && lesson.message.is_some_and(is_plain) {
        ids.retain(|id| !is_body(id));
        for id in [FieldId::FLAGS, FieldId::MIME_PARTS] {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
}

fn value(lesson: &Lesson<'_>, id: FieldId) -> Option<Vec<u8>> {
    let size = |size: fn(&Message) -> u64| Some(size(lesson.message?).to_le_bytes().into());
    match id {
        FieldId::SIZE_VIRTUAL => size(|message| message.size().virtual_size),
        FieldId::SIZE_PHYSICAL => size(|message| message.size().physical),
        _ if lesson.nuls == Nuls::Some => None,
        FieldId::DATE_SENT => Some(sent(lesson.header)?.encode().into()),
        FieldId::IMAP_ENVELOPE => {
            let envelope = Envelope::read(lesson.header).ok()?;
            Some(without_parentheses(&envelope.to_wire())?.to_vec())
        }
        _ => value_of_message(lesson.message?, id),
    }
}

/// What only the whole message tells.
fn value_of_message(message: &Message, id: FieldId) -> Option<Vec<u8>> {
    let told = |write: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
        let mut out = Vec::new();
        write(&mut out).ok()?;
        Some(without_parentheses(&out)?.to_vec())
    };
    match id {
        FieldId::FLAGS => Some(bits(message).0.to_le_bytes().into()),
        FieldId::IMAP_BODY => told(&|out| message.write_body(out)),
        FieldId::IMAP_BODYSTRUCTURE => told(&|out| message.write_body_structure(out)),
        FieldId::MIME_PARTS => Some(encode_parts(&parts(message)?)),
        _ => None,
    }
}

fn without_parentheses(list: &[u8]) -> Option<&[u8]> {
    list.strip_prefix(b"(")?.strip_suffix(b")")
}

fn bits(message: &Message) -> MailBits {
    let root = message.root();
    let same = |size: message::Size| size.physical == size.virtual_size;
    let mut bits = MailBits::HAS_NO_NULS;
    if same(root.header.size) {
        bits = bits.with(MailBits::BINARY_HEADER);
    }
    if same(root.body.size) {
        bits = bits.with(MailBits::BINARY_BODY);
    }
    if is_plain(message) {
        bits = bits.with(MailBits::TEXT_PLAIN_7BIT);
    }
    bits
}

fn is_plain(message: &Message) -> bool {
    let Some(parts) = parts(message) else {
        return false;
    };
    let [root] = parts.as_slice() else {
        return false;
    };
    let plain = format!("({})", plain_body_structure(root));
    let mut told = Vec::new();
    let is_told = message.write_body_structure(&mut told).is_ok();
    is_told && told == plain.as_bytes()
}

/// `None`: a date that does not fit.
fn sent(header: &[u8]) -> Option<SentDate> {
    let is_date = |name: &[u8]| name.eq_ignore_ascii_case(b"date");
    let fields = message::field::read(header, is_date).unwrap_or_default();
    let date = fields
        .first()
        .and_then(|field| message::date::parse(&field.value));
    let Some(date) = date else {
        return Some(SentDate::default());
    };
    Some(SentDate {
        time: u32::try_from(date.unix).ok()?,
        zone_minutes: date.offset_minutes,
    })
}

/// The parts as the cache has them; `None`: it cannot say what is in this message.
#[must_use]
pub fn parts(message: &Message) -> Option<Vec<Part>> {
    let part = |id| {
        let part = message.part(id);
        let kind = match part.kind {
            Kind::Text => PartFlags::TEXT,
            Kind::Multipart if part.is_digest() => PartFlags::MULTIPART.with(PartFlags::DIGEST),
            Kind::Multipart => PartFlags::MULTIPART,
            Kind::Message => PartFlags::MESSAGE,
            Kind::Other => PartFlags(0),
            Kind::Overflow => return None,
        };
        let flags = match part.is_mime() {
            true => kind.with(PartFlags::IS_MIME),
            false => kind,
        };
        let (header, body) = (part.header.size, part.body.size);
        let is_counted = kind.intersects(PartFlags::TEXT.with(PartFlags::MESSAGE));
        Some(Part {
            flags,
            position: part.header.start,
            header_physical: header.physical,
            header_virtual: header.virtual_size,
            body_physical: body.physical,
            body_virtual: body.virtual_size,
            lines: if is_counted {
                u32::try_from(body.lines).ok()?
            } else {
                0
            },
            children: u32::try_from(message.children(id).count()).ok()?,
        })
    };
    message.part_ids().map(part).collect()
}

/// The occurrences of some header fields, in one pass over the header.
#[must_use]
pub fn header_values(header: &[u8], wanted: &[(FieldId, &str)]) -> Vec<(FieldId, Vec<u8>)> {
    let mut found: Vec<(Vec<u32>, Vec<u8>)> = vec![Default::default(); wanted.len()];
    let mut current = Vec::new();
    for (number, line) in (1u32..).zip(header.split_inclusive(|byte| *byte == b'\n')) {
        if !matches!(line.first(), Some(b' ' | b'\t')) || number == 1 {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            let name = name.trim_ascii_end();
            let is_field = line.contains(&b':');
            let matches = |wanted: &str| is_field && name.eq_ignore_ascii_case(wanted.as_bytes());
            let places = wanted
                .iter()
                .enumerate()
                .filter(|(_, (_, name))| matches(name));
            current = places.map(|(place, _)| place).collect();
            for place in &current {
                if let Some((numbers, _)) = found.get_mut(*place) {
                    numbers.push(number);
                }
            }
        }
        for place in &current {
            if let Some((_, text)) = found.get_mut(*place) {
                append_line(text, line);
            }
        }
    }
    let encode = |(numbers, text): (Vec<u32>, Vec<u8>)| {
        HeaderLines {
            numbers,
            text: &text,
        }
        .encode()
    };
    wanted
        .iter()
        .map(|(id, _)| *id)
        .zip(found.into_iter().map(encode))
        .collect()
}

/// Line ends are LF.
fn append_line(text: &mut Vec<u8>, line: &[u8]) {
    match line.strip_suffix(b"\r\n") {
        Some(line) => {
            text.extend(line);
            text.push(b'\n');
        }
        None => text.extend(line),
    }
}
