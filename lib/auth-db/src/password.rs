//! Passwords as databases store them: `{SCHEME}data`, in all the ways that Dovecot 2.3 writes and reads.
//!
//! A [`Stored`] password is read once and compared with what a client typed. `doveadm pw` makes new ones with
//! [`generate`]. Compares take the same time wherever two values differ; secrets are wiped when dropped.

mod crypt;
mod digest;
mod encoding;
mod generate;
mod keyed;
mod scheme;
mod stretched;

pub(crate) use digest::Hash;
pub(crate) use encoding::to_hex;
pub use generate::generate;
pub use scheme::names;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use scheme::{Kind, Scheme};

/// Why a stored password cannot be used. The database's fault, never the client's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No scheme has this name.
    #[error("Unknown scheme {0}")]
    UnknownScheme(String),
    /// The data is not what the scheme stores.
    #[error("Password data is not valid for scheme {scheme}: {reason}")]
    Invalid {
        /// The scheme.
        scheme: &'static str,
        /// What is wrong with the data. Never quotes it.
        reason: &'static str,
    },
    /// A new hash could not be made.
    #[error("{0}")]
    Generate(&'static str),
}

/// How much work a compare is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Microseconds: may be done in an event loop.
    Cheap,
    /// Made to be slow, milliseconds to seconds: belongs into a thread.
    Slow,
}

/// A password as a database stores it, decoded.
#[derive(Clone)]
pub struct Stored {
    scheme: &'static Scheme,
    data: Zeroizing<Vec<u8>>,
}

impl Stored {
    /// Reads `{SCHEME}data`, or `data` in `default_scheme`.
    ///
    /// # Errors
    /// Unknown scheme, or data that it cannot have written.
    pub fn parse(text: &str, default_scheme: &str) -> Result<Self, Error> {
        let (name, data) = scheme::split(text).unwrap_or((default_scheme, text));
        let (scheme, encoding) = scheme::find(name)?;
        let data = encoding::decode(scheme, encoding, data)?;
        Ok(Self {
            scheme,
            data: Zeroizing::new(data),
        })
    }

    /// The scheme's name, upper case.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.scheme.name
    }

    /// How long [`Self::verify`] may take.
    #[must_use]
    pub fn cost(&self) -> Cost {
        match self.scheme.kind {
            Kind::Crypt | Kind::Argon2 | Kind::Pbkdf2 | Kind::Scram(_) => Cost::Slow,
            Kind::Md5 if self.data.starts_with(b"$") => Cost::Slow,
            _ => Cost::Cheap,
        }
    }

    /// Is this the password? `user` counts where the scheme hashes the name along (DIGEST-MD5).
    ///
    /// # Errors
    /// [`Error::Invalid`]: nobody can know.
    pub fn verify(&self, password: &[u8], user: &str) -> Result<bool, Error> {
        let data = self.data.as_slice();
        let invalid = |reason| Error::Invalid {
            scheme: self.scheme.name,
            reason,
        };
        let answer = match self.scheme.kind {
            Kind::Plain => Ok(same(data, password)),
            Kind::PlainTrunc => keyed::plain_trunc(data, password),
            Kind::Crypt => Ok(crypt::verify(data, password)),
            Kind::Md5 => digest::verify_md5(data, password),
            Kind::Digest(hash) => Ok(same(data, &hash.digest(&[password]))),
            Kind::Salted(hash) => digest::verify_salted(hash, data, password),
            Kind::CramMd5 => Ok(same(data, &keyed::cram_md5(password))),
            Kind::DigestMd5 => Ok(same(data, &keyed::digest_md5(user, password))),
            Kind::Scram(hash) => keyed::verify_scram(hash, data, password),
            Kind::Argon2 => Ok(stretched::verify_argon2(data, password)),
            Kind::Pbkdf2 => stretched::verify_pbkdf2(data, password),
        };
        answer.map_err(invalid)
    }
}

/// Equal, without telling by time where they differ. Lengths may show.
pub(crate) fn same(ours: &[u8], theirs: &[u8]) -> bool {
    ours.ct_eq(theirs).into()
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{{{}}}…", self.scheme.name)
    }
}

#[cfg(test)]
mod tests;
