//! Sizes as the log and the cache write them: only a complete write decodes to a size at all.
//!
//! A multiple of four below 2^30 is stored as four groups of seven bits, highest first, each byte
//! with its high bit set. FORMATS.md §1.2.

/// Values from here on cannot be stored.
pub const LIMIT: u32 = 1 << 30;

/// The four bytes of `value`, a multiple of four below [`LIMIT`]; `None` for another.
#[must_use]
pub fn encode(value: u32) -> Option<[u8; 4]> {
    if !value.is_multiple_of(4) || value >= LIMIT {
        return None;
    }
    let groups = value >> 2;
    let group = |shift: u32| 0x80 | ((groups >> shift) & 0x7f) as u8;
    Some([group(21), group(14), group(7), group(0)])
}

/// The value of four bytes; `None` when any high bit is clear: not written, or not to the end.
#[must_use]
pub fn decode(bytes: [u8; 4]) -> Option<u32> {
    if bytes.iter().any(|byte| byte & 0x80 == 0) {
        return None;
    }
    let groups = bytes
        .iter()
        .fold(0, |value, byte| value << 7 | u32::from(byte & 0x7f));
    Some(groups << 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bytes_go_both_ways() {
        for (value, bytes) in [
            (16, [0x80, 0x80, 0x80, 0x84]),
            (176, [0x80, 0x80, 0x80, 0xac]),
            (1396, [0x80, 0x80, 0x82, 0xdd]),
            (LIMIT - 4, [0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(encode(value), Some(bytes));
            assert_eq!(decode(bytes), Some(value));
        }
        assert_eq!(encode(3), None);
        assert_eq!(encode(LIMIT), None);
        assert_eq!(decode([0x80, 0x80, 0x80, 0x04]), None);
        assert_eq!(decode([0; 4]), None);
    }
}
