//! One decoder, whatever the method.

use std::io::{self, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use crate::source::Source;
use crate::{Corrupted, Method, lz4};

/// Memory that xz may take, bytes: what its highest level needs (65 MiB), and some more.
const XZ_MEMORY: u64 = 80 << 20;

/// Largest window of zstd, as a power of two: what its highest level needs. It is filled only as far as
/// the mail is long.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Decompresses once from the beginning to the end.
pub enum Decoder<R: Read> {
    Gz(MultiGzDecoder<Source<R>>),
    Bz2(MultiBzDecoder<Source<R>>),
    Xz(XzDecoder<Source<R>>),
    Lz4(lz4::Decoder<Source<R>>),
    Zstd(zstd::stream::read::Decoder<'static, Source<R>>),
}

impl<R: Read> Decoder<R> {
    /// The source stands at its beginning.
    pub fn new(method: Method, source: R) -> io::Result<Self> {
        let source = Source::new(source);
        Ok(match method {
            Method::Gz => Self::Gz(MultiGzDecoder::new(source)),
            Method::Bz2 => Self::Bz2(MultiBzDecoder::new(source)),
            Method::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
                Self::Xz(XzDecoder::new_stream(source, stream))
            }
            Method::Lz4 => Self::Lz4(lz4::Decoder::new(source)),
            Method::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Self::Zstd(decoder)
            }
        })
    }

    fn method(&self) -> Method {
        match self {
            Self::Gz(_) => Method::Gz,
            Self::Bz2(_) => Method::Bz2,
            Self::Xz(_) => Method::Xz,
            Self::Lz4(_) => Method::Lz4,
            Self::Zstd(_) => Method::Zstd,
        }
    }

    fn source(&self) -> &Source<R> {
        match self {
            Self::Gz(decoder) => decoder.get_ref(),
            Self::Bz2(decoder) => decoder.get_ref(),
            Self::Xz(decoder) => decoder.get_ref(),
            Self::Lz4(decoder) => decoder.source(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }

    /// The source, wherever it stands.
    pub fn into_source(self) -> R {
        match self {
            Self::Gz(decoder) => decoder.into_inner(),
            Self::Bz2(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Lz4(decoder) => decoder.into_source(),
            Self::Zstd(decoder) => decoder.into_inner(),
        }
        .into_inner()
    }

    fn blame(&self, error: io::Error) -> io::Error {
        if self.source().has_failed() || error.kind() == io::ErrorKind::OutOfMemory {
            return error;
        }
        let kind = match error.kind() {
            kind @ io::ErrorKind::UnexpectedEof => kind,
            _ => io::ErrorKind::InvalidData,
        };
        let corrupted = Corrupted {
            method: self.method(),
            offset: self.source().offset(),
            what: error.to_string(),
        };
        io::Error::new(kind, corrupted)
    }

    /// An input without a single byte is no compressed mail; some libraries take it for one.
    fn must_have_begun(&self) -> io::Result<()> {
        match self.source().offset() {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        let read = match self {
            Self::Gz(decoder) => decoder.read(to),
            Self::Bz2(decoder) => decoder.read(to),
            Self::Xz(decoder) => decoder.read(to),
            Self::Lz4(decoder) => decoder.read(to),
            Self::Zstd(decoder) => decoder.read(to),
        };
        let read = match read {
            Ok(0) => self.must_have_begun().map(|()| 0),
            other => other,
        };
        read.map_err(|error| self.blame(error))
    }
}
