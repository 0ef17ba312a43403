//! Hashes of values: short ones that spread users over directories, and whole ones.

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

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
    let digest = Md5::digest(value);
    let number = u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
    let number = number.checked_rem(u64::from(modulus)).unwrap_or(number) & u64::from(u32::MAX);
    format!("{number:0digits$x}")
}

pub(super) fn md5(value: &str) -> String {
    hex(&Md5::digest(value))
}

pub(super) fn sha1(value: &str) -> String {
    hex(&Sha1::digest(value))
}

pub(super) fn sha256(value: &str) -> String {
    hex(&Sha256::digest(value))
}

pub(super) fn sha512(value: &str) -> String {
    hex(&Sha512::digest(value))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
