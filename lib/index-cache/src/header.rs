//! The header of `dovecot.index.cache`. FORMATS.md §1.12.
//!
//! ```text
//! offset size field
//!      0    1 major_version     1; another is an older or newer kind of file: start anew
//!      1    1 sizeof(off_t)     8; another is another architecture: start anew
//!      2    1 minor_version     1; 0 is rewritten at the next purge
//!      3    1 unused            0
//!      4    4 index_id          the dovecot.index this cache belongs to
//!      8    4 file_seq          not 0; must be the reset_id of the "cache" extension
//!     12    4 continued_records records that continue another one
//!     16    4 records           messages with at least one record
//!     20    4 used_size         written by a purge, read by nobody
//!     24    4 deleted_records   messages that were expunged since the last purge
//!     28    4 fields_offset     encoded; the first field table
//! ```

use super::codec::{Damage, Input};
use crate::size;

const MAJOR: u8 = 1;
const SIZEOF_OFF_T: u8 = 8;
/// What we write. FORMATS.md §1.12.
pub(super) const MINOR: u8 = 1;

/// The header, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 0 was written by Dovecot before 2.2, whose counts mean something else.
    pub minor_version: u8,
    /// Whose cache it is.
    pub index_id: u32,
    /// Number of this file; another one after every purge.
    pub file_seq: u32,
    /// Records that the record of the same message after them points to.
    pub continued_records: u32,
    /// Messages that have records.
    pub records: u32,
    /// File size at the last purge.
    pub used_size: u32,
    /// Messages that had records and are gone.
    pub deleted_records: u32,
    /// Where the first field table is, in bytes.
    pub fields_offset: u32,
}

/// Why a file with these first bytes is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Of another version or architecture, of another index, or empty, as a power cut leaves what was new:
    /// replaced without a word.
    Foreign,
    /// Broken: replaced and told.
    Corrupted(Damage),
}

impl Header {
    /// Bytes on disk.
    pub const SIZE: usize = 32;

    /// Decodes the first bytes of a file that must belong to `index_id`.
    pub fn decode(bytes: &[u8], index_id: u32) -> Result<Self, Unusable> {
        let header = Self::decode_any(bytes)?;
        if header.index_id == index_id {
            Ok(header)
        } else {
            Err(Unusable::Foreign)
        }
    }

    /// [`Header::decode`], whatever index it belongs to.
    pub fn decode_any(bytes: &[u8]) -> Result<Self, Unusable> {
        if bytes.is_empty() {
            return Err(Unusable::Foreign);
        }
        let header = Self::parse(bytes).ok_or(Unusable::Corrupted(Damage("File too small")))?;
        let [major, sizeof_off_t] = bytes.first_chunk().copied().unwrap_or_default();
        if major != MAJOR || sizeof_off_t != SIZEOF_OFF_T {
            return Err(Unusable::Foreign);
        }
        if header.file_seq == 0 {
            return Err(Unusable::Corrupted(Damage("file_seq is 0")));
        }
        Ok(header)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        let [_, _, minor_version, _] = input.array()?;
        Some(Self {
            minor_version,
            index_id: input.u32()?,
            file_seq: input.u32()?,
            continued_records: input.u32()?,
            records: input.u32()?,
            used_size: input.u32()?,
            deleted_records: input.u32()?,
            fields_offset: size::decode(input.array()?).unwrap_or_default(),
        })
    }

    /// As it is written.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let fields_offset = size::encode(self.fields_offset).unwrap_or_default();
        let rows = [
            [MAJOR, SIZEOF_OFF_T, self.minor_version, 0],
            self.index_id.to_le_bytes(),
            self.file_seq.to_le_bytes(),
            self.continued_records.to_le_bytes(),
            self.records.to_le_bytes(),
            self.used_size.to_le_bytes(),
            self.deleted_records.to_le_bytes(),
            fields_offset,
        ];
        for (place, row) in bytes.chunks_exact_mut(4).zip(rows) {
            place.copy_from_slice(&row);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sdbox, Sub/Deep/Leaf of the maildir fixture has the same values but for the seqs.
    const WRITTEN_BY_DOVECOT: [u8; 32] = [
        1, 8, 1, 0, 0x5b, 0x2e, 0x04, 0x6b, 0x5b, 0x2e, 0x04, 0x6b, 3, 0, 0, 0, 3, 0, 0, 0, 0x84,
        1, 0, 0, 0, 0, 0, 0, 0x80, 0x80, 0x80, 0x88,
    ];

    #[test]
    fn reads_and_writes_what_dovecot_wrote() {
        let header = Header::decode(&WRITTEN_BY_DOVECOT, 0x6b04_2e5b).unwrap();
        assert_eq!(header.file_seq, 0x6b04_2e5b);
        assert_eq!((header.continued_records, header.records), (3, 3));
        assert_eq!((header.used_size, header.deleted_records), (388, 0));
        assert_eq!(header.fields_offset, 32);
        assert_eq!(header.encode(), WRITTEN_BY_DOVECOT);
        let other = Header::decode(&WRITTEN_BY_DOVECOT, 7);
        assert_eq!(other, Err(Unusable::Foreign));
    }

    #[test]
    fn truncations_are_told_and_foreign_files_are_not() {
        assert_eq!(Header::decode_any(&[]), Err(Unusable::Foreign));
        for len in 1..Header::SIZE {
            let cut = Header::decode(&WRITTEN_BY_DOVECOT[..len], 0x6b04_2e5b);
            assert_eq!(cut, Err(Unusable::Corrupted(Damage("File too small"))));
        }
        let mut bytes = WRITTEN_BY_DOVECOT;
        bytes[0] = 2;
        assert_eq!(Header::decode_any(&bytes), Err(Unusable::Foreign));
        let mut bytes = WRITTEN_BY_DOVECOT;
        bytes[8..12].fill(0);
        let zero = Err(Unusable::Corrupted(Damage("file_seq is 0")));
        assert_eq!(Header::decode_any(&bytes), zero);
    }
}
