//! Compressing.

use std::io::{self, Write};

use bzip2::write::BzEncoder;
use flate2::write::GzEncoder;
use liblzma::write::XzEncoder;

use crate::{Encoding, Method, lz4};

/// Compresses what is written to it. Only [`Writer::finish`] makes it whole.
pub struct Writer<W: Write> {
    encoder: Encoder<W>,
}

enum Encoder<W: Write> {
    Gz(GzEncoder<W>),
    Bz2(BzEncoder<W>),
    Xz(XzEncoder<W>),
    Lz4(lz4::Encoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Writer<W> {
    /// Begins to write to `target`.
    ///
    /// # Errors
    /// The target cannot be written, or there is no memory for the level.
    pub fn new(target: W, encoding: Encoding) -> io::Result<Self> {
        let level = u32::from(encoding.level());
        let encoder = match encoding.method() {
            Method::Gz => Encoder::Gz(GzEncoder::new(target, flate2::Compression::new(level))),
            Method::Bz2 => Encoder::Bz2(BzEncoder::new(target, bzip2::Compression::new(level))),
            Method::Xz => Encoder::Xz(XzEncoder::new(target, level)),
            Method::Lz4 => Encoder::Lz4(lz4::Encoder::new(target)?),
            Method::Zstd => {
                let level = i32::from(encoding.level());
                let mut encoder = zstd::stream::write::Encoder::new(target, level)?;
                // Dovecot writes none; it reads them.
                encoder.include_checksum(true)?;
                Encoder::Zstd(encoder)
            }
        };
        Ok(Self { encoder })
    }

    /// Writes the rest, and gives the target back.
    ///
    /// # Errors
    /// The target cannot be written.
    pub fn finish(self) -> io::Result<W> {
        match self.encoder {
            Encoder::Gz(encoder) => encoder.finish(),
            Encoder::Bz2(encoder) => encoder.finish(),
            Encoder::Xz(encoder) => encoder.finish(),
            Encoder::Lz4(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.encoder {
            Encoder::Gz(encoder) => encoder.write(bytes),
            Encoder::Bz2(encoder) => encoder.write(bytes),
            Encoder::Xz(encoder) => encoder.write(bytes),
            Encoder::Lz4(encoder) => encoder.write(bytes),
            Encoder::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.encoder {
            Encoder::Gz(encoder) => encoder.flush(),
            Encoder::Bz2(encoder) => encoder.flush(),
            Encoder::Xz(encoder) => encoder.flush(),
            Encoder::Lz4(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
        }
    }
}
