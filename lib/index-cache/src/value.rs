//! Values of fields with a fixed size. FORMATS.md §1.12. The numbers (`size.*`, `date.received`,
//! `date.save`, `pop3.order`) are plain little-endian.

use super::codec::Input;

/// A u32 field.
#[must_use]
pub fn decode_u32(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_le_bytes)
}

/// A u64 field.
#[must_use]
pub fn decode_u64(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_le_bytes)
}

/// `date.sent`: what the Date header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentDate {
    /// UNIX seconds; 0: there is no valid Date.
    pub time: u32,
    /// Minutes east of UTC.
    pub zone_minutes: i32,
}

impl SentDate {
    /// As it is written.
    #[must_use]
    pub fn encode(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        let (time, zone) = bytes.split_at_mut(4);
        time.copy_from_slice(&self.time.to_le_bytes());
        zone.copy_from_slice(&self.zone_minutes.to_le_bytes());
        bytes
    }

    /// `None` if it does not have 8 bytes.
    #[must_use]
    pub fn decode(value: &[u8]) -> Option<Self> {
        let mut input = Input(value);
        let (time, zone) = input.u32().zip(input.array())?;
        input.0.is_empty().then_some(Self {
            time,
            zone_minutes: i32::from_le_bytes(zone),
        })
    }
}

/// `flags`: what is known about the bytes of a message. Bits that we do not know stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailBits(pub u32);

impl MailBits {
    /// The header has CRLF line ends throughout (physical size = virtual size).
    pub const BINARY_HEADER: Self = Self(0x01);
    /// The body has CRLF line ends throughout.
    pub const BINARY_BODY: Self = Self(0x02);
    /// There is a NUL somewhere.
    pub const HAS_NULS: Self = Self(0x04);
    /// A lone text/plain in us-ascii and 7bit: BODY and BODYSTRUCTURE are not stored, but made of
    /// `mime.parts`, see [`crate::parts::plain_body`].
    pub const TEXT_PLAIN_7BIT: Self = Self(0x10);
    /// There is no NUL anywhere.
    pub const HAS_NO_NULS: Self = Self(0x20);

    /// Are all bits of `other` set?
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
