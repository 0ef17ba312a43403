//! An open log.

use std::path::Path;

use sys::fs::{Fs, FsFile, FsResult, How, Stat, found};

use crate::bytes::{u32_at, u64_at};
use crate::log::{LogHeader, RawRecord};
use crate::{Corruption, Error};

/// A larger log is none, bytes.
const LARGEST: u64 = 1 << 30;

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

impl From<&Stat> for FileId {
    fn from(stat: &Stat) -> Self {
        Self(stat.dev, stat.ino)
    }
}

/// A log whose header was read.
#[derive(Debug, Clone)]
pub(super) struct LogFile {
    pub file: FsFile,
    pub id: FileId,
    pub header: LogHeader,
    /// Rules that its header breaks.
    pub damage: Option<Corruption>,
}

impl LogFile {
    /// Opens a log; `None`: there is none.
    pub(super) fn open(fs: &Fs, path: &Path) -> Result<Option<Self>, Error> {
        let Some(file) = found(open_to_change(fs, path))? else {
            return Ok(None);
        };
        let id = FileId::from(&file.stat()?);
        let mut head = vec![0; usize::from(u16::MAX)];
        let read = file.read_at(&mut head, 0)?;
        head.truncate(read);
        let (header, damage) = match LogHeader::decode(&head) {
            Ok(header) if is_followed(&header, &head) => (header, None),
            Ok(_) => {
                let damage = Corruption::new(2, "log header has another size");
                (salvage(&head), Some(damage))
            }
            Err(damage) => (salvage(&head), Some(damage)),
        };
        Ok(Some(Self {
            file,
            id,
            header,
            damage,
        }))
    }

    pub(super) fn size(&self) -> FsResult<u64> {
        Ok(self.file.stat()?.size)
    }

    /// Everything from `offset` on.
    pub(super) fn read_from(&self, offset: u64) -> Result<Vec<u8>, Error> {
        let size = self.size()?;
        if size > LARGEST {
            let too_large = Corruption::new(0, "log is impossibly large");
            return Err(too_large.in_file(self.file.path()));
        }
        let wanted = usize::try_from(size.saturating_sub(offset)).unwrap_or(0);
        let mut bytes = vec![0; wanted];
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let read = self.file.read_at(rest, offset + done as u64)?;
            if read == 0 {
                break;
            }
            done += read;
        }
        bytes.truncate(done);
        Ok(bytes)
    }

    pub(super) fn start(&self) -> u64 {
        self.header.header_size.into()
    }
}

/// Who may only read the directory still reads.
fn open_to_change(fs: &Fs, path: &Path) -> FsResult<FsFile> {
    match fs.open(path, How::Append, 0) {
        Err(error) if error.is_denied() => fs.open_read(path),
        other => other,
    }
}

/// Is there a record behind the header, or nothing? Every log so far has the usual size.
fn is_followed(header: &LogHeader, head: &[u8]) -> bool {
    let size = usize::from(header.header_size);
    let rest = head.get(size..).unwrap_or_default();
    size == LogHeader::SIZE
        || size == head.len()
        || RawRecord::decode(rest, u64::from(header.header_size)).is_some()
}

/// A header that breaks the rules says something all the same, when records follow it.
fn salvage(head: &[u8]) -> LogHeader {
    let records_at = LogHeader::SIZE;
    let records = head.get(records_at..).unwrap_or_default();
    let header_size = match RawRecord::decode(records, records_at as u64) {
        Some(_) => records_at,
        // Nothing can be read from here.
        None => usize::from(u16::MAX),
    };
    LogHeader {
        minor_version: 3,
        header_size: crate::bytes::low16(header_size),
        index_id: u32_at(head, 4).unwrap_or(0),
        file_seq: u32_at(head, 8).unwrap_or(0),
        prev_file_seq: u32_at(head, 12).unwrap_or(0),
        prev_file_offset: u32_at(head, 16).unwrap_or(0),
        created: u32_at(head, 20).unwrap_or(0),
        initial_modseq: u64_at(head, 24).unwrap_or(0),
        compat_flags: 1,
    }
}
