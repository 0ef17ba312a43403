//! `dovecot.mailbox.log`: what happened to mailboxes, for dsync. FORMATS.md §6.2.
//!
//! ```text
//! offset size field
//!      0    1 kind   1 delete mailbox, 2 delete dir, 3 rename, 4 subscribe, 5 unsubscribe, 6 create dir
//!      1    3 zero
//!      4   16 id     1: the mailbox's GUID; else the first 16 bytes of SHA-1 of its name
//!     20    4 time   UNIX seconds, big-endian
//! ```

use mailbox::Guid;

use crate::Corruption;
use crate::bytes::array;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table is at the head of the file")]
pub enum Kind {
    DeleteMailbox,
    DeleteDir,
    Rename,
    Subscribe,
    Unsubscribe,
    CreateDir,
}

const KINDS: [Kind; 6] = [
    Kind::DeleteMailbox,
    Kind::DeleteDir,
    Kind::Rename,
    Kind::Subscribe,
    Kind::Unsubscribe,
    Kind::CreateDir,
];

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// What happened.
    pub kind: Kind,
    /// To which mailbox: its GUID or the hash of its name.
    pub id: Guid,
    /// When, UNIX time.
    pub time: u32,
}

impl Record {
    /// Bytes of a record.
    pub const SIZE: usize = 24;

    /// Reads one.
    ///
    /// # Errors
    /// It is cut short, or nobody knows what happened.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corruption> {
        let short = Corruption::new(bytes.len(), "mailbox log record is cut short");
        let number = *bytes.first().ok_or(short)?;
        let kind = usize::from(number)
            .checked_sub(1)
            .and_then(|at| KINDS.get(at))
            .ok_or(Corruption::new(0, "mailbox log record of an unknown kind"))?;
        Ok(Self {
            kind: *kind,
            id: Guid(array(bytes, 4).ok_or(short)?),
            time: u32::from_be_bytes(array(bytes, 20).ok_or(short)?),
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let number = KINDS
            .iter()
            .zip(1_u8..)
            .find(|(kind, _)| **kind == self.kind);
        let mut bytes = [0; Self::SIZE];
        let fields = [number.map_or(0, |(_, number)| number), 0, 0, 0]
            .into_iter()
            .chain(self.id.0)
            .chain(self.time.to_be_bytes());
        bytes
            .iter_mut()
            .zip(fields)
            .for_each(|(to, from)| *to = from);
        bytes
    }
}

/// All records of a log, each with its offset; a record that is wrong is told and passed over.
pub fn records(log: &[u8]) -> impl Iterator<Item = (u64, Result<Record, Corruption>)> {
    log.chunks(Record::SIZE).enumerate().map(|(number, bytes)| {
        let offset = (number * Record::SIZE) as u64;
        (
            offset,
            Record::decode(bytes).map_err(|wrong| wrong.within(offset)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_go_both_ways_and_truncations_are_told() {
        for kind in KINDS {
            let record = Record {
                kind,
                id: Guid([7; 16]),
                time: 0x0102_0304,
            };
            let bytes = record.encode();
            assert_eq!(&bytes[20..], [1, 2, 3, 4]);
            assert_eq!(Record::decode(&bytes), Ok(record));
            for len in 0..Record::SIZE {
                assert!(Record::decode(&bytes[..len]).is_err());
            }
        }
        assert!(Record::decode(&[7; 24]).is_err());
    }
}
