//! What the index keeps of an mbox. FORMATS.md §1.10.
//!
//! ```text
//! "mbox" header: u64 size and u32 mtime of the file when it was last in line with the index ·
//!                u8 1 if some of it was not read then · 3 zeros · 16 bytes GUID of the mailbox
//! "mbox" record: u64 offset of the line end before the From_ line; 0 for the first message
//! "header-md5" record: 16 bytes, see `digest`; zeros if not known
//! ```

use index::{ExtSpec, Extension, RecordRef, State, Transaction};
use sys::fs::Stat;

/// The extension of mbox files.
pub const MBOX: ExtSpec<'static> = ExtSpec {
    name: "mbox",
    header_size: 32,
    record_size: 8,
    record_align: 8,
};
/// The extension of sums.
pub const MD5: ExtSpec<'static> = ExtSpec {
    name: "header-md5",
    header_size: 0,
    record_size: 16,
    record_align: 1,
};
/// Flag of records: the file does not have all of it.
pub const DIRTY: u8 = 0x80;

/// Header of [`MBOX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncHeader {
    /// Of the file, bytes.
    pub size: u64,
    /// Of the file: UNIX time, its low 32 bits.
    pub mtime: u32,
    /// Not all of it was read.
    pub is_dirty: bool,
    /// Zeros: none yet.
    pub guid: [u8; 16],
}

impl SyncHeader {
    /// As an index has it.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let bytes = state.ext_header(MBOX.name).unwrap_or_default();
        let part = |from: usize| bytes.get(from..).unwrap_or_default();
        Self {
            size: part(0)
                .first_chunk()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes)),
            mtime: part(8)
                .first_chunk()
                .map_or(0, |bytes| u32::from_le_bytes(*bytes)),
            is_dirty: part(12).first().is_some_and(|dirty| *dirty != 0),
            guid: part(16).first_chunk().copied().unwrap_or_default(),
        }
    }

    /// The same with what `stat` says.
    #[must_use]
    pub fn with(self, stat: &Stat) -> Self {
        Self {
            size: stat.size,
            mtime: low_bits(stat.mtime.sec),
            ..self
        }
    }

    /// Is the file as it was?
    #[must_use]
    pub fn matches(&self, stat: &Stat) -> bool {
        *self == self.with(stat)
    }

    /// Puts it into a transaction.
    pub fn put(&self, transaction: &mut Transaction) {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.mtime.to_le_bytes());
        bytes.extend_from_slice(&[u8::from(self.is_dirty), 0, 0, 0]);
        bytes.extend_from_slice(&self.guid);
        transaction.extension(&MBOX).set_header(0, &bytes);
    }
}

/// The format has 32 bits for a time.
fn low_bits(seconds: i64) -> u32 {
    u32::try_from(seconds & 0xffff_ffff).unwrap_or(0)
}

/// Fields of records, looked up once.
pub struct Records<'s> {
    mbox: Option<&'s Extension>,
    md5: Option<&'s Extension>,
}

impl<'s> Records<'s> {
    /// Of this state.
    #[must_use]
    pub fn of(state: &'s State) -> Self {
        Self {
            mbox: state.extension(MBOX.name),
            md5: state.extension(MD5.name),
        }
    }

    /// Where a message's separator is.
    #[must_use]
    pub fn separator(&self, record: RecordRef<'_>) -> Option<u64> {
        let bytes = self.mbox?.bytes_of(record)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    }

    /// A message's sum, if it is known.
    #[must_use]
    pub fn md5(&self, record: RecordRef<'_>) -> Option<[u8; 16]> {
        let sum = *self.md5?.bytes_of(record)?.first_chunk()?;
        (sum != [0; 16]).then_some(sum)
    }
}

/// Sets a message's place.
pub fn put_separator(transaction: &mut Transaction, uid: u32, separator: u64) {
    transaction
        .extension(&MBOX)
        .set_record(uid, &separator.to_le_bytes());
}
