//! A compressed mail as it was: read and seek.

use std::io::{self, Read, Seek, SeekFrom};

use crate::decoder::Decoder;
use crate::{Corrupted, Method};

/// Decompressed bytes that are skipped at once.
const SKIP: usize = 16 * 1024;

/// The decompressed bytes of a source. Forward seeks decompress what is between; backward ones begin
/// anew, so read in order where it can be done.
pub struct Reader<R: Read + Seek> {
    method: Method,
    /// `None` only within [`Reader::restart`], or when that failed.
    decoder: Option<Decoder<R>>,
    /// Decompressed bytes that the decoder gave.
    at: u64,
    /// Where the caller wants to read.
    wanted: u64,
    /// The whole size, once the end was seen.
    size: Option<u64>,
    broken: Option<Corrupted>,
}

impl<R: Read + Seek> Reader<R> {
    /// Reads `source` from its position 0.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn new(method: Method, mut source: R) -> io::Result<Self> {
        source.seek(SeekFrom::Start(0))?;
        Ok(Self {
            method,
            decoder: Some(Decoder::new(method, source)?),
            at: 0,
            wanted: 0,
            size: None,
            broken: None,
        })
    }

    /// How it is compressed.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Decompressed bytes altogether; reads all of them the first time.
    ///
    /// # Errors
    /// As reading.
    pub fn size(&mut self) -> io::Result<u64> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let mut skipped = vec![0; SKIP];
        while self.decode(&mut skipped)? > 0 {}
        Ok(self.at)
    }

    fn restart(&mut self) -> io::Result<()> {
        let lost = || io::Error::other("the source of compressed bytes is lost");
        let mut source = self.decoder.take().ok_or_else(lost)?.into_source();
        source.seek(SeekFrom::Start(0))?;
        self.decoder = Some(Decoder::new(self.method, source)?);
        (self.at, self.broken) = (0, None);
        Ok(())
    }

    /// Stands where the caller wants, or at the end before that.
    fn go(&mut self) -> io::Result<()> {
        if self.wanted < self.at {
            self.restart()?;
        }
        let mut skipped = Vec::new();
        while self.at < self.wanted && self.size.is_none_or(|size| self.at < size) {
            let left = usize::try_from(self.wanted - self.at).unwrap_or(SKIP);
            skipped.resize(left.min(SKIP), 0);
            if self.decode(&mut skipped)? == 0 {
                break;
            }
        }
        Ok(())
    }

    fn decode(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if let Some(broken) = &self.broken {
            return Err(io::Error::new(io::ErrorKind::InvalidData, broken.clone()));
        }
        let lost = || io::Error::other("the source of compressed bytes is lost");
        let decoder = self.decoder.as_mut().ok_or_else(lost)?;
        match decoder.read(to) {
            Ok(0) if !to.is_empty() => {
                self.size = Some(self.at);
                Ok(0)
            }
            Ok(read) => {
                self.at += read as u64;
                Ok(read)
            }
            Err(error) => {
                // A decoder that failed says anything when it is asked again.
                self.broken = Corrupted::of(&error).cloned();
                Err(error)
            }
        }
    }
}

impl<R: Read + Seek> Read for Reader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.go()?;
        if to.is_empty() || self.at != self.wanted {
            return Ok(0);
        }
        let read = self.decode(to)?;
        self.wanted = self.at;
        Ok(read)
    }
}

impl<R: Read + Seek> Seek for Reader<R> {
    /// Only from the end anything is read before the next read.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(by) => self.wanted.checked_add_signed(by),
            SeekFrom::End(by) => self.size()?.checked_add_signed(by),
        };
        self.wanted = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.wanted)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.wanted)
    }
}
