//! The base header of `dovecot.index`. FORMATS.md §1.1.
//!
//! ```text
//! offset size field
//!      0    1 major_version      7; refuse any other
//!      1    1 minor_version      3
//!      2    2 base_header_size   120; what a larger one holds is kept
//!      4    4 header_size        base and extensions, a multiple of 8
//!      8    4 record_size        at least 8
//!     12    1 compat_flags       bit 0: little-endian
//!     16    4 index_id           the same in log and cache
//!     20    4 flags              2: some record is dirty, 4: repaired, the backend must look
//!     24    4 uid_validity       0: before the first sync
//!     28    4 next_uid           never shrinks
//!     32    4 messages_count
//!     40    4 seen_count
//!     44    4 deleted_count
//!     48    4 first_recent_uid   this and higher ones are \Recent
//!     52    4 first_unseen_low   no unseen message is lower
//!     56    4 first_deleted_low  no deleted message is lower
//!     60    4 log_file_seq
//!     64    4 log_tail           the mail has been told up to here
//!     68    4 log_head           this file knows up to here
//!     76    4 log2_rotate_time   0: unknown, 0xffffffff: there is no .log.2
//!     80    4 last_temp_scan     UNIX time
//!     84    4 day_stamp          local midnight of the last day with appends
//!     88   32 day_first_uid      of the last eight such days, newest first
//! ```

use crate::Corruption;
use crate::bytes::{put, u16_at, u32_at};

/// Where the fields are; what a HEADER_UPDATE names.
pub mod field {
    #![expect(missing_docs, reason = "the table is at the head of the file")]
    pub const FLAGS: usize = 20;
    pub const UID_VALIDITY: usize = 24;
    pub const NEXT_UID: usize = 28;
    pub const MESSAGES: usize = 32;
    pub const SEEN: usize = 40;
    pub const DELETED: usize = 44;
    pub const FIRST_RECENT: usize = 48;
    pub const FIRST_UNSEEN_LOW: usize = 52;
    pub const FIRST_DELETED_LOW: usize = 56;
    pub const LOG_SEQ: usize = 60;
    pub const LOG_TAIL: usize = 64;
    pub const LOG_HEAD: usize = 68;
    pub const LOG2_ROTATE_TIME: usize = 76;
    pub const LAST_TEMP_SCAN: usize = 80;
    pub const DAY_STAMP: usize = 84;
}

/// Bits of [`field::FLAGS`].
pub(crate) const HAVE_DIRTY: u32 = 2;
pub(crate) const FSCKD: u32 = 4;

/// What the log cannot overwrite: it is computed, or belongs to the file.
const COMPUTED: [(usize, usize); 5] = [(0, 20), (32, 48), (60, 64), (64, 72), (72, 76)];

/// The base header, with whatever a newer version put behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    bytes: Vec<u8>,
}

impl Header {
    /// Bytes of the header that we write.
    pub const SIZE: usize = 120;

    pub(crate) fn new(index_id: u32) -> Self {
        let mut header = Self {
            bytes: vec![0; Self::SIZE],
        };
        for (offset, value) in [
            // 7.3, 120 bytes.
            (0, 0x0078_0307),
            (8, 8),
            (12, 1),
            (16, index_id),
            (field::NEXT_UID, 1),
            (field::FIRST_RECENT, 1),
        ] {
            header.set(offset, value);
        }
        header
    }

    pub(crate) fn decode(file: &[u8]) -> Result<Self, Corruption> {
        let short = Corruption::new(file.len(), "index header is cut short");
        if file.first().ok_or(short)? != &7 {
            return Err(Corruption::new(0, "index's major version is not 7"));
        }
        let size = usize::from(u16_at(file, 2).ok_or(short)?);
        if size < Self::SIZE {
            return Err(Corruption::new(2, "index header is too small"));
        }
        let bytes = file.get(..size).ok_or(short)?.to_vec();
        if bytes.get(12) != Some(&1) {
            return Err(Corruption::new(12, "index is not little-endian"));
        }
        let header = Self { bytes };
        if header.index_id() == 0 {
            return Err(Corruption::new(16, "index was marked corrupted"));
        }
        if header.get(field::NEXT_UID) == 0 {
            return Err(Corruption::new(field::NEXT_UID, "next UID is 0"));
        }
        Ok(header)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number at one of [`field`].
    #[must_use]
    pub fn get(&self, offset: usize) -> u32 {
        u32_at(&self.bytes, offset).unwrap_or(0)
    }

    pub(crate) fn set(&mut self, offset: usize, value: u32) {
        // All offsets lie within the 120 bytes that every header has.
        let _ = put(&mut self.bytes, offset, &value.to_le_bytes());
    }

    /// A change that the log tells.
    pub(crate) fn patch(&mut self, offset: usize, data: &[u8]) -> bool {
        let before = self.bytes.clone();
        if !put(&mut self.bytes, offset, data) {
            return false;
        }
        for (from, to) in COMPUTED {
            if let Some(kept) = before.get(from..to) {
                let _ = put(&mut self.bytes, from, kept);
            }
        }
        let next_uid = u32_at(&before, field::NEXT_UID).unwrap_or(1);
        self.set(field::NEXT_UID, self.next_uid().max(next_uid));
        true
    }

    /// UNIX time of creation, the same in log and cache.
    #[must_use]
    pub fn index_id(&self) -> u32 {
        self.get(16)
    }

    /// 0 before the first sync.
    #[must_use]
    pub fn uid_validity(&self) -> u32 {
        self.get(field::UID_VALIDITY)
    }

    /// What the next message gets at least; at least 1.
    #[must_use]
    pub fn next_uid(&self) -> u32 {
        self.get(field::NEXT_UID).max(1)
    }

    /// Messages from this UID on are `\Recent`.
    #[must_use]
    pub fn first_recent_uid(&self) -> u32 {
        self.get(field::FIRST_RECENT)
    }

    /// UNIX time at which `.log` became `.log.2`; `None`: there is none.
    #[must_use]
    pub fn log2_rotate_time(&self) -> Option<u32> {
        Some(self.get(field::LOG2_ROTATE_TIME)).filter(|time| *time != u32::MAX)
    }

    /// Has the index been repaired, and must the backend look what is missing?
    #[must_use]
    pub fn is_repaired(&self) -> bool {
        self.get(field::FLAGS) & FSCKD != 0
    }
}
