//! A message that waits to be delivered.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use crate::header;

/// Bytes of a message that are searched for the fields that log lines show.
const LOGGED_HEADER: u64 = 256 * 1024;

/// Header lines of ours, and a file behind them.
///
/// Several deliveries may hold the same open file: it is read by position, so none disturbs another.
#[derive(Debug)]
pub struct Message {
    prepend: Vec<u8>,
    file: File,
    size: u64,
    sender: Option<String>,
}

impl Message {
    /// The message in `file`, with the header lines `prepend` (each with its line end) before it.
    ///
    /// # Errors
    /// The file cannot be examined, or is not one that ends.
    pub fn new(prepend: String, file: OwnedFd) -> io::Result<Self> {
        let file = File::from(file);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the message is not a regular file",
            ));
        }
        Ok(Self {
            prepend: prepend.into_bytes(),
            file,
            size: metadata.len(),
            sender: None,
        })
    }

    /// Its envelope sender, without `<>`; empty: a bounce.
    #[must_use]
    pub fn sent_by(self, sender: &str) -> Self {
        Self {
            sender: Some(sender.to_owned()),
            ..self
        }
    }

    /// See [`Message::sent_by`]; `None`: nobody said.
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        self.sender.as_deref()
    }

    /// The whole message from its first byte; any number of readers at a time.
    pub fn reader(&self) -> impl Read + '_ {
        self.prepend.as_slice().chain(FileReader {
            file: &self.file,
            next: 0,
            end: self.size,
        })
    }

    /// Bytes, header lines of ours included.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
            .saturating_add(u64::try_from(self.prepend.len()).unwrap_or(u64::MAX))
    }

    /// Value of the first header field called `name`, unfolded, any bytes; `None` also where the
    /// message cannot be read: it is for log lines only.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Vec<u8>> {
        header::field(self.reader().take(LOGGED_HEADER), name)
    }
}

/// Reads a file by position and not beyond the size it had.
struct FileReader<'a> {
    file: &'a File,
    next: u64,
    end: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let read = self.file.read_at(buffer, self.next)?;
        if read == 0 {
            // Half a message must not pass for a whole one.
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the message became shorter",
            ));
        }
        self.next += u64::try_from(read).map_err(io::Error::other)?;
        Ok(read)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use super::*;

    pub(crate) fn message(prepend: &str, content: &[u8]) -> Message {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Message::new(prepend.to_owned(), file.into()).unwrap()
    }

    #[test]
    fn reads_ours_and_theirs_again_and_again() {
        let message = message("Return-Path: <>\r\n", b"Subject: x\r\n\r\nbody\r\n");
        for _ in 0..2 {
            let mut all = String::new();
            message.reader().read_to_string(&mut all).unwrap();
            assert_eq!(all, "Return-Path: <>\r\nSubject: x\r\n\r\nbody\r\n");
            assert_eq!(u64::try_from(all.len()).unwrap(), message.size());
        }
        assert_eq!(message.field("return-path").unwrap(), b"<>");
        assert_eq!(message.field("SUBJECT").unwrap(), b"x");
    }

    #[test]
    fn a_file_that_shrinks_is_an_error_not_an_end() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100).unwrap();
        let message = Message::new(String::new(), file.try_clone().unwrap().into()).unwrap();
        file.set_len(50).unwrap();
        let error = message.reader().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let (reader, _writer) = io::pipe().unwrap();
        assert!(Message::new(String::new(), reader.into()).is_err());
    }
}
