//! What stands behind each body: `LF 01 03 LF`, lines of a key and a value, an empty line.
//! FORMATS.md §2.2. Unknown keys stay, and so does the order.

use crate::damage::Damage;
use crate::header::hex;

/// Before the first line.
pub const MAGIC: &[u8; 4] = b"\n\x01\x03\n";

/// More than this is not metadata, bytes.
pub const MAX_SIZE: usize = 1024 * 1024;

/// The first byte of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub u8);

impl Key {
    /// Size of the body with attachments, uncompressed; hexadecimal. Absent: as stored.
    pub const PLAIN_SIZE: Self = Self(b'Z');
    /// INTERNALDATE, UNIX time; hexadecimal.
    pub const RECEIVED: Self = Self(b'R');
    /// RFC822.SIZE; hexadecimal.
    pub const VIRTUAL_SIZE: Self = Self(b'V');
    /// POP3 UIDL of a migrated message.
    pub const POP3_UIDL: Self = Self(b'P');
    /// POP3 order of a migrated message; decimal.
    pub const POP3_ORDER: Self = Self(b'O');
    /// GUID: mostly 32 hexadecimal digits, may be any text.
    pub const GUID: Self = Self(b'G');
    /// Mailbox at the time of the save (mdbox), in storage's encoding.
    pub const MAILBOX: Self = Self(b'B');
    /// Attachments in files of their own (§3.3).
    pub const ATTACHMENTS: Self = Self(b'X');
}

/// Keys and values of one message, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    lines: Vec<(Key, Vec<u8>)>,
}

impl Metadata {
    /// Decodes magic, lines and the empty line at the start of `bytes`, and tells how many bytes that is.
    ///
    /// # Errors
    /// Torn when the empty line is not there yet.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), Damage> {
        let (metadata, size, damage) = Self::decode_some(bytes)?;
        match damage {
            None => Ok((metadata, size)),
            Some(damage) => Err(damage),
        }
    }

    /// The same for what is left of a cut one: the whole lines that are there, and what is wrong.
    ///
    /// # Errors
    /// Not even the magic is right.
    pub fn decode_some(bytes: &[u8]) -> Result<(Self, usize, Option<Damage>), Damage> {
        for (at, (byte, magic)) in bytes.iter().zip(MAGIC).enumerate() {
            if byte != magic {
                return Err(Damage::wrong(at as u64, "magic bytes of metadata"));
            }
        }
        let mut metadata = Self::default();
        let mut at = MAGIC.len();
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(len) = memchr::memchr(b'\n', rest) else {
                let end = bytes.len() as u64;
                return Ok(match bytes.len() < MAX_SIZE {
                    true => (metadata, at, Some(Damage::torn(end, "metadata"))),
                    false => (metadata, at, Some(Damage::wrong(end, "end of metadata"))),
                });
            };
            match rest.get(..len).and_then(<[u8]>::split_first) {
                // The header of the next message: this one lost its empty line.
                Some((0..0x20, _)) => {
                    let damage = Damage::wrong(at as u64, "a key of metadata");
                    return Ok((metadata, at, Some(damage)));
                }
                Some((&key, value)) => metadata.lines.push((Key(key), value.to_vec())),
                None => return Ok((metadata, at + 1, None)),
            }
            at += len + 1;
        }
    }

    /// Magic, lines and the empty line.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (key, value) in &self.lines {
            bytes.push(key.0);
            bytes.extend_from_slice(value);
            bytes.push(b'\n');
        }
        bytes.push(b'\n');
        bytes
    }

    /// The first value of a key.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&[u8]> {
        let line = self.lines.iter().find(|(other, _)| *other == key);
        line.map(|(_, value)| value.as_slice())
    }

    /// A hexadecimal value; `None` also for one that is none.
    #[must_use]
    pub fn number(&self, key: Key) -> Option<u64> {
        hex(self.get(key)?)
    }

    /// All lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = (Key, &[u8])> {
        self.lines.iter().map(|(key, value)| (*key, &**value))
    }

    /// Replaces a key's value where it stands, or adds it behind the others. LF, which would end the
    /// line, becomes a space.
    pub fn set(&mut self, key: Key, value: &[u8]) {
        let value = value.iter().map(|&byte| match byte {
            b'\n' => b' ',
            other => other,
        });
        let value = value.collect();
        match self.lines.iter_mut().find(|(other, _)| *other == key) {
            Some(line) => line.1 = value,
            None => self.lines.push((key, value)),
        }
    }

    /// [`Metadata::set`] in lower case hexadecimal.
    pub fn set_number(&mut self, key: Key, value: u64) {
        self.set(key, format!("{value:x}").as_bytes());
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: Key) {
        self.lines.retain(|(other, _)| *other != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &[u8] =
        b"\n\x01\x03\nZc38\nR65bd9096\nVc77\nG425ad3329b32046b9549000083ecc375\n?new\n\n";

    #[test]
    fn reads_and_writes_what_dovecot_wrote() {
        let (metadata, size) = Metadata::decode(WRITTEN).unwrap();
        assert_eq!(size, WRITTEN.len());
        assert_eq!(metadata.number(Key::PLAIN_SIZE), Some(0xc38));
        assert_eq!(metadata.number(Key::RECEIVED), Some(0x65bd_9096));
        assert_eq!(metadata.number(Key::MAILBOX), None);
        assert_eq!(metadata.get(Key(b'?')), Some(&b"new"[..]));
        assert_eq!(metadata.encode(), WRITTEN);
    }

    #[test]
    fn truncations_are_torn() {
        for len in 0..WRITTEN.len() {
            let damage = Metadata::decode(&WRITTEN[..len]).unwrap_err();
            assert!(damage.is_torn, "{len}");
        }
        let (some, _, damage) = Metadata::decode_some(&WRITTEN[..20]).unwrap();
        assert_eq!(some.number(Key::PLAIN_SIZE), Some(0xc38));
        assert!(damage.is_some());
    }

    #[test]
    fn lines_change_where_they_stand() {
        let (mut metadata, _) = Metadata::decode(WRITTEN).unwrap();
        metadata.set_number(Key::PLAIN_SIZE, 255);
        metadata.set(Key::MAILBOX, b"a\nb");
        metadata.remove(Key(b'?'));
        let keys: Vec<u8> = metadata.lines().map(|(key, _)| key.0).collect();
        assert_eq!(keys, b"ZRVGB");
        assert_eq!(metadata.get(Key::PLAIN_SIZE), Some(&b"ff"[..]));
        assert_eq!(metadata.get(Key::MAILBOX), Some(&b"a b"[..]));
    }
}
