//! One record of the transaction log. FORMATS.md §1.2.
//!
//! ```text
//! offset size field
//!      0    4 size      of the record with this head; see `size`
//!      4    4 kind      low 28 bits, and flags: 0x10000000 external, 0x20000000 dsync
//!      8      payload   padded to a multiple of four, never empty
//! ```

mod decode;
mod encode;

use super::size;
use crate::Corruption;
use crate::bytes::{array, low32, slice, u32_at};

/// The numbers of the kinds.
pub mod kind {
    #![expect(missing_docs, reason = "the names are those of FORMATS.md §1.2")]
    pub const APPEND: u32 = 0x2;
    pub const FLAG_UPDATE: u32 = 0x4;
    pub const HEADER_UPDATE: u32 = 0x20;
    pub const EXT_INTRO: u32 = 0x40;
    pub const EXT_RESET: u32 = 0x80;
    pub const EXT_HDR_UPDATE: u32 = 0x100;
    pub const EXT_REC_UPDATE: u32 = 0x200;
    pub const KEYWORD_UPDATE: u32 = 0x400;
    pub const KEYWORD_RESET: u32 = 0x800;
    pub const EXT_ATOMIC_INC: u32 = 0x1000;
    pub const MODSEQ_UPDATE: u32 = 0x8000;
    pub const EXPUNGE: u32 = 0xcd91;
    pub const EXPUNGE_GUID: u32 = 0xed90;
    pub const EXT_HDR_UPDATE32: u32 = 0x1_0000;
    pub const INDEX_DELETED: u32 = 0x2_0000;
    pub const INDEX_UNDELETED: u32 = 0x4_0000;
    pub const BOUNDARY: u32 = 0x8_0000;
    pub const ATTRIBUTE_UPDATE: u32 = 0x10_0000;
}

const KIND: u32 = 0x0fff_ffff;
const EXTERNAL: u32 = 0x1000_0000;
/// Bytes before the payload.
pub(crate) const HEAD: usize = 8;
/// The shortest record.
const LEAST: usize = 12;

/// Has what a record tells happened already?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A request: the next sync still has to do it to the mail.
    Internal,
    /// It has been done to the mail.
    External,
}

/// A record as it lies in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// Of its head in the file, bytes.
    pub offset: u64,
    /// One of [`kind`], or another number.
    pub kind: u32,
    /// The four high bits of the kind field.
    pub flags: u32,
    /// With its padding.
    pub payload: &'a [u8],
}

impl<'a> RawRecord<'a> {
    /// Reads one record at the start of `bytes`, which lie at `offset` of the file. `None`: it is not
    /// there to its end.
    #[must_use]
    pub fn decode(bytes: &'a [u8], offset: u64) -> Option<Self> {
        let size = usize::try_from(size::decode(array(bytes, 0)?)?).ok()?;
        let field = u32_at(bytes, 4)?;
        if size < LEAST {
            return None;
        }
        Some(Self {
            offset,
            kind: field & KIND,
            flags: field & !KIND,
            payload: slice(bytes, HEAD, size - HEAD)?,
        })
    }

    /// Bytes of it with its head.
    #[must_use]
    pub fn size(&self) -> usize {
        self.payload.len() + HEAD
    }

    /// Where the next one begins.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.size() as u64
    }

    /// Request or fact?
    #[must_use]
    pub fn origin(&self) -> Origin {
        if self.flags & EXTERNAL == 0 {
            Origin::Internal
        } else {
            Origin::External
        }
    }

    /// What it says.
    ///
    /// # Errors
    /// The payload breaks the rules of its kind; offsets count from the start of the file.
    pub fn body(&self) -> Result<Body, Corruption> {
        decode::body(self.kind, self.payload)
            .map_err(|wrong| wrong.within(self.offset.saturating_add(HEAD as u64)))
    }
}

/// Some UIDs, first and last included; both at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UidRange {
    /// The first.
    pub first: u32,
    /// The last, not before the first.
    pub last: u32,
}

/// A new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Append {
    /// Higher than any before it.
    pub uid: u32,
    /// Bits of FORMATS.md §1.1.
    pub flags: u8,
}

/// A message to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expunge {
    /// Of the message.
    pub uid: u32,
    /// Of the message; zeros: not told.
    pub guid: [u8; 16],
}

/// `new = (old & !remove) | add`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagUpdate {
    /// Whose.
    pub uids: UidRange,
    /// Bits to set.
    pub add: u8,
    /// Bits to clear.
    pub remove: u8,
    /// Not 0: raises the modseq even if only bits of the backend change.
    pub modseq_inc: u8,
}

/// Bytes of a header to overwrite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// From the start of the header, bytes.
    pub offset: u32,
    /// The new bytes.
    pub data: Vec<u8>,
}

