//! `.dovecot.lda-dupes`: messages that were seen before. FORMATS.md §6.6.

use std::io::Write;

use super::input::{beginning, hex, read, time, u32_at};
use super::{Target, Trouble};

/// The only version there is.
const VERSION: u32 = 2;
/// Bytes of a record before the id.
const HEAD: usize = 12;

pub fn detect(target: &Target<'_>) -> bool {
    super::input::name(target.path).contains("lda-dupes")
        && u32_at(&beginning(target.path), 0) == Some(VERSION)
}

pub fn dump(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    let version = u32_at(&bytes, 0).ok_or_else(|| Trouble::file("file is cut short"))?;
    writeln!(out, "version = {version}")?;
    if version != VERSION {
        return Err(Trouble::file(format!("unknown version {version}")));
    }
    let mut at = 4;
    while at < bytes.len() {
        let record = record(&bytes, at);
        let (stamp, id, user) =
            record.ok_or_else(|| Trouble::file(format!("record at {at} is cut short")))?;
        writeln!(
            out,
            "#{at}: expires={stamp} ({}) id={} user={}",
            time(stamp),
            hex(id),
            String::from_utf8_lossy(user)
        )?;
        at += HEAD + id.len() + user.len();
    }
    Ok(())
}

fn record(bytes: &[u8], at: usize) -> Option<(u32, &[u8], &[u8])> {
    let stamp = u32_at(bytes, at)?;
    let id_size = usize::try_from(u32_at(bytes, at + 4)?).ok()?;
    let user_size = usize::try_from(u32_at(bytes, at + 8)?).ok()?;
    let rest = bytes.get(at.checked_add(HEAD)?..)?;
    let (id, rest) = rest.split_at_checked(id_size)?;
    Some((stamp, id, rest.get(..user_size)?))
}
