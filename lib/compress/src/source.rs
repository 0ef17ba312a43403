//! The compressed bytes: buffered, counted, and remembered when reading them fails.

use std::io::{self, BufRead, Read};

/// Compressed bytes read at once.
const CHUNK: usize = 16 * 1024;

/// What a decoder reads from.
pub struct Source<R> {
    inner: R,
    buffer: Vec<u8>,
    at: usize,
    /// Bytes that were taken.
    offset: u64,
    /// An error is the source's, not the decoder's.
    failed: bool,
}

impl<R> Source<R> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: Vec::new(),
            at: 0,
            offset: 0,
            failed: false,
        }
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn has_failed(&self) -> bool {
        self.failed
    }

    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Source<R> {
    /// Fills `bytes` as far as there is something.
    pub fn read_some(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => break,
                read => done += read,
            }
        }
        Ok(done)
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.buffer.len() {
            self.buffer.resize(CHUNK, 0);
            self.at = 0;
            let read = loop {
                match self.inner.read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.failed = read.is_err();
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok(self.buffer.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
        self.offset += amount as u64;
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut here = self.fill_buf()?;
        let read = here.read(to)?;
        self.consume(read);
        Ok(read)
    }
}
