//! Writing messages into a dbox file. FORMATS.md §2.5.
//!
//! A long message is written with zero bytes instead of its header, which comes last: what a kill leaves
//! has no magic bytes. A short one goes out in one call.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use compress::{Encoding, Method};
use mailbox::{Error, LineEnds};
use sys::fs::{Fs, FsError, FsFile, FsResult, How, Stat};

use crate::file::{DboxFile, Message};
use crate::header::{FileHeader, MessageHeader};
use crate::lines::Converter;
use crate::metadata::{Key, Metadata};
use crate::{damage::Damage, temp};

/// Bytes read from the sender, or moved, at once.
const CHUNK: usize = 64 * 1024;

/// How new bodies are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyFormat {
    /// `mail_save_crlf`
    pub line_ends: LineEnds,
    /// `zlib_save`; `None`: as they are.
    pub encoding: Option<Encoding>,
}

/// Where a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Of its header.
    pub offset: u64,
    /// Of header, body and metadata.
    pub size: u64,
}

/// Sizes of a body, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// In the file.
    pub stored: u64,
    /// Before compression.
    pub plain: u64,
    /// When every line ends with CRLF.
    pub virtual_size: u64,
}

impl Sizes {
    /// The first lines of new metadata, as Dovecot orders them: Z if need be, R, V.
    #[must_use]
    pub fn metadata(&self, received: i64) -> Metadata {
        let mut metadata = Metadata::default();
        if self.plain != self.stored {
            metadata.set_number(Key::PLAIN_SIZE, self.plain);
        }
        metadata.set_number(Key::RECEIVED, u64::try_from(received).unwrap_or(0));
        metadata.set_number(Key::VIRTUAL_SIZE, self.virtual_size);
        metadata
    }
}

/// Appends to one file. The caller holds whatever lock the file needs, and makes it durable.
#[derive(Debug)]
pub struct Writer {
    file: FsFile,
    end: u64,
}

impl Writer {
    /// A new temporary file with a file header, in `dir`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(fs: &Fs, dir: &Path, mode: u32) -> Result<Self, Error> {
        let file = temp::create(fs, dir, mode)?;
        Self::begin(file)
    }

    /// Begins an empty file, which must be open for writing anywhere ([`How::CreateNew`]).
    ///
    /// The header goes out together with the first message.
    ///
    /// # Errors
    /// None yet.
    pub fn begin(file: FsFile) -> Result<Self, Error> {
        Ok(Self { file, end: 0 })
    }

    /// Goes on behind the last whole message of a file. `expected` is where the map says that it ends:
    /// messages behind that place stay, the beginning of one is cut off.
    ///
    /// # Errors
    /// [`Error::Corrupted`]: the file ends before `expected`, has something else behind it, or is not one
    /// that may be appended to.
    pub fn append(fs: &Fs, path: &Path, expected: u64) -> Result<Self, Error> {
        let file = fs.open(path, How::ReadWrite, 0)?;
        Self::append_to(file, expected)
    }

    /// [`Writer::append`] to a file that is open with [`How::ReadWrite`], and locked.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn append_to(file: FsFile, expected: u64) -> Result<Self, Error> {
        let Stat { size, .. } = file.stat()?;
        let mut reader = DboxFile::from_file(file.clone())?;
        let damaged = |offset, what| Damage::wrong(offset, what).in_file(file.path());
        if !reader.header().is_appendable() {
            return Err(damaged(0, "a file that may be appended to"));
        }
        let expected = expected.max(reader.first_message());
        if size < expected {
            return Err(damaged(size, "ends before the map says"));
        }
        let mut end = expected;
        while end < size {
            match reader.try_message(end)? {
                Ok(message) => end = message.end,
                Err(damage) if is_cut(damage, &mut reader, end, size)? => {
                    file.truncate(end)?;
                    break;
                }
                Err(damage) => return Err(damage.in_file(file.path())),
            }
        }
        Ok(Self { file, end })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &FsFile {
        &self.file
    }

    /// Where the next message will stand.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Takes back what was written behind `end`, after an error or instead of a commit.
    ///
    /// # Errors
    /// The bytes stay: whoever appends next cuts them off.
    pub fn roll_back(&mut self, end: u64) -> Result<(), Error> {
        self.file.truncate(end)?;
        self.end = end;
        Ok(())
    }

    /// Reads a message to its end and writes it. `describe` makes its metadata from its sizes; see
    /// [`Sizes::metadata`]. `see` is shown the bytes in the form in which they are stored, not yet
    /// compressed.
    ///
    /// # Errors
    /// Nothing of it counts: [`Writer::roll_back`]. [`Error::Input`] if the sender failed;
    /// [`Error::NotPossible`] for a message that would be taken for a compressed one.
    pub fn save(
        &mut self,
        body: &mut dyn Read,
        format: BodyFormat,
        see: &mut dyn FnMut(&[u8]),
        describe: &mut dyn FnMut(&Sizes) -> Metadata,
    ) -> Result<Extent, Error> {
        let path = self.file.path().to_owned();
        let failed = |error| write_error(error, &path);
        let mut out = Out::begin(Pending::begin(self), format.encoding).map_err(failed)?;
        let mut converter = Converter::new(format.line_ends);
        let (mut chunk, mut converted) = (vec![0; CHUNK], Vec::with_capacity(CHUNK + 1));
        let (mut first, mut plain) = (Vec::new(), 0);
        loop {
            let read = read_some(body, &mut chunk).map_err(Error::Input)?;
            converted.clear();
            match read {
                0 => converter.finish(&mut converted),
                read => converter.convert(chunk.get(..read).unwrap_or_default(), &mut converted),
            }
            refuse_compressed(&mut first, &converted)?;
            plain += converted.len() as u64;
            see(&converted);
            out.write_all(&converted).map_err(failed)?;
            if read == 0 {
                break;
            }
        }
        let pending = out.finish().map_err(failed)?;
        let sizes = Sizes {
            stored: pending.body_size(),
            plain,
            virtual_size: converter.virtual_size,
        };
        pending.finish(sizes.stored, &describe(&sizes))
    }

    /// Copies a stored body byte for byte under other metadata: a message moves between files.
    ///
    /// # Errors
    /// Nothing of it counts: [`Writer::roll_back`].
    pub fn copy(
        &mut self,
        from: &DboxFile,
        message: &Message,
        metadata: &Metadata,
    ) -> Result<Extent, Error> {
        let mut pending = Pending::begin(self);
        let mut body = from.stored_body(message);
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = read_some(&mut body, &mut chunk).map_err(|source| FsError {
                call: "read",
                path: from.path().to_owned(),
                source,
            })?;
            if read == 0 {
                break;
            }
            let copied = pending.write_all(chunk.get(..read).unwrap_or_default());
            copied.map_err(|error| write_error(error, from.path()))?;
        }
        let stored = pending.body_size();
        pending.finish(stored, metadata)
    }
}

