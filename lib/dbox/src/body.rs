//! A message's body: a part of a file, decompressed, with its attachments.

use std::fmt;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use compress::Method;

use crate::attachment::{AttachmentDir, ExternalRef};
use crate::damage::Damage;
use crate::file::Message;
use crate::join::Joined;
use crate::window::Window;

/// A part of a file, byte for byte. A file that ends within it is an error, not a shorter body.
#[derive(Clone, Debug)]
pub struct Section {
    window: Window,
    start: u64,
    len: u64,
    position: u64,
}

impl Section {
    pub(crate) fn new(window: &Window, start: u64, len: u64) -> Self {
        Self {
            window: window.clone(),
            start,
            len,
            position: 0,
        }
    }
}

impl Read for Section {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.position);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let Some(buf) = buf.get_mut(..wanted).filter(|buf| !buf.is_empty()) else {
            return Ok(0);
        };
        let at = self.start.saturating_add(self.position);
        let held = self.window.held(at);
        let read = match held.is_empty() {
            false => held.len().min(buf.len()),
            true => self.window.file().read_at(buf, at).map_err(io_error)?,
        };
        if let (Some(from), Some(to)) = (held.get(..read), buf.get_mut(..read)) {
            to.copy_from_slice(from);
        }
        if read == 0 {
            let what = format!("{}: ends within a message", self.window.path().display());
            return Err(io::Error::new(ErrorKind::UnexpectedEof, what));
        }
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = sought(to, self.position, self.len)?;
        Ok(self.position)
    }
}

/// Where a seek leads; beyond the end is allowed.
pub(crate) fn sought(to: SeekFrom, position: u64, len: u64) -> io::Result<u64> {
    let target = match to {
        SeekFrom::Start(offset) => Some(offset),
        SeekFrom::Current(delta) => position.checked_add_signed(delta),
        SeekFrom::End(delta) => len.checked_add_signed(delta),
    };
    target.ok_or_else(|| ErrorKind::InvalidInput.into())
}

pub(crate) fn io_error(error: sys::fs::FsError) -> io::Error {
    // The path tells the administrator which file; the kind stays.
    io::Error::new(error.source.kind(), error)
}

/// A body that can be read and sought in.
pub struct Body(Kind);

enum Kind {
    Stored(Section),
    Compressed(Box<compress::Reader<Section>>),
    Joined(Box<Joined>),
}

impl Body {
    /// Decompressed if its first bytes say that it is compressed.
    pub(crate) fn plain(mut section: Section) -> io::Result<Self> {
        Ok(Self(match Method::of(&mut section)? {
            None => Kind::Stored(section),
            Some(method) => Kind::Compressed(Box::new(compress::Reader::new(method, section)?)),
        }))
    }

    pub(crate) fn joined(
        self,
        refs: Vec<ExternalRef>,
        message: &Message,
        dir: AttachmentDir,
    ) -> Result<Self, Damage> {
        let joined = Joined::new(self, refs, message, dir)?;
        Ok(Self(Kind::Joined(Box::new(joined))))
    }

    /// Bytes of the stored body if that is what clients see.
    pub(crate) fn known_len(&self) -> Option<u64> {
        match &self.0 {
            Kind::Stored(section) => Some(section.len),
            Kind::Compressed(_) | Kind::Joined(_) => None,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Stored(_) => "Body(stored)",
            Kind::Compressed(_) => "Body(compressed)",
            Kind::Joined(_) => "Body(joined)",
        })
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Stored(section) => section.read(buf),
            Kind::Compressed(reader) => reader.read(buf),
            Kind::Joined(joined) => joined.read(buf),
        }
    }
}

impl Seek for Body {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.0 {
            Kind::Stored(section) => section.seek(to),
            Kind::Compressed(reader) => reader.seek(to),
            Kind::Joined(joined) => joined.seek(to),
        }
    }
}
