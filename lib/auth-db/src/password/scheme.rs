//! The table of password schemes, and how their names stand before the data.

use super::encoding::Encoding;
use super::{Error, digest::Hash};

/// One scheme, as `doveadm pw -l` names it.
#[derive(Debug)]
pub(super) struct Scheme {
    pub name: &'static str,
    pub kind: Kind,
    /// How data is written where the name has no suffix.
    pub encoding: Encoding,
    /// Bytes of decoded data; 0: any.
    pub size: usize,
}

/// What the data of a scheme is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// The password itself.
    Plain,
    /// `length-prefix`: a password that was cut when it was stored.
    PlainTrunc,
    /// Whatever crypt(3) made.
    Crypt,
    /// Either MD5-CRYPT or PLAIN-MD5.
    Md5,
    /// A bare hash.
    Digest(Hash),
    /// A hash of password and salt, then the salt.
    Salted(Hash),
    /// The inner and outer state of HMAC-MD5 with the password as key.
    CramMd5,
    /// MD5 of `user:realm:password`.
    DigestMd5,
    /// `iterations,salt,stored key,server key`. RFC 5802.
    Scram(Hash),
    /// PHC string of Argon2i or Argon2id.
    Argon2,
    /// `$1$salt$rounds$hex`, with HMAC-SHA1.
    Pbkdf2,
}

const fn scheme(name: &'static str, kind: Kind) -> Scheme {
    Scheme {
        name,
        kind,
        encoding: Encoding::None,
        size: 0,
    }
}

const fn encoded(name: &'static str, kind: Kind, encoding: Encoding, size: usize) -> Scheme {
    Scheme {
        name,
        kind,
        encoding,
        size,
    }
}

use Encoding::{Base64, Hex};

/// All schemes that we know; those that Dovecot's `pw -l` names and we lack are OTP (and, older, LANMAN, NTLM, RPA, SKEY).
const SCHEMES: &[Scheme] = &[
    scheme("ARGON2I", Kind::Argon2),
    scheme("ARGON2ID", Kind::Argon2),
    scheme("BLF-CRYPT", Kind::Crypt),
    scheme("CLEAR", Kind::Plain),
    scheme("CLEARTEXT", Kind::Plain),
    encoded("CRAM-MD5", Kind::CramMd5, Hex, 32),
    scheme("CRYPT", Kind::Crypt),
    scheme("DES-CRYPT", Kind::Crypt),
    encoded("DIGEST-MD5", Kind::DigestMd5, Hex, 16),
    encoded("HMAC-MD5", Kind::CramMd5, Hex, 32),
    encoded("LDAP-MD5", Kind::Digest(Hash::Md5), Base64, 16),
    scheme("MD5", Kind::Md5),
    scheme("MD5-CRYPT", Kind::Md5),
    scheme("PBKDF2", Kind::Pbkdf2),
    scheme("PLAIN", Kind::Plain),
    encoded("PLAIN-MD4", Kind::Digest(Hash::Md4), Hex, 16),
    encoded("PLAIN-MD5", Kind::Digest(Hash::Md5), Hex, 16),
    scheme("PLAIN-TRUNC", Kind::PlainTrunc),
    scheme("SCRAM-SHA-1", Kind::Scram(Hash::Sha1)),
    scheme("SCRAM-SHA-256", Kind::Scram(Hash::Sha256)),
    encoded("SHA", Kind::Digest(Hash::Sha1), Base64, 20),
    encoded("SHA1", Kind::Digest(Hash::Sha1), Base64, 20),
    encoded("SHA256", Kind::Digest(Hash::Sha256), Base64, 32),
    scheme("SHA256-CRYPT", Kind::Crypt),
    encoded("SHA512", Kind::Digest(Hash::Sha512), Base64, 64),
    scheme("SHA512-CRYPT", Kind::Crypt),
    encoded("SMD5", Kind::Salted(Hash::Md5), Base64, 0),
    encoded("SSHA", Kind::Salted(Hash::Sha1), Base64, 0),
    encoded("SSHA256", Kind::Salted(Hash::Sha256), Base64, 0),
    encoded("SSHA512", Kind::Salted(Hash::Sha512), Base64, 0),
];

/// The names of all schemes, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCHEMES.iter().map(|scheme| scheme.name)
}

/// The scheme of this name, in any case, with the encoding that its suffix asks for.
///
/// # Errors
/// [`Error::UnknownScheme`], also for an unknown suffix.
pub(super) fn find(name: &str) -> Result<(&'static Scheme, Option<Encoding>), Error> {
    let unknown = || Error::UnknownScheme(name.to_owned());
    let (bare, encoding) = match name.split_once('.') {
        None => (name, None),
        Some((bare, suffix)) => (
            bare,
            Some(Encoding::from_suffix(suffix).ok_or_else(unknown)?),
        ),
    };
    let scheme = SCHEMES
        .iter()
        .find(|scheme| scheme.name.eq_ignore_ascii_case(bare));
    Ok((scheme.ok_or_else(unknown)?, encoding))
}

/// Splits `{SCHEME}data`. A bare `$1$salt$hash` is MD5-CRYPT whatever the default is, and ends at a fourth `$`.
/// RFC 2307 calls LDAP-MD5 `MD5`: told apart by its look, 24 characters of base64.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix("$1$") {
        let salt = rest.find('$')?;
        let hash = rest.get(salt + 1..)?;
        let end = "$1$".len() + salt + 1 + hash.find('$').unwrap_or(hash.len());
        return Some(("MD5-CRYPT", text.get(..end)?));
    }
    let (name, data) = text.strip_prefix('{')?.split_once('}')?;
    if name.eq_ignore_ascii_case("MD5") && data.len() == 24 && data.ends_with("==") {
        return Some(("LDAP-MD5", data));
    }
    Some((name, data))
}
