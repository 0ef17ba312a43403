//! GUIDs of messages. FORMATS.md §1.10: metadata have any text, indexes 128 bits.

use mailbox::Guid;
use sha1::{Digest, Sha1};

/// The 128 bits of a GUID as metadata have it: 32 hexadecimal digits are the bytes, any other text
/// becomes the last 16 bytes of its SHA-1.
#[must_use]
pub fn from_text(text: &[u8]) -> Guid {
    if let Some(guid) = Guid::from_hex(text) {
        return guid;
    }
    let mut guid = [0; 16];
    let digest = Sha1::digest(text);
    for (to, from) in guid.iter_mut().rev().zip(digest.iter().rev()) {
        *to = *from;
    }
    Guid(guid)
}

/// From the record of extension "guid"; `None`: too short, or zeros.
#[must_use]
pub fn from_record(bytes: &[u8]) -> Option<Guid> {
    let guid = Guid(*bytes.first_chunk()?);
    (guid.0 != [0; 16]).then_some(guid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_bits() {
        let hex = "4845db37522e046b9942000083ecc375";
        assert_eq!(from_text(hex.as_bytes()).to_string(), hex);
        // SHA-1 of "abc" ends with these.
        assert_eq!(
            from_text(b"abc").to_string(),
            "4706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(from_record(&[0; 16]), None);
        assert_eq!(from_record(&[1; 15]), None);
        assert_eq!(from_record(&[1; 20]), Some(Guid([1; 16])));
    }
}
