//! One open dbox file, and the messages in it.

use std::path::Path;

use mailbox::Error;
use sys::fs::{Fs, FsFile};

use crate::attachment::{AttachmentDir, ExternalRef};
use crate::body::{Body, Section};
use crate::damage::Damage;
use crate::header::{FileHeader, MAX_FILE_HEADER, MessageHeader};
use crate::metadata::{Key, MAX_SIZE, Metadata};
use crate::window::Window;

/// Metadata are mostly this short, bytes.
const SHORT: usize = 256;

/// Where a message stands in its file, and what its metadata say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Of the message header, bytes from the start of the file.
    pub offset: u64,
    /// Of the body.
    pub body: u64,
    /// Bytes of the body as stored.
    pub stored: u64,
    /// Behind the metadata's empty line.
    pub end: u64,
    /// Keys and values.
    pub metadata: Metadata,
}

impl Message {
    /// Bytes of header, body and metadata: what the map of an mdbox says.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.end.saturating_sub(self.offset)
    }

    /// Bytes of the body as a client would see it if line ends were as stored.
    #[must_use]
    pub fn plain_size(&self) -> u64 {
        let told = self.metadata.number(Key::PLAIN_SIZE);
        told.unwrap_or(self.stored)
    }

    /// RFC822.SIZE; `None`: count.
    #[must_use]
    pub fn virtual_size(&self) -> Option<u64> {
        self.metadata.number(Key::VIRTUAL_SIZE)
    }

    /// INTERNALDATE, UNIX time.
    #[must_use]
    pub fn received(&self) -> Option<i64> {
        let told = self.metadata.number(Key::RECEIVED)?;
        i64::try_from(told).ok()
    }

    /// Names the message whatever mailbox it is copied to.
    #[must_use]
    pub fn guid(&self) -> Option<&[u8]> {
        self.metadata.get(Key::GUID).filter(|guid| !guid.is_empty())
    }

    /// Attachments in files of their own.
    ///
    /// # Errors
    /// The X line makes no sense.
    pub fn attachments(&self) -> Result<Vec<ExternalRef>, Damage> {
        match self.metadata.get(Key::ATTACHMENTS) {
            None => Ok(Vec::new()),
            Some(line) => ExternalRef::decode_all(line)
                .map_err(|what| Damage::wrong(self.body.saturating_add(self.stored), what)),
        }
    }
}

/// An open dbox file.
#[derive(Clone, Debug)]
pub struct DboxFile {
    window: Window,
    header: FileHeader,
    first: u64,
}

impl DboxFile {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// It cannot be read, or its header is damaged.
    pub fn open(fs: &Fs, path: &Path) -> Result<Self, Error> {
        Self::from_file(fs.open_read(path)?)
    }

    /// A file that is open already.
    ///
    /// # Errors
    /// As [`DboxFile::open`].
    pub fn from_file(file: FsFile) -> Result<Self, Error> {
        match Self::from_damaged(file)? {
            (file, None) => Ok(file),
            (file, Some(damage)) => Err(damage.in_file(file.path())),
        }
    }

