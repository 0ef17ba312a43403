//! Reading a file at any place, through a buffer of bounded size.

use sys::fs::{FsFile, FsResult};

/// Bytes held at once. Everything that is looked at as a whole is shorter.
pub const SIZE: usize = 64 * 1024;

/// Bytes that can be read anywhere.
pub trait Source {
    /// Reads at `offset`; 0 bytes is the end. Fewer than asked for is no sign of the end.
    ///
    /// # Errors
    /// The failed call.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize>;
}

impl Source for FsFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize> {
        FsFile::read_at(self, buf, offset)
    }
}

impl Source for &[u8] {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }
}

/// A part of a source in memory.
pub struct Window<'s> {
    source: &'s dyn Source,
    /// What lies beyond is not looked at, even if the file grows meanwhile.
    len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'s> Window<'s> {
    /// The first `len` bytes of `source`.
    pub fn new(source: &'s dyn Source, len: u64) -> Self {
        Self {
            source,
            len,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// Bytes in all.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The bytes from `offset` on: at least `want` (at most [`SIZE`]) unless the end is nearer.
    ///
    /// # Errors
    /// The failed call.
    pub fn at(&mut self, offset: u64, want: usize) -> FsResult<&[u8]> {
        let want = want.min(SIZE) as u64;
        let want = want.min(self.len.saturating_sub(offset));
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset.saturating_add(want) > end {
            self.load(offset, want)?;
        }
        let skip = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self.bytes.get(skip..).unwrap_or_default())
    }

    /// Where the line that `offset` is in ends: behind its LF, or at the end of the file.
    ///
    /// # Errors
    /// The failed call.
    pub fn line_end(&mut self, offset: u64) -> FsResult<u64> {
        let mut at = offset;
        loop {
            let bytes = self.at(at, 1)?;
            if let Some(found) = memchr::memchr(b'\n', bytes) {
                return Ok(at + found as u64 + 1);
            }
            if bytes.is_empty() {
                return Ok(at);
            }
            at += bytes.len() as u64;
        }
    }

    fn load(&mut self, offset: u64, want: u64) -> FsResult<()> {
        let end = self.start + self.bytes.len() as u64;
        if offset >= self.start && offset < end {
            // What is there already stays.
            let skip = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
            self.bytes.drain(..skip.min(self.bytes.len()));
        } else {
            self.bytes.clear();
        }
        self.start = offset;
        while (self.bytes.len() as u64) < want {
            let held = self.bytes.len();
            let room = self.len.saturating_sub(offset + held as u64);
            let room = usize::try_from(room)
                .unwrap_or(usize::MAX)
                .min(SIZE - held.min(SIZE));
            self.bytes.resize(held + room, 0);
            let at = offset + held as u64;
            let read = self
                .source
                .read_at(self.bytes.get_mut(held..).unwrap_or_default(), at);
            self.bytes.truncate(held + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                break;
            }
        }
        Ok(())
    }
}
