//! What the index knows about the cache: the extension "cache". FORMATS.md §1.10, §1.12.
//!
//! Its record is a plain (not encoded) u32: where the newest cache record of the message is; 0:
//! none. Its `reset_id` is the `file_seq` of the cache file that those offsets are for; with
//! another file they mean nothing.

/// The extension's name.
pub const EXT_NAME: &str = "cache";
/// Bytes of its header data.
pub const EXT_HEADER_SIZE: u32 = 0;
/// Bytes of its record, and their alignment.
pub const EXT_RECORD_SIZE: u16 = 4;

/// The offset in an extension record, `None` if the message has nothing in the cache.
#[must_use]
pub fn decode_link(record: &[u8]) -> Option<u32> {
    let offset = u32::from_le_bytes(*record.first_chunk()?);
    (offset != 0).then_some(offset)
}

/// The extension record of an offset.
#[must_use]
pub fn encode_link(offset: Option<u32>) -> [u8; 4] {
    offset.unwrap_or_default().to_le_bytes()
}
