//! Compressed messages. Nothing but the first bytes of a file tells that it is (FORMATS.md §7.17); `S=`
//! and `W=` in its name are the sizes of the mail, not of the file (§7.20).

use std::io::{self, Read, Seek, SeekFrom, Write};

use compress::{Encoding, Method, Reader, Writer};
use sys::fs::{FsError, FsFile, FsResult};

/// A mail, whatever its file is.
pub(crate) enum Body {
    Plain(FsFile),
    Packed(Box<Reader<FsFile>>),
}

impl Body {
    /// Reads from the beginning.
    pub(crate) fn open(file: &FsFile) -> FsResult<Self> {
        // Nobody reads the original: the clone stands at the beginning.
        let file = file.clone();
        Ok(match Self::method_of(&file)? {
            Some(method) => {
                let path = file.path().to_owned();
                let reader = Reader::new(method, file).map_err(|source| FsError {
                    call: "read",
                    path,
                    source,
                })?;
                Self::Packed(Box::new(reader))
            }
            None => Self::Plain(file),
        })
    }

    /// How a file is compressed.
    pub(crate) fn method_of(file: &FsFile) -> FsResult<Option<Method>> {
        let mut first = [0; Method::MAGIC_LEN];
        let read = file.read_at(&mut first, 0)?;
        Ok(Method::recognise(first.get(..read).unwrap_or_default()))
    }
}

impl Read for Body {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(to),
            Self::Packed(reader) => reader.read(to),
        }
    }
}

impl Seek for Body {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.seek(to),
            Self::Packed(reader) => reader.seek(to),
        }
    }
}

/// Where the bytes of a new message go.
pub(crate) enum Sink<'f> {
    Plain(&'f FsFile),
    Packed(&'f FsFile, Box<Writer<Appender<'f>>>),
}

impl<'f> Sink<'f> {
    pub(crate) fn new(file: &'f FsFile, encoding: Option<Encoding>) -> FsResult<Self> {
        let Some(encoding) = encoding else {
            return Ok(Self::Plain(file));
        };
        let writer = Writer::new(Appender(file), encoding).map_err(|error| failed(file, error))?;
        Ok(Self::Packed(file, Box::new(writer)))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> FsResult<()> {
        match self {
            Self::Plain(file) => file.append(bytes),
            Self::Packed(file, writer) => {
                writer.write_all(bytes).map_err(|error| failed(file, error))
            }
        }
    }

    pub(crate) fn finish(self) -> FsResult<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Packed(file, writer) => match writer.finish() {
                Ok(_) => Ok(()),
                Err(error) => Err(failed(file, error)),
            },
        }
    }
}

/// A file, for compressors.
pub(crate) struct Appender<'f>(&'f FsFile);

impl Write for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What failed below the compressor, or the compressor itself.
fn failed(file: &FsFile, error: io::Error) -> FsError {
    match error.downcast::<FsError>() {
        Ok(below) => below,
        Err(source) => FsError {
            call: "compress",
            path: file.path().to_owned(),
            source,
        },
    }
}
