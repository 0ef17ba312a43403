//! Little-endian numbers at places in bytes that nobody has checked yet.

/// `size` bytes at `offset`.
pub(crate) fn slice(bytes: &[u8], offset: usize, size: usize) -> Option<&[u8]> {
    bytes.get(offset..offset.checked_add(size)?)
}

/// A fixed number of bytes at `offset`.
pub(crate) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    slice(bytes, offset, N)?.try_into().ok()
}

pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array(bytes, offset).map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array(bytes, offset).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array(bytes, offset).map(u64::from_le_bytes)
}

/// Overwrites bytes at `offset`; `false` if they would not fit.
#[must_use]
pub(crate) fn put(bytes: &mut [u8], offset: usize, new: &[u8]) -> bool {
    let Some(end) = offset.checked_add(new.len()) else {
        return false;
    };
    match bytes.get_mut(offset..end) {
        Some(place) => {
            place.copy_from_slice(new);
            true
        }
        None => false,
    }
}

/// Rounded up to a multiple of `to`, a power of two.
pub(crate) fn align(value: usize, to: usize) -> usize {
    value.saturating_add(to - 1) & !(to - 1)
}

/// Zeros up to the next multiple of four.
pub(crate) fn pad4(bytes: &mut Vec<u8>) {
    bytes.resize(align(bytes.len(), 4), 0);
}

/// The low 32 bits: for sizes that are known to be below 2^32.
pub(crate) fn low32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The low 16 bits: for sizes that are known to be below 2^16.
pub(crate) fn low16(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}
