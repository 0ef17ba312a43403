//! Hashes of values: short ones that spread users over directories, and whole ones.

use super::md5::digest;

/// Dovecot's `str_hash()`, the PJW hash over signed characters, as `%H` uses it. Modulus 0: none.
pub(super) fn old(value: &str, modulus: u32, digits: usize) -> String {
    let hash = value.bytes().fold(0, |hash: u32, byte| {
        // `char` is signed where Dovecot runs.
        let hash = (hash << 4).wrapping_add_signed(i32::from(byte.cast_signed()));
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    });
    let hash = hash.checked_rem(modulus).unwrap_or(hash);
    format!("{hash:0digits$x}")
}

/// The first eight bytes of MD5, as `%N` uses them; without a modulus the lower half of the number.
pub(super) fn new(value: &str, modulus: u32, digits: usize) -> String {
    let digest = digest(value.as_bytes());
    let number = u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
    let number = number.checked_rem(u64::from(modulus)).unwrap_or(number) & u64::from(u32::MAX);
    format!("{number:0digits$x}")
}

/// All of MD5, in hexadecimal.
pub(super) fn md5(value: &str) -> String {
    let digest = digest(value.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
