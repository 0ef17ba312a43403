//! What a client claims and the secret that should prove it, and the rules both must keep.

use std::fmt;

use zeroize::Zeroizing;

use crate::{MAX_PASSWORD, MAX_USER};

/// A finished exchange of a mechanism that transports the password.
#[derive(Debug)]
pub struct Credentials {
    /// As whom the client wants to act (a master user's login user). `None`: as itself.
    pub authzid: Option<String>,
    /// Whose password this is. Never empty, at most [`MAX_USER`] bytes of UTF-8 without NUL.
    pub authcid: String,
    /// The password.
    pub password: Password,
}

/// A password: 1 to [`MAX_PASSWORD`] bytes without NUL. Not necessarily UTF-8: hashes of Latin-1 passwords are
/// older than most clients, and still must let their owners in. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Checks the rules above.
    ///
    /// # Errors
    /// [`Malformed::EmptyPassword`], [`Malformed::LongPassword`], [`Malformed::Nul`].
    pub fn new(bytes: &[u8]) -> Result<Self, Malformed> {
        match bytes {
            [] => Err(Malformed::EmptyPassword),
            _ if bytes.len() > MAX_PASSWORD => Err(Malformed::LongPassword),
            _ if bytes.contains(&0) => Err(Malformed::Nul),
            _ => Ok(Self(Zeroizing::new(bytes.to_vec()))),
        }
    }

    /// The secret itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Password(…)")
    }
}

/// How a response breaks its mechanism's rules. Always the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// PLAIN is three fields between two NULs.
    #[error("invalid input")]
    Parts,
    /// An answer of LOGIN, or a password, has a NUL inside.
    #[error("NUL inside a value")]
    Nul,
    /// Names are UTF-8 (RFC 4616 §2).
    #[error("user name is not UTF-8")]
    NotUtf8,
    /// Nobody has the empty name.
    #[error("Empty username")]
    EmptyUser,
    /// RFC 4616 §2: `passwd = 1*SAFE`.
    #[error("Empty password")]
    EmptyPassword,
    /// Beyond [`MAX_USER`].
    #[error("Username is too long")]
    LongUser,
    /// Beyond [`MAX_PASSWORD`].
    #[error("Password is too long")]
    LongPassword,
}

/// A user name: not empty, no NUL, short, UTF-8.
pub(crate) fn user(bytes: &[u8]) -> Result<String, Malformed> {
    match bytes {
        [] => return Err(Malformed::EmptyUser),
        _ if bytes.len() > MAX_USER => return Err(Malformed::LongUser),
        _ if bytes.contains(&0) => return Err(Malformed::Nul),
        _ => {}
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed::NotUtf8)
}