/// Which extension the records after it are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtIntro {
    /// Position among the extensions; `None`: by name, made if it is not there.
    pub ext_id: Option<u32>,
    /// Updates count only if it is the extension's.
    pub reset_id: u32,
    /// Bytes of its header.
    pub header_size: u32,
    /// Bytes in each record.
    pub record_size: u16,
    /// Alignment of those: 0, 1, 2, 4 or 8.
    pub record_align: u16,
    /// Bit 0: sizes only grow.
    pub flags: u16,
    /// Empty with an `ext_id`.
    pub name: String,
}

/// Adding or taking away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toggle {
    /// Set.
    Add,
    /// Unset.
    Remove,
}

/// A changed mailbox attribute; its value is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Set or unset.
    pub change: Toggle,
    /// `p` private, `s` shared.
    pub scope: u8,
    /// Its key.
    pub name: Vec<u8>,
    /// When, UNIX time.
    pub time: u32,
    /// Bytes of the value, when set.
    pub value_size: u32,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of FORMATS.md §1.2")]
pub enum Body {
    Append(Vec<Append>),
    Expunge(Vec<UidRange>),
    ExpungeGuid(Vec<Expunge>),
    FlagUpdate(Vec<FlagUpdate>),
    HeaderUpdate(Vec<Patch>),
    ExtIntro(Vec<ExtIntro>),
    /// `preserve` is 0 when records and header are to be zeroed; `short` as ancient writers wrote it.
    ExtReset {
        reset_id: u32,
        preserve: u8,
        short: bool,
    },
    ExtHeaderUpdate(Vec<Patch>),
    ExtHeaderUpdate32(Vec<Patch>),
    /// Entries as they are: their size is the introduced extension's. See [`ext_records`].
    ExtRecordUpdate(Vec<u8>),
    ExtAtomicInc(Vec<(u32, i32)>),
    KeywordUpdate {
        change: Toggle,
        name: String,
        uids: Vec<UidRange>,
    },
    KeywordReset(Vec<UidRange>),
    /// UID and modseq; UID 0 raises the highest one alone.
    ModseqUpdate(Vec<(u32, u64)>),
    IndexDeleted,
    IndexUndeleted,
    /// Bytes of the transaction that begins with this record.
    Boundary(u32),
    AttributeUpdate(Vec<Attribute>),
    /// Of a kind that nobody knows.
    Unknown(u32, Vec<u8>),
}

impl Body {
    /// The whole record with its head; `None`: too large for the log.
    #[must_use]
    pub fn encode(&self, origin: Origin) -> Option<Vec<u8>> {
        let flags = match origin {
            Origin::Internal => 0,
            Origin::External => EXTERNAL,
        };
        self.encode_with(flags)
    }

    /// [`Body::encode`] with any flags of [`RawRecord::flags`].
    #[must_use]
    pub fn encode_with(&self, flags: u32) -> Option<Vec<u8>> {
        let mut record = vec![0; HEAD];
        let kind = encode::payload(self, &mut record);
        crate::bytes::pad4(&mut record);
        let size = size::encode(low32(record.len()))?;
        let head = size
            .into_iter()
            .chain((kind & KIND | flags & !KIND).to_le_bytes());
        for (to, from) in record.iter_mut().zip(head) {
            *to = from;
        }
        Some(record)
    }
}

