//! Bytes of files, and what is hidden in a compressed conversation.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use super::{Target, Trouble};

/// Larger files are not dumped, bytes.
const LARGEST: u64 = 1 << 30;
/// What detection looks at, bytes.
const BEGINNING: u64 = 4096;

/// The whole file.
pub fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let failed = |call: &str, error: &std::io::Error| {
        Trouble::file(format!("{call}({}) failed: {error}", path.display()))
    };
    let file = File::open(path).map_err(|error| failed("open", &error))?;
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed("read", &error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(Trouble::file(format!("{} is too large", path.display())));
    }
    Ok(bytes)
}

/// Its first bytes; none where it cannot be read.
pub fn beginning(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A device or pipe must not be read only to look at it.
    let is_file = std::fs::metadata(path).is_ok_and(|data| data.is_file());
    if let (true, Ok(file)) = (is_file, File::open(path)) {
        let _ = file.take(BEGINNING).read_to_end(&mut bytes);
    }
    bytes
}

/// The last part of its path.
pub fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// As hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to memory does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `1795436123 (2026-11-23 12:15:23)`, the time alone in parentheses.
pub fn time(unix: u32) -> String {
    mailbox::MailDate::local(i64::from(unix)).wall_clock()
}

/// How a server answers COMPRESS (RFC 4978 §3); what follows is compressed.
const BEGIN: &[u8] = b" OK Begin compression";

/// A conversation that was recorded, from COMPRESS on deflated.
pub fn detect_imap_deflated(target: &Target<'_>) -> bool {
    let bytes = beginning(target.path);
    find(&bytes, BEGIN).is_some()
}

/// Prints it as it was before.
pub fn dump_imap_deflated(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    let behind = find(&bytes, BEGIN)
        .and_then(|at| Some(at + bytes.get(at..)?.iter().position(|byte| *byte == b'\n')? + 1))
        .ok_or_else(|| Trouble::file("no compression begins in it"))?;
    let (plain, deflated) = bytes.split_at(behind);
    out.write_all(plain)?;
    let mut inflated = flate2::read::DeflateDecoder::new(deflated);
    let mut chunk = vec![0; 32 << 10];
    loop {
        match inflated.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => out.write_all(chunk.get(..count).unwrap_or_default())?,
            Err(error) => return Err(Trouble::file(format!("deflated data: {error}"))),
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window.eq_ignore_ascii_case(wanted))
}
