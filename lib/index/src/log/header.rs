//! The header of the transaction log. FORMATS.md §1.2.
//!
//! ```text
//! offset size field
//!      0    1 major_version      1; refuse any other
//!      1    1 minor_version      3; ≥3: flag changes of the backend alone do not raise the modseq
//!      2    2 header_size        40; 24 and more are read, what is missing is zero
//!      4    4 index_id           that of dovecot.index; 0: marked corrupted
//!      8    4 file_seq           one more at each rotation
//!     12    4 prev_file_seq      0: the index begins here
//!     16    4 prev_file_offset   size of the previous log
//!     20    4 created            UNIX time
//!     24    8 initial_modseq     highest modseq before the first record
//!     32    1 compat_flags       bit 0: little-endian; counts from minor 2 on
//!     33    7 unused             zero
//! ```

use crate::Corruption;
use crate::bytes::{u16_at, u32_at, u64_at};

/// See the table above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHeader {
    /// Minor version; ours is 3.
    pub minor_version: u8,
    /// Bytes before the first record, 24 to 65,535.
    pub header_size: u16,
    /// Which index it belongs to.
    pub index_id: u32,
    /// Number of this log.
    pub file_seq: u32,
    /// Number of the log before it; 0: older state and logs count no more.
    pub prev_file_seq: u32,
    /// Where the log before it ends, bytes.
    pub prev_file_offset: u32,
    /// UNIX time.
    pub created: u32,
    /// Highest modseq before the first record.
    pub initial_modseq: u64,
    /// 1: little-endian.
    pub compat_flags: u8,
}

impl LogHeader {
    /// Bytes of the header that we write.
    pub const SIZE: usize = 40;
    /// Bytes of the shortest header that ever was.
    const LEAST: u16 = 24;

    /// Reads a header from the start of a log.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corruption> {
        let short = Corruption::new(bytes.len(), "log header is cut short");
        let [major, minor, ..] = *bytes else {
            return Err(short);
        };
        if major != 1 {
            return Err(Corruption::new(0, "log's major version is not 1"));
        }
        let header_size = u16_at(bytes, 2).ok_or(short)?;
        if header_size < Self::LEAST {
            return Err(Corruption::new(2, "log header is too small"));
        }
        let known = bytes.get(..usize::from(header_size)).ok_or(short)?;
        let header = Self {
            minor_version: minor,
            header_size,
            index_id: u32_at(known, 4).ok_or(short)?,
            file_seq: u32_at(known, 8).ok_or(short)?,
            prev_file_seq: u32_at(known, 12).ok_or(short)?,
            prev_file_offset: u32_at(known, 16).ok_or(short)?,
            created: u32_at(known, 20).ok_or(short)?,
            initial_modseq: u64_at(known, 24).unwrap_or(0),
            compat_flags: known.get(32).copied().unwrap_or(0),
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), Corruption> {
        if self.index_id == 0 {
            return Err(Corruption::new(4, "log was marked corrupted"));
        }
        if self.minor_version >= 2 && self.compat_flags & 1 == 0 {
            return Err(Corruption::new(32, "log is not little-endian"));
        }
        Ok(())
    }

    /// The bytes of the header, 40 of them.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let fields = [1, self.minor_version]
            .into_iter()
            .chain(self.header_size.to_le_bytes())
            .chain(self.index_id.to_le_bytes())
            .chain(self.file_seq.to_le_bytes())
            .chain(self.prev_file_seq.to_le_bytes())
            .chain(self.prev_file_offset.to_le_bytes())
            .chain(self.created.to_le_bytes())
            .chain(self.initial_modseq.to_le_bytes())
            .chain([self.compat_flags]);
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FORMATS.md §1.13: INBOX of the mdbox fixture.
    const WRITTEN_BY_DOVECOT: [u8; 40] = [
        0x01, 0x03, 0x28, 0x00, 0x52, 0x2e, 0x04, 0x6b, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, //
        0x52, 0x2e, 0x04, 0x6b, 0x01, 0, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn reads_and_writes_what_dovecot_wrote() {
        let header = LogHeader::decode(&WRITTEN_BY_DOVECOT).unwrap();
        assert_eq!(header.index_id, 0x6b04_2e52);
        assert_eq!((header.file_seq, header.prev_file_seq), (2, 0));
        assert_eq!(header.initial_modseq, 1);
        assert_eq!(header.encode(), WRITTEN_BY_DOVECOT);
    }

    #[test]
    fn every_truncation_is_corruption() {
        for len in 0..LogHeader::SIZE {
            assert!(LogHeader::decode(&WRITTEN_BY_DOVECOT[..len]).is_err());
        }
    }

    #[test]
    fn marks_of_corruption_are_seen() {
        for (at, value) in [(0, 2), (2, 20), (32, 0)] {
            let mut bytes = WRITTEN_BY_DOVECOT;
            bytes[at] = value;
            assert!(LogHeader::decode(&bytes).is_err(), "{at}");
        }
        let mut marked = WRITTEN_BY_DOVECOT;
        marked[4..8].fill(0);
        assert!(LogHeader::decode(&marked).is_err());
    }
}