/// The entries of an EXT_REC_UPDATE for records of `record_size` bytes: UID and data.
pub fn ext_records(entries: &[u8], record_size: usize) -> impl Iterator<Item = (u32, &[u8])> {
    let entry = crate::bytes::align(record_size, 4).saturating_add(4);
    entries
        .chunks_exact(entry)
        .filter_map(move |bytes| Some((u32_at(bytes, 0)?, slice(bytes, 4, record_size)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    fn range(first: u32, last: u32) -> UidRange {
        UidRange { first, last }
    }

    /// FORMATS.md §1.2, and §1.13 for those that a fixture has.
    #[expect(clippy::too_many_lines, reason = "one entry a kind")]
    fn known() -> Vec<(&'static str, u32, Body)> {
        let patch = |offset, data: &[u8]| Patch {
            offset,
            data: data.to_vec(),
        };
        vec![
            (
                "80808084 02000010 03000000 0a000000",
                EXTERNAL,
                Body::Append(vec![Append { uid: 3, flags: 10 }]),
            ),
            (
                "80808084 91cd0010 02000000 05000000",
                EXTERNAL,
                Body::Expunge(vec![range(2, 5)]),
            ),
            (
                "80808087 90ed0000 07000000 000102030405060708090a0b0c0d0e0f",
                0,
                Body::ExpungeGuid(vec![Expunge {
                    uid: 7,
                    guid: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
                }]),
            ),
            (
                "80808085 04000000 01000000 09000000 08170100",
                0,
                Body::FlagUpdate(vec![FlagUpdate {
                    uids: range(1, 9),
                    add: 8,
                    remove: 0x17,
                    modseq_inc: 1,
                }]),
            ),
            (
                "80808084 20000010 50000400 522e046b",
                EXTERNAL,
                Body::HeaderUpdate(vec![patch(80, &[0x52, 0x2e, 0x04, 0x6b])]),
            ),
            (
                "8080808b 40000010 ffffffff 00000000 04000000 0000 0000 0100 0d00 \
                 6864722d706f70332d7569646c 000000",
                EXTERNAL,
                Body::ExtIntro(vec![ExtIntro {
                    ext_id: None,
                    reset_id: 0,
                    header_size: 4,
                    record_size: 0,
                    record_align: 0,
                    flags: 1,
                    name: "hdr-pop3-uidl".to_owned(),
                }]),
            ),
            (
                "80808084 80000010 05000000 01000000",
                EXTERNAL,
                Body::ExtReset {
                    reset_id: 5,
                    preserve: 1,
                    short: false,
                },
            ),
            (
                "80808083 80000010 05000000",
                EXTERNAL,
                Body::ExtReset {
                    reset_id: 5,
                    preserve: 0,
                    short: true,
                },
            ),
            (
                "80808086 00010000 00000100 aa000000 04000100 bb000000",
                0,
                Body::ExtHeaderUpdate(vec![patch(0, &[0xaa]), patch(4, &[0xbb])]),
            ),
            (
                "80808085 00000100 00000100 02000000 aabb0000",
                0,
                Body::ExtHeaderUpdate32(vec![patch(0x1_0000, &[0xaa, 0xbb])]),
            ),
            (
                "80808084 00020010 03000000 04020000",
                EXTERNAL,
                Body::ExtRecordUpdate(vec![3, 0, 0, 0, 4, 2, 0, 0]),
            ),
            (
                "80808084 00100000 03000000 ffffffff",
                0,
                Body::ExtAtomicInc(vec![(3, -1)]),
            ),
            (
                "80808087 00040000 01000500 4a756e6b5a000000 02000000 04000000",
                0,
                Body::KeywordUpdate {
                    change: Toggle::Remove,
                    name: "JunkZ".to_owned(),
                    uids: vec![range(2, 4)],
                },
            ),
            (
                "80808084 00080000 02000000 04000000",
                0,
                Body::KeywordReset(vec![range(2, 4)]),
            ),
            (
                "80808085 00800010 00000000 02000000 01000000",
                EXTERNAL,
                Body::ModseqUpdate(vec![(0, 0x1_0000_0002)]),
            ),
            ("80808083 00000200 00000000", 0, Body::IndexDeleted),
            ("80808083 00000410 00000000", EXTERNAL, Body::IndexUndeleted),
            ("80808083 00000810 ac000000", EXTERNAL, Body::Boundary(172)),
            (
                "80808088 00001010 2b70612f 62002d73 63000000 07000000 03000000 08000000",
                EXTERNAL,
                Body::AttributeUpdate(vec![
                    Attribute {
                        change: Toggle::Add,
                        scope: b'p',
                        name: b"a/b".to_vec(),
                        time: 7,
                        value_size: 3,
                    },
                    Attribute {
                        change: Toggle::Remove,
                        scope: b's',
                        name: b"c".to_vec(),
                        time: 8,
                        value_size: 0,
                    },
                ]),
            ),
        ]
    }

    #[test]
    fn every_kind_goes_both_ways() {
        for (bytes, flags, body) in known() {
            let bytes = hex(bytes);
            let record = RawRecord::decode(&bytes, 0).unwrap();
            assert_eq!(record.flags, flags);
            assert_eq!(record.body().as_ref(), Ok(&body));
            assert_eq!(body.encode_with(flags).as_ref(), Some(&bytes));
        }
    }

    #[test]
    fn truncations_and_flips_are_told() {
        for (bytes, _, _) in known() {
            let bytes = hex(bytes);
            for len in 0..bytes.len() {
                assert_eq!(RawRecord::decode(&bytes[..len.min(7)], 0), None);
                let payload = bytes.get(8..len).unwrap_or_default();
                let kind = u32_at(&bytes, 4).unwrap() & KIND;
                let _ = decode::body(kind, payload);
            }
            for at in 0..bytes.len() {
                for flip in 0..8 {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1 << flip;
                    let _ = RawRecord::decode(&bytes, 0).map(|record| record.body());
                }
            }
        }
    }

    #[test]
    fn rules_are_kept() {
        for (kind, payload) in [
            (kind::APPEND, "00000000 00000000"),
            (kind::FLAG_UPDATE, "05000000 04000000 00000000"),
            (kind::KEYWORD_UPDATE, "02000100 4a000000 01000000 01000000"),
            (kind::HEADER_UPDATE, "00000500 00000000"),
            (kind::ATTRIBUTE_UPDATE, "2b700000"),
        ] {
            assert!(decode::body(kind, &hex(payload)).is_err(), "{kind}");
        }
        // Without the bits that protect it, an expunge is damage.
        assert_eq!(
            decode::body(1, &[1, 0, 0, 0]),
            Ok(Body::Unknown(1, vec![1, 0, 0, 0]))
        );
    }
}
