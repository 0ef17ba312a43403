//! Plain and salted hashes: PLAIN-MD5, LDAP-MD5, SHA*, SSHA*, SMD5, and MD5, which may be a crypt.

use md4::Md4;
use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512};

use super::encoding::from_hex;
use super::{crypt, same};

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Md4,
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    /// The hash of all parts, one after the other.
    pub(crate) fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Md4 => digest::<Md4>(parts),
            Self::Md5 => digest::<Md5>(parts),
            Self::Sha1 => digest::<Sha1>(parts),
            Self::Sha256 => digest::<Sha256>(parts),
            Self::Sha512 => digest::<Sha512>(parts),
        }
    }

    /// Bytes of a hash.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Md4 | Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// `data` is the hash of password and salt, then the salt.
pub(super) fn verify_salted(
    hash: Hash,
    data: &[u8],
    password: &[u8],
) -> Result<bool, &'static str> {
    match data.split_at_checked(hash.size()) {
        Some((_, [])) | None => Err("password is too short"),
        Some((digest, salt)) => Ok(same(digest, &hash.digest(&[password, salt]))),
    }
}

/// MD5 means MD5-CRYPT where the data begins so, else a bare hash in hexadecimal or base64.
pub(super) fn verify_md5(data: &[u8], password: &[u8]) -> Result<bool, &'static str> {
    if data.starts_with(b"$1$") {
        return Ok(crypt::verify(data, password));
    }
    let hash = str::from_utf8(data).ok().and_then(from_hex);
    match hash {
        Some(hash) if hash.len() == Hash::Md5.size() => {
            Ok(same(&hash, &Hash::Md5.digest(&[password])))
        }
        _ => Err("Not a valid MD5-CRYPT or PLAIN-MD5 password"),
    }
}
