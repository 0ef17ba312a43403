//! Names that check themselves when decoded.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A user's name as auth knows it: 1 to 255 bytes of UTF-8 without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

impl Username {
    /// Longest name, bytes.
    pub const MAX: usize = 255;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Username {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        if name.is_empty() || name.len() > Self::MAX {
            return Err("a user name has 1 to 255 bytes");
        }
        if name.chars().any(char::is_control) {
            return Err("a user name has no control characters");
        }
        Ok(Self(name))
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names one session in every log line from its first packet to its last: 1 to 64
/// characters that need no escape in a log, a header or a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

const SESSION_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";

impl SessionId {
    /// A new one: 96 random bits.
    ///
    /// # Errors
    /// The kernel has no randomness for us.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0_u8; 16];
        sys::random::fill(&mut bytes)?;
        let letter = |byte: &u8| char::from(SESSION_ALPHABET[usize::from(byte & 63)]);
        Ok(Self(bytes.iter().map(letter).collect()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionId {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        let plain =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b':' | b'.' | b'_');
        if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
            return Err("a session id has 1 to 64 letters, digits or +-:._");
        }
        Ok(Self(id))
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_could_forge_a_line() {
        for bad in ["", "a\nb", "a\tb", "a\0b", "\u{1b}[0m", &"x".repeat(256)] {
            assert!(Username::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(Username::try_from("märz@example.org".to_owned()).is_ok());
    }

    #[test]
    fn session_ids_are_unlike_each_other_and_valid() {
        let (a, b) = (SessionId::random().unwrap(), SessionId::random().unwrap());
        assert_ne!(a, b);
        assert_eq!(SessionId::try_from(a.0.clone()).unwrap(), a);
        assert!(SessionId::try_from("../x".to_owned()).is_err());
    }
}