/// Is it the beginning of a message that nobody finished? Zero bytes in place of the header, or a message
/// that the end of the file cuts.
fn is_cut(damage: Damage, reader: &mut DboxFile, at: u64, size: u64) -> Result<bool, Error> {
    if damage.is_torn {
        return Ok(damage.offset >= size || size - at < MessageHeader::SIZE as u64);
    }
    let left = usize::try_from(size.saturating_sub(at)).unwrap_or(usize::MAX);
    let bytes = reader.bytes(at, left.min(MessageHeader::SIZE))?;
    let header = bytes.get(..MessageHeader::SIZE).unwrap_or(bytes);
    Ok(header.iter().all(|&byte| byte == 0))
}

/// Compression is recognised by the first bytes: what looks like it cannot be stored as it is.
fn refuse_compressed(first: &mut Vec<u8>, more: &[u8]) -> Result<(), Error> {
    let missing = Method::MAGIC_LEN.saturating_sub(first.len());
    if missing == 0 {
        return Ok(());
    }
    first.extend_from_slice(more.get(..missing).unwrap_or(more));
    match Method::recognise(first) {
        None => Ok(()),
        Some(_) => Err(Error::NotPossible {
            why: "Saving mails compressed by client isn't supported",
        }),
    }
}

/// A failed write within a compressor comes back as what it was.
fn write_error(error: io::Error, path: &Path) -> Error {
    match error.downcast::<FsError>() {
        Ok(error) => error.into(),
        Err(source) => Error::Syscall {
            call: "write",
            path: path.to_owned(),
            source,
        },
    }
}

/// Where the body goes, compressed or not.
enum Out<'w> {
    Plain(Pending<'w>),
    Compressed(Box<compress::Writer<Pending<'w>>>),
}

impl<'w> Out<'w> {
    fn begin(pending: Pending<'w>, encoding: Option<Encoding>) -> io::Result<Self> {
        Ok(match encoding {
            None => Self::Plain(pending),
            Some(encoding) => Self::Compressed(Box::new(compress::Writer::new(pending, encoding)?)),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(pending) => pending.write_all(bytes),
            Self::Compressed(writer) => writer.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Pending<'w>> {
        match self {
            Self::Plain(pending) => Ok(pending),
            Self::Compressed(writer) => writer.finish(),
        }
    }
}

/// A message on its way into the file.
struct Pending<'w> {
    writer: &'w mut Writer,
    /// Of the message header.
    offset: u64,
    buffer: Vec<u8>,
    /// Where the buffer goes.
    at: u64,
    has_header: bool,
}

impl<'w> Pending<'w> {
    fn begin(writer: &'w mut Writer) -> Self {
        let mut buffer = Vec::with_capacity(2 * CHUNK);
        let at = writer.end;
        if at == 0 {
            buffer.extend_from_slice(&FileHeader::new(temp::now()).encode());
        }
        let offset = at + buffer.len() as u64;
        buffer.extend_from_slice(&[0; MessageHeader::SIZE]);
        Self {
            writer,
            offset,
            buffer,
            at,
            has_header: true,
        }
    }

    fn body_size(&self) -> u64 {
        let end = self.at + self.buffer.len() as u64;
        end.saturating_sub(self.offset + MessageHeader::SIZE as u64)
    }

    fn flush_buffer(&mut self) -> FsResult<()> {
        self.writer.file.write_all_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        self.has_header = false;
        Ok(())
    }

    fn finish(mut self, stored: u64, metadata: &Metadata) -> Result<Extent, Error> {
        self.buffer.extend_from_slice(&metadata.encode());
        let header = MessageHeader { size: stored }.encode();
        let place = usize::try_from(self.offset.saturating_sub(self.at)).unwrap_or(0);
        let held = self.buffer.get_mut(place..place + header.len());
        let late = match held.filter(|_| self.has_header) {
            Some(held) => {
                held.copy_from_slice(&header);
                false
            }
            None => true,
        };
        self.flush_buffer()?;
        if late {
            self.writer.file.write_all_at(&header, self.offset)?;
        }
        self.writer.end = self.at;
        Ok(Extent {
            offset: self.offset,
            size: self.at - self.offset,
        })
    }
}

impl Write for Pending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush_buffer()
                .map_err(|error| io::Error::new(error.source.kind(), error))?;
        }
        Ok(bytes.len())
    }

    /// The buffer goes out when it is full, and at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_some(from: &mut dyn Read, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buf) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