    /// A file whose header may be damaged, and how: then it is read as if it had the usual one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn from_damaged(file: FsFile) -> Result<(Self, Option<Damage>), Error> {
        let mut window = Window::new(file);
        let decoded = FileHeader::decode(window.get(0, MAX_FILE_HEADER)?);
        let (header, size, damage) = match decoded {
            Ok((header, size)) => (header, size, None),
            Err(damage) => {
                let usual = FileHeader::new(u32::MAX);
                let size = usual.encode().len();
                (usual, size, Some(damage))
            }
        };
        let file = Self {
            window,
            header,
            first: size as u64,
        };
        Ok((file, damage))
    }

    /// The same open file, with nothing read yet: behind its last message others write.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self {
            window: Window::new(self.window.file().clone()),
            ..self.clone()
        }
    }

    /// Its first line.
    #[must_use]
    pub fn header(&self) -> &FileHeader {
        &self.header
    }

    /// Where the first message begins.
    #[must_use]
    pub fn first_message(&self) -> u64 {
        self.first
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &FsFile {
        self.window.file()
    }

    /// Where it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.window.path()
    }

    /// The message whose header is at `offset`: header, end of the body and metadata are all there.
    ///
    /// # Errors
    /// There is none, or its frame is damaged ([`Error::Corrupted`]).
    pub fn message(&mut self, offset: u64) -> Result<Message, Error> {
        let message = self.try_message(offset)?;
        message.map_err(|damage| damage.in_file(self.path()))
    }

    /// The only message of an sdbox file, which must end with it.
    ///
    /// # Errors
    /// As [`DboxFile::message`].
    pub fn only_message(&mut self) -> Result<Message, Error> {
        let message = self.message(self.first)?;
        // Metadata that end too early would not tell of attachments.
        if !self.window.get(message.end, 1)?.is_empty() {
            let damage = Damage::wrong(message.end, "end of the file");
            return Err(damage.in_file(self.path()));
        }
        Ok(message)
    }

    /// [`DboxFile::message`], with damage as a value.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn try_message(&mut self, offset: u64) -> Result<Result<Message, Damage>, Error> {
        match self.look(offset)? {
            Err(damage) if damage.is_torn => {
                self.window.forget();
                self.look(offset)
            }
            other => Ok(other),
        }
    }

    fn look(&mut self, offset: u64) -> Result<Result<Message, Damage>, Error> {
        let header_size = self.header.message_header();
        let bytes = self.window.get(offset, header_size)?;
        let bytes = bytes.get(..header_size).unwrap_or(bytes);
        let header = match MessageHeader::decode(bytes) {
            Ok(header) => header,
            Err(damage) => return Ok(Err(damage.at(offset))),
        };
        let body = offset.saturating_add(header_size as u64);
        let behind = body.saturating_add(header.size);
        Ok(self.metadata_at(behind)?.map(|(metadata, size)| Message {
            offset,
            body,
            stored: header.size,
            end: behind.saturating_add(size as u64),
            metadata,
        }))
    }

    fn metadata_at(&mut self, at: u64) -> Result<Result<(Metadata, usize), Damage>, Error> {
        let mut wanted = SHORT;
        loop {
            let bytes = self.window.get(at, wanted)?;
            let is_all = bytes.len() < wanted;
            match Metadata::decode(bytes) {
                Err(damage) if damage.is_torn && !is_all && wanted < MAX_SIZE => wanted *= 8,
                other => return Ok(other.map_err(|damage| damage.at(at))),
            }
        }
    }

    /// The bytes from `at` on: `len` of them or more, or what there is up to the end of the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn bytes(&mut self, at: u64, len: usize) -> Result<&[u8], Error> {
        self.window.get(at, len)
    }

    /// A message's body as the client sent it, save for line ends: decompressed, with its attachments.
    ///
    /// # Errors
    /// Its attachments make no sense; there are some and `attachments` is `None`.
    pub fn body(
        &self,
        message: &Message,
        attachments: Option<&AttachmentDir>,
    ) -> Result<Body, Error> {
        let damaged = |damage: Damage| damage.in_file(self.path());
        let refs = message.attachments().map_err(damaged)?;
        let plain = Body::plain(self.stored_body(message)).map_err(|source| Error::Syscall {
            call: "read",
            path: self.path().to_owned(),
            source,
        })?;
        if refs.is_empty() {
            let is_whole = plain
                .known_len()
                .is_none_or(|len| len == message.plain_size());
            return match is_whole {
                true => Ok(plain),
                false => Err(damaged(Damage::wrong(message.body, "size of the body"))),
            };
        }
        let Some(attachments) = attachments else {
            return Err(Error::Config(format!(
                "{}: has attachments, but there is no mail_attachment_dir",
                self.path().display()
            )));
        };
        plain
            .joined(refs, message, attachments.clone())
            .map_err(damaged)
    }

    /// A message's body byte for byte as it is stored.
    #[must_use]
    pub fn stored_body(&self, message: &Message) -> Section {
        Section::new(&self.window, message.body, message.stored)
    }
}
