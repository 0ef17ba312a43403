//! Records one after the other, up to where the last complete transaction ends.

use super::record::{RawRecord, kind};
use crate::bytes::u32_at;

/// Walks the records in bytes of a log.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    bytes: &'a [u8],
    /// Offset in the file of the first of `bytes`.
    base: u64,
    at: usize,
    /// Up to here, records are known to follow one another.
    whole_to: usize,
}

impl<'a> Walk<'a> {
    /// `bytes` lie at `base` of the file, where a record begins.
    #[must_use]
    pub fn new(bytes: &'a [u8], base: u64) -> Self {
        Self {
            bytes,
            base,
            at: 0,
            whole_to: 0,
        }
    }

    /// Where the next record would begin. After the last one: where what is complete ends; bytes
    /// beyond it are an unfinished transaction or damage.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Were there bytes beyond the last complete transaction?
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.at < self.bytes.len()
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = RawRecord<'a>;

    fn next(&mut self) -> Option<RawRecord<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let record = RawRecord::decode(rest, self.offset())?;
        if record.kind == kind::BOUNDARY {
            let size = usize::try_from(u32_at(record.payload, 0)?).ok()?;
            let end = self.at.checked_add(size)?;
            // Boundaries in boundaries: each record is looked at once.
            let from = self.whole_to.max(self.at);
            if end > from {
                if !is_whole(self.bytes.get(from..end)?) {
                    return None;
                }
                self.whole_to = end;
            }
        }
        self.at += record.size();
        Some(record)
    }
}

/// Does an unbroken chain of records fill these bytes? A crash may leave a hole in the middle.
fn is_whole(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some(record) = RawRecord::decode(bytes, 0) else {
            return false;
        };
        bytes = bytes.get(record.size()..).unwrap_or_default();
    }
    true
}
