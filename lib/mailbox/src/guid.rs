//! 128-bit identity of a mailbox.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Names a mailbox for good, through renames. Printed as 32 lowercase hex digits. FORMATS.md §1.10.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// A new one: nanoseconds, seconds, then eight random bytes.
    #[must_use]
    pub fn generate() -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        // The low 32 bits are what the format has room for.
        let [.., a, b, c, d] = now.as_secs().to_be_bytes();
        let mut random = [0; 8];
        if sys::random::fill(&mut random).is_err() {
            random = (u64::from(std::process::id()) ^ now.as_secs().rotate_left(20)).to_le_bytes();
        }
        let mut guid = [0; 16];
        for (to, from) in guid.iter_mut().zip(
            now.subsec_nanos()
                .to_le_bytes()
                .into_iter()
                .chain([d, c, b, a])
                .chain(random),
        ) {
            *to = from;
        }
        Self(guid)
    }

    /// From 32 hex digits; `None` for anything else.
    #[must_use]
    pub fn from_hex(hex: &[u8]) -> Option<Self> {
        let digits: &[u8; 32] = hex.try_into().ok()?;
        let mut guid = [0; 16];
        for (byte, pair) in guid.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(guid))
    }
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_both_ways() {
        let hex = "41be9a165b2e046b8745000083ecc375";
        assert_eq!(Guid::from_hex(hex.as_bytes()).unwrap().to_string(), hex);
        assert!(Guid::from_hex(&hex.as_bytes()[1..]).is_none());
        assert!(Guid::from_hex(&[b'g'; 32]).is_none());
        assert_ne!(Guid::generate(), Guid::generate());
    }
}
