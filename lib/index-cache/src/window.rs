//! Reading a file in pieces: small ones here and there, long ones when it goes on and on.

use sys::fs::{FsFile, FsResult};

use super::generation::read;

const FIRST: usize = 4 * 1024;
const LONGEST: usize = 64 * 1024;

/// Bytes of a file that were read.
#[derive(Debug)]
pub(super) struct Window {
    start: u64,
    bytes: Vec<u8>,
    piece: usize,
}

impl Window {
    pub fn new() -> Self {
        Self {
            start: 0,
            bytes: Vec::new(),
            piece: FIRST,
        }
    }

    /// `len` bytes at `offset`, `None` where the file ends before. `len` is to be bounded.
    pub fn get(&mut self, file: &FsFile, offset: u64, len: usize) -> FsResult<Option<&[u8]>> {
        if self.range(offset, len).is_none() {
            self.fill(file, offset, len)?;
        }
        let range = self.range(offset, len);
        Ok(range.and_then(|range| self.bytes.get(range)))
    }

    fn range(&self, offset: u64, len: usize) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let end = start.checked_add(len)?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    fn fill(&mut self, file: &FsFile, offset: u64, len: usize) -> FsResult<()> {
        let end = self.start + self.bytes.len() as u64;
        let near = self.start..=end + self.piece as u64;
        self.piece = match !self.bytes.is_empty() && near.contains(&offset) {
            true => (self.piece * 2).min(LONGEST),
            false => FIRST,
        };
        self.bytes = read(file, offset, len.max(self.piece))?;
        self.start = offset;
        Ok(())
    }
}
