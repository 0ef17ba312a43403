//! Hashes of values: short ones that spread users over directories, and whole ones.

use crate::password::{Hash, to_hex};

/// Dovecot's `str_hash()`, the PJW hash over signed characters, as `%H` uses it. Modulus 0: none.
pub(super) fn old(value: &str, modulus: u32, digits: usize) -> String {
    let mut hash: u32 = 0;
    for byte in value.bytes() {
        // `char` is signed where Dovecot runs.
        hash = (hash << 4).wrapping_add_signed(i32::from(byte.cast_signed()));
        let high = hash & 0xf000_0000;
        if high != 0 {
            hash ^= high >> 24;
            hash ^= high;
        }
    }
    short(hash, modulus, digits)
}

/// The first eight bytes of MD5, as `%N` uses them; without a modulus the lower half of the number.
pub(super) fn new(value: &str, modulus: u32, digits: usize) -> String {
    let digest = Hash::Md5.digest(&[value.as_bytes()]);
    let number = u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
    let number = number.checked_rem(u64::from(modulus)).unwrap_or(number);
    short(
        u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0),
        0,
        digits,
    )
}

fn short(hash: u32, modulus: u32, digits: usize) -> String {
    let hash = hash.checked_rem(modulus).unwrap_or(hash);
    format!("{hash:0digits$x}")
}

/// A decimal number in hexadecimal; what is none counts as 0.
pub(super) fn hex_number(value: &str) -> String {
    format!("{:x}", value.parse::<u64>().unwrap_or(0))
}

pub(super) fn md5(value: &str) -> String {
    to_hex(&Hash::Md5.digest(&[value.as_bytes()]))
}

pub(super) fn sha1(value: &str) -> String {
    to_hex(&Hash::Sha1.digest(&[value.as_bytes()]))
}

pub(super) fn sha256(value: &str) -> String {
    to_hex(&Hash::Sha256.digest(&[value.as_bytes()]))
}

pub(super) fn sha512(value: &str) -> String {
    to_hex(&Hash::Sha512.digest(&[value.as_bytes()]))
}
