//! `dovecot.mailbox.log`. FORMATS.md §6.2.

use std::io::Write;

use super::input::{beginning, hex, name, read, time};
use super::{Target, Trouble};

/// Bytes of a record.
const RECORD: usize = 24;

pub fn detect(target: &Target<'_>) -> bool {
    name(target.path).contains("mailbox.log")
        && beginning(target.path)
            .first_chunk::<RECORD>()
            .is_some_and(|[kind, a, b, c, ..]| [*a, *b, *c] == [0; 3] && event(*kind).is_some())
}

pub fn dump(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    let mut records = bytes.chunks_exact(RECORD);
    for (number, record) in (0_usize..).zip(records.by_ref()) {
        let (head, rest) = record.split_at(4);
        let (id, stamp) = rest.split_at(16);
        let kind = head.first().copied().unwrap_or_default();
        let stamp = stamp.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
        writeln!(
            out,
            "#{}: {} {} ({})",
            number * RECORD,
            event(kind).unwrap_or_default(),
            hex(id),
            time(stamp)
        )?;
    }
    match records.remainder().len() {
        0 => Ok(()),
        rest => Err(Trouble::file(format!("rec read() {rest} != {RECORD}"))),
    }
}

fn event(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "delete-mailbox",
        2 => "delete-dir",
        3 => "rename",
        4 => "subscribe",
        5 => "unsubscribe",
        6 => "create-dir",
        _ => return None,
    })
}
