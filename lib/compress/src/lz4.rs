//! Dovecot's frames around lz4 blocks. Numbers are big-endian.
//!
//! ```text
//! offset size field
//!      0   15 magic             "Dovecot-LZ4\x0d\x2a\x9b\xc5"
//!     15    4 max_chunk         no chunk is larger, decompressed; at most 1 MiB
//! ```
//! then chunks until the end:
//! ```text
//!      0    4 size              of the block, 1 byte to 1 MiB
//!      4      block             one lz4 block
//! ```
//! There is no checksum and no mark of the end: a file cut between two chunks is a shorter mail.

use std::io::{self, Read, Write};

use lz4_flex::block;

use crate::source::Source;

/// The first bytes.
pub const MAGIC: &[u8; 15] = b"Dovecot-LZ4\x0d\x2a\x9b\xc5";

/// The largest chunk that is read, compressed or not.
const MAX_CHUNK: usize = 1 << 20;

/// The chunk that is written, before compression.
const CHUNK: usize = 64 * 1024;

/// Reads chunk by chunk.
pub struct Decoder<S> {
    source: S,
    /// Before the header is read: none.
    max_chunk: Option<usize>,
    block: Vec<u8>,
    plain: Vec<u8>,
    /// What of `plain` was taken.
    at: usize,
}

impl<S> Decoder<S> {
    pub fn new(source: S) -> Self {
        Self {
            source,
            max_chunk: None,
            block: Vec::new(),
            plain: Vec::new(),
            at: 0,
        }
    }

    pub fn source(&self) -> &S {
        &self.source
    }

    pub fn into_source(self) -> S {
        self.source
    }
}

impl<R: Read> Decoder<Source<R>> {
    fn read_header(&mut self) -> io::Result<usize> {
        let mut magic = [0; MAGIC.len()];
        if self.source.read_some(&mut magic)? < magic.len() {
            return Err(cut_short("the header"));
        }
        if magic != *MAGIC {
            return Err(wrong("no lz4 magic"));
        }
        match self.read_number()? {
            None => Err(cut_short("the header")),
            Some(0) => Err(wrong("chunks of 0 bytes")),
            Some(max) if max > MAX_CHUNK => Err(wrong("chunks are larger than 1 MiB")),
            Some(max) => Ok(max),
        }
    }

    /// `None`: the end.
    fn read_number(&mut self) -> io::Result<Option<usize>> {
        let mut bytes = [0; 4];
        match self.source.read_some(&mut bytes)? {
            0 => Ok(None),
            4 => Ok(Some(
                usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX),
            )),
            _ => Err(cut_short("a chunk's size")),
        }
    }

    /// `false`: the end.
    fn read_chunk(&mut self, max: usize) -> io::Result<bool> {
        let Some(size) = self.read_number()? else {
            return Ok(false);
        };
        if size == 0 || size > MAX_CHUNK {
            return Err(wrong("a chunk of an impossible size"));
        }
        self.block.resize(size, 0);
        if self.source.read_some(&mut self.block)? < size {
            return Err(cut_short("a chunk"));
        }
        self.at = 0;
        self.plain.resize(max, 0);
        match block::decompress_into(&self.block, &mut self.plain) {
            Ok(plain) => self.plain.truncate(plain),
            Err(error) => {
                self.plain.clear();
                return Err(wrong(&error.to_string()));
            }
        }
        Ok(true)
    }
}

impl<R: Read> Read for Decoder<Source<R>> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.plain.len() {
            let max = match self.max_chunk {
                Some(max) => max,
                None => {
                    let max = self.read_header()?;
                    *self.max_chunk.insert(max)
                }
            };
            if !self.read_chunk(max)? {
                return Ok(0);
            }
        }
        let mut here = self.plain.get(self.at..).unwrap_or_default();
        let read = here.read(to)?;
        self.at += read;
        Ok(read)
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn cut_short(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("it ends within {what}"),
    )
}

/// Writes chunk by chunk.
pub struct Encoder<W> {
    target: W,
    plain: Vec<u8>,
    block: Vec<u8>,
}

impl<W: Write> Encoder<W> {
    /// Writes the header.
    pub fn new(mut target: W) -> io::Result<Self> {
        target.write_all(MAGIC)?;
        target.write_all(&number(CHUNK))?;
        Ok(Self {
            target,
            plain: Vec::with_capacity(CHUNK),
            block: Vec::new(),
        })
    }

    /// Writes what is left.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_chunk()?;
        Ok(self.target)
    }

    fn write_chunk(&mut self) -> io::Result<()> {
        if self.plain.is_empty() {
            return Ok(());
        }
        self.block
            .resize(block::get_maximum_output_size(self.plain.len()), 0);
        let size = block::compress_into(&self.plain, &mut self.block).map_err(io::Error::other)?;
        self.target.write_all(&number(size))?;
        let block = self.block.get(..size).unwrap_or_default();
        self.target.write_all(block)?;
        self.plain.clear();
        Ok(())
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.plain.len() >= CHUNK {
            self.write_chunk()?;
        }
        let room = CHUNK.saturating_sub(self.plain.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.plain.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_chunk()?;
        self.target.flush()
    }
}

/// Never more than 32 bits: a chunk's size.
fn number(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes()
}
