//! Everything that crypt(3) of libxcrypt knows: DES, MD5, SHA-256, SHA-512, bcrypt, yescrypt and more.
//!
//! The data says which method it is; the names SHA512-CRYPT, BLF-CRYPT, … only choose the method of new hashes.

use super::{Error, same};

/// Compares. What libcrypt does not know (`!`, `*`, empty: a locked account) matches nothing.
pub(super) fn verify(data: &[u8], password: &[u8]) -> bool {
    match sys::crypt::crypt(password, data) {
        Some(hash) => same(hash.as_bytes(), data),
        None => false,
    }
}

/// A new hash by the method of `prefix` with a salt of `random`.
pub(super) fn generate(
    prefix: &str,
    cost: u32,
    random: &[u8],
    password: &[u8],
) -> Result<String, Error> {
    let salt = sys::crypt::gensalt(prefix, cost, random);
    let salt = salt.ok_or(Error::Generate(
        "libcrypt does not support this scheme or cost",
    ))?;
    sys::crypt::crypt(password, salt.as_bytes()).ok_or(Error::Generate("crypt() failed"))
}
