//! What mdbox keeps in extensions of the map and of its mailboxes' indexes. FORMATS.md §1.10, §2.3.
//! Everything is little-endian.
//!
//! ```text
//! map, "map"            header: u32 highest_file_id, u32 rebuild_count
//!                       record: u32 file_id, u32 offset, u32 size
//! map, "ref"            record: u16 refcount
//! mailbox, "mdbox-hdr"  header: u32 map_uid_validity, 16 bytes mailbox GUID, u8 flags, 3 unused
//! mailbox, "mdbox"      record: u32 map_uid, u32 save_date
//! mailbox, "guid"       record: 16 bytes
//! ```

use mailbox::Guid;

use crate::number::{FileId, MapUid};

/// References beyond this are refused, as Dovecot does.
pub const MAX_REFERENCES: u16 = 32768;

/// Where a stored message is: the record of extension "map".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which file.
    pub file: FileId,
    /// Where its message header begins in it, bytes.
    pub offset: u32,
    /// From the message header to the empty line that ends the metadata, bytes.
    pub size: u32,
}

impl Place {
    /// Bytes of a record.
    pub const SIZE: usize = 12;

    /// The record; `None` when it is too short or names no file.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let file = word(bytes, 0)?;
        (file != 0).then_some(Self {
            file: FileId(file),
            offset: word(bytes, 4)?,
            size: word(bytes, 8)?,
        })
    }

    /// The record.
    #[must_use]
    pub fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, self.file.0);
        put(&mut bytes, 4, self.offset);
        put(&mut bytes, 8, self.size);
        bytes
    }

    /// Where the next message begins, bytes.
    #[must_use]
    pub fn end(self) -> u64 {
        u64::from(self.offset) + u64::from(self.size)
    }
}

/// The header of extension "map".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MapHeader {
    /// No file has a higher number, nor ever had.
    pub highest_file: u32,
    /// How often the storage was rebuilt.
    pub rebuild_count: u32,
}

impl MapHeader {
    /// Bytes.
    pub const SIZE: usize = 8;

    /// What is missing counts as 0.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        Self {
            highest_file: word(bytes, 0).unwrap_or(0),
            rebuild_count: word(bytes, 4).unwrap_or(0),
        }
    }

    /// The header.
    #[must_use]
    pub fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, self.highest_file);
        put(&mut bytes, 4, self.rebuild_count);
        bytes
    }
}

/// The record of extension "ref"; `None` when it is too short.
#[must_use]
pub fn decode_references(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|&two| u16::from_le_bytes(two))
}

/// The header of extension "mdbox-hdr".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxHeader {
    /// Of the map that the records' map UIDs belong to.
    pub map_uid_validity: u32,
    /// The mailbox's identity.
    pub guid: Guid,
    /// 1: messages may have POP3 UIDLs; 2: POP3 orders.
    pub flags: u8,
}

impl BoxHeader {
    /// Bytes.
    pub const SIZE: usize = 24;

    /// `None` when it is too short. Older versions wrote 20 bytes: no flags.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            map_uid_validity: word(bytes, 0)?,
            guid: Guid(*bytes.get(4..20)?.first_chunk()?),
            flags: bytes.get(20).copied().unwrap_or(0),
        })
    }

    /// The header.
    #[must_use]
    pub fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, self.map_uid_validity);
        if let Some(guid) = bytes.get_mut(4..20) {
            guid.copy_from_slice(&self.guid.0);
        }
        if let Some(flags) = bytes.get_mut(20) {
            *flags = self.flags;
        }
        bytes
    }
}

/// The record of extension "mdbox".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxRecord {
    /// Which stored message.
    pub map_uid: MapUid,
    /// When it came into this mailbox, UNIX seconds.
    pub save_date: u32,
}

impl BoxRecord {
    /// Bytes.
    pub const SIZE: usize = 8;

    /// `None` when it is too short or names no message.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let map_uid = word(bytes, 0)?;
        (map_uid != 0).then_some(Self {
            map_uid: MapUid(map_uid),
            save_date: word(bytes, 4)?,
        })
    }

    /// The record.
    #[must_use]
    pub fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, self.map_uid.0);
        put(&mut bytes, 4, self.save_date);
        bytes
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|&four| u32::from_le_bytes(four))
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(to) = bytes.get_mut(at..at + 4) {
        to.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // FORMATS.md §2.8: record of uid 8 in the fixture's map.
    const PLACE: [u8; 12] = [4, 0, 0, 0, 0x10, 0, 0, 0, 0x1a, 1, 0, 0];

    #[test]
    fn known_place() {
        let place = Place::decode(&PLACE).unwrap();
        assert_eq!(
            place,
            Place {
                file: FileId(4),
                offset: 16,
                size: 30 + 192 + 4 + 56
            }
        );
        assert_eq!(place.end(), 0x12a);
        assert_eq!(place.encode(), PLACE);
        for cut in 0..12 {
            assert_eq!(Place::decode(&PLACE[..cut]), None);
        }
        assert_eq!(Place::decode(&[0; 12]), None);
        let far = Place {
            file: FileId(u32::MAX),
            offset: u32::MAX,
            size: u32::MAX,
        };
        assert_eq!(far.end(), 2 * u64::from(u32::MAX));
    }

    #[test]
    fn known_box_record() {
        // FORMATS.md §1.13.
        let bytes = [3, 0, 0, 0, 0x52, 0x2e, 0x04, 0x6b];
        let record = BoxRecord::decode(&bytes).unwrap();
        assert_eq!(record.map_uid, MapUid(3));
        assert_eq!(record.save_date, 0x6b04_2e52);
        assert_eq!(record.encode(), bytes);
        assert!((0..8).all(|cut| BoxRecord::decode(&bytes[..cut]).is_none()));
    }

    #[test]
    fn anything_may_come() {
        bolero::check!().for_each(|bytes: &[u8]| {
            if let Some(place) = Place::decode(bytes) {
                assert_eq!(place.encode(), bytes[..Place::SIZE]);
            }
            if let Some(record) = BoxRecord::decode(bytes) {
                assert_eq!(record.encode(), bytes[..BoxRecord::SIZE]);
            }
            if let Some(header) = BoxHeader::decode(bytes) {
                assert_eq!(BoxHeader::decode(&header.encode()), Some(header));
            }
            let header = MapHeader::decode(bytes);
            assert_eq!(MapHeader::decode(&header.encode()), header);
            assert_eq!(decode_references(bytes).is_some(), bytes.len() >= 2);
            if let Some(id) = FileId::from_file_name(bytes) {
                assert_eq!(id.file_name().as_bytes(), bytes);
            }
        });
    }

    #[test]
    fn headers_go_both_ways() {
        let header = BoxHeader {
            map_uid_validity: 0x6b04_2e52,
            guid: Guid(*b"0123456789abcdef"),
            flags: 3,
        };
        let bytes = header.encode();
        assert_eq!(BoxHeader::decode(&bytes), Some(header));
        assert_eq!(
            BoxHeader::decode(&bytes[..20]),
            Some(BoxHeader { flags: 0, ..header })
        );
        assert!((0..20).all(|cut| BoxHeader::decode(&bytes[..cut]).is_none()));
        let header = MapHeader {
            highest_file: 7,
            rebuild_count: 1,
        };
        assert_eq!(MapHeader::decode(&header.encode()), header);
        assert_eq!(MapHeader::decode(&[]), MapHeader::default());
    }
}
