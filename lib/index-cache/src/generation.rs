//! One cache file, opened. A purge makes a new file; who reads the old one may go on with it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sys::fs::{Fs, FsError, FsFile, FsResult, How, Lock, Stat, found};

use super::codec::Damage;
use super::header::{Header, Unusable};
use super::table::{Table, TableHead};

/// Tables are read with one call if they are not longer.
const TABLE_GUESS: usize = 4096;

/// Where a cache is.
#[derive(Clone, Debug)]
pub struct Place {
    /// How files are reached.
    pub fs: Fs,
    /// `…/dovecot.index.cache`.
    pub path: PathBuf,
    /// `indexid` of the index: a cache of another one is replaced.
    pub index_id: u32,
    /// Permissions of new files.
    pub mode: u32,
}

/// Why a file was not read.
#[derive(Debug)]
pub(super) enum Trouble {
    Fs(FsError),
    Damaged(Damage),
}

impl From<FsError> for Trouble {
    fn from(error: FsError) -> Self {
        Self::Fs(error)
    }
}

impl From<Damage> for Trouble {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// What there was at a [`Place`].
pub(super) enum Opened {
    Nothing,
    /// Of another index or version: as good as nothing.
    Foreign,
    Damaged(Damage),
    File(Generation, Header),
}

/// An open file.
#[derive(Debug)]
pub(super) struct Generation {
    pub file: FsFile,
    pub file_seq: u32,
    pub writable: bool,
    id: (u64, u64),
    tail_checked: AtomicBool,
}

/// The last field table of a file.
#[derive(Debug)]
pub(super) struct LastTable {
    pub offset: u32,
    /// How many there are.
    pub count: u32,
    pub table: Table,
}

impl Generation {
    pub fn open(place: &Place) -> FsResult<Opened> {
        let read_write = found(place.fs.open(&place.path, How::ReadWrite, 0));
        let (file, writable) = match read_write {
            Ok(file) => (file, true),
            Err(error) if error.is_denied() => (found(place.fs.open_read(&place.path))?, false),
            Err(error) => return Err(error),
        };
        let Some(file) = file else {
            return Ok(Opened::Nothing);
        };
        let stat = file.stat()?;
        if !stat.is_file() {
            return Ok(Opened::Foreign);
        }
        let head = read(&file, 0, Header::SIZE)?;
        Ok(match Header::decode(&head, place.index_id) {
            Err(Unusable::Foreign) => Opened::Foreign,
            Err(Unusable::Corrupted(damage)) => Opened::Damaged(damage),
            Ok(header) => Opened::File(Self::new(file, &stat, &header, writable), header),
        })
    }

    fn new(file: FsFile, stat: &Stat, header: &Header, writable: bool) -> Self {
        Self {
            file,
            file_seq: header.file_seq,
            writable,
            id: id(stat),
            tail_checked: AtomicBool::new(false),
        }
    }

    /// Is it still the file at its path?
    pub fn is_current(&self, place: &Place) -> FsResult<bool> {
        let stat = place.fs.stat_opt(&place.path)?;
        Ok(stat.is_some_and(|stat| id(&stat) == self.id))
    }

    pub fn header(&self, index_id: u32) -> Result<Header, Trouble> {
        let head = read(&self.file, 0, Header::SIZE)?;
        match Header::decode(&head, index_id) {
            Ok(header) if header.file_seq == self.file_seq => Ok(header),
            Err(Unusable::Corrupted(damage)) => Err(damage.into()),
            _ => Err(Damage("header changed").into()),
        }
    }

    /// Follows the tables from the one at `first` on.
    pub fn last_table(&self, first: u32) -> Result<LastTable, Trouble> {
        let mut offset = first;
        let mut count = 0;
        if offset == 0 {
            return Err(Damage("missing header fields").into());
        }
        loop {
            let mut bytes = read(&self.file, u64::from(offset), TABLE_GUESS)?;
            let head = TableHead::decode(&bytes)?;
            count += 1;
            if head.next_offset == 0 {
                if head.size as usize > bytes.len() {
                    bytes = read(&self.file, u64::from(offset), head.size as usize)?;
                }
                let table = Table::decode(&bytes)?;
                return Ok(LastTable {
                    offset,
                    count,
                    table,
                });
            }
            // `decode` has seen to it that the size is at least that of the numbers.
            let end = offset.checked_add(head.size);
            if end.is_none_or(|end| head.next_offset < end) {
                return Err(Damage("next_offset in field header decreases").into());
            }
            offset = head.next_offset;
        }
    }

    /// Whether the file still ends after `newest`, the highest offset that the index has for it.
    /// A power cut may have taken the tail of the file and left the log: then what is appended next
    /// would stand where the index expects other messages. Once per opened file is enough.
    pub fn has_tail(&self, size: u64, newest: impl FnOnce() -> u32) -> bool {
        if self.tail_checked.load(Ordering::Relaxed) {
            return true;
        }
        let whole = u64::from(newest()) < size;
        self.tail_checked.store(whole, Ordering::Relaxed);
        whole
    }

    /// Locks the file; `false` if somebody else has it for longer than `wait`.
    pub fn lock(&self, wait: Duration) -> FsResult<bool> {
        let until = Instant::now() + wait;
        let mut pause = Duration::from_millis(1);
        loop {
            match self.file.try_lock(Lock::Exclusive) {
                Ok(()) => return Ok(true),
                Err(error) if error.source.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Gives the lock back. Should that fail, closing the file does it.
    pub fn unlock(&self) {
        let _ = self.file.try_lock(Lock::Unlock);
    }
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.dev, stat.ino)
}

/// Up to `len` bytes at `offset`: fewer only where the file ends.
pub(super) fn read(file: &FsFile, offset: u64, len: usize) -> FsResult<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
