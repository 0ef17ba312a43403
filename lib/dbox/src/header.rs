//! The two headers of a dbox file. FORMATS.md §2.2.
//!
//! ```text
//! file: one line    2 M1e C6b042e53 LF     version, size of message headers, UNIX time; all hexadecimal
//!
//! message, M bytes:
//! offset size field
//!      0    2 magic       01 02
//!      2    1 kind        'N'
//!      3    1 space
//!      4    8 old UID     spaces
//!     12    1 space
//!     13   16 size        stored body, upper case hexadecimal, zero padded
//!     29    1 LF
//! ```

use crate::damage::Damage;

/// The longest file header that is read, bytes with LF.
pub const MAX_FILE_HEADER: usize = 256;

/// The first line of a dbox file. Unknown keys stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHeader {
    line: Vec<u8>,
    message_header: usize,
    created: u32,
}

impl FileHeader {
    /// Of a file made at this UNIX time, as Dovecot 2.3 writes it.
    #[must_use]
    pub fn new(created: u32) -> Self {
        let size = MessageHeader::SIZE;
        Self {
            line: format!("2 M{size:x} C{created:x}").into_bytes(),
            message_header: size,
            created,
        }
    }

    /// Decodes the header at the start of `bytes`, and tells its size.
    ///
    /// # Errors
    /// Torn when there is no LF yet.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), Damage> {
        let searched = bytes.get(..MAX_FILE_HEADER).unwrap_or(bytes);
        let Some(end) = memchr::memchr(b'\n', searched) else {
            return Err(match bytes.len() < MAX_FILE_HEADER {
                true => Damage::torn(bytes.len() as u64, "file header"),
                false => Damage::wrong(0, "file header line"),
            });
        };
        let line = bytes.get(..end).unwrap_or_default();
        let mut words = line.split(|&byte| byte == b' ');
        if !matches!(words.next(), Some(b"1" | b"2")) {
            return Err(Damage::wrong(0, "version 1 or 2"));
        }
        let mut header = Self {
            line: line.to_vec(),
            message_header: 0,
            created: 0,
        };
        for word in words {
            match word.split_first() {
                Some((b'M', size)) => header.message_header = message_header_size(size)?,
                Some((b'C', time)) => {
                    let time = hex(time).and_then(|time| u32::try_from(time).ok());
                    header.created = time.ok_or(Damage::wrong(2, "time of creation"))?;
                }
                _ => {}
            }
        }
        if header.message_header == 0 {
            return Err(Damage::wrong(1, "size of message headers"));
        }
        Ok((header, end + 1))
    }

    /// The line with its LF.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.line.clone();
        bytes.push(b'\n');
        bytes
    }

    /// Bytes of each message header, 30..=512.
    #[must_use]
    pub fn message_header(&self) -> usize {
        self.message_header
    }

    /// UNIX time; 0: unknown.
    #[must_use]
    pub fn created(&self) -> u32 {
        self.created
    }

    /// May we append to such a file? Only to version 2 with the usual message headers.
    #[must_use]
    pub fn is_appendable(&self) -> bool {
        self.line.first() == Some(&b'2') && self.message_header == MessageHeader::SIZE
    }
}

fn message_header_size(word: &[u8]) -> Result<usize, Damage> {
    let size = hex(word).and_then(|size| usize::try_from(size).ok());
    size.filter(|size| (MessageHeader::SIZE..=512).contains(size))
        .ok_or(Damage::wrong(2, "size of message headers"))
}

/// What stands before each body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// Bytes of the stored body.
    pub size: u64,
}

impl MessageHeader {
    /// Bytes of a header as it is written.
    pub const SIZE: usize = 30;
    /// Its first bytes.
    pub const MAGIC: [u8; 2] = [1, 2];

    /// Decodes a header; longer ones have fields that we do not know.
    ///
    /// # Errors
    /// Torn when fewer than 30 bytes are there and those are right.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        for (at, (byte, form)) in bytes.iter().zip(b"\x01\x02N ").enumerate() {
            if byte != form {
                return Err(Damage::wrong(at as u64, "message header"));
            }
        }
        let Some(digits) = bytes.get(13..29) else {
            return Err(Damage::torn(bytes.len() as u64, "message header"));
        };
        if *bytes.get(12).unwrap_or(&0) != b' ' {
            return Err(Damage::wrong(12, "space"));
        }
        let size = hex(digits).filter(|&size| size <= i64::MAX as u64);
        let size = size.ok_or(Damage::wrong(13, "size of the message"))?;
        match bytes.last() {
            _ if bytes.len() < Self::SIZE => Err(Damage::torn(29, "message header")),
            Some(b'\n') => Ok(Self { size }),
            _ => Err(Damage::wrong(29, "end of the message header")),
        }
    }

    /// As Dovecot writes it.
    #[must_use]
    pub fn encode(self) -> [u8; Self::SIZE] {
        let text = format!("\u{1}\u{2}N          {:016X}\n", self.size);
        let mut bytes = [0; Self::SIZE];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        bytes
    }
}

/// A number in hexadecimal of either case, 1 to 16 digits.
#[must_use]
pub fn hex(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"2 M1e C6b042e53\n";
    const MESSAGE: &[u8] = b"\x01\x02N          00000000000000C0\n";

    #[test]
    fn reads_and_writes_what_dovecot_wrote() {
        let (header, size) = FileHeader::decode(FILE).unwrap();
        assert_eq!((size, header.message_header()), (16, 30));
        assert_eq!(header.created(), 0x6b04_2e53);
        assert!(header.is_appendable());
        assert_eq!(header.encode(), FILE);
        assert_eq!(FileHeader::new(0x6b04_2e53), header);
        let header = MessageHeader::decode(MESSAGE).unwrap();
        assert_eq!(header.size, 0xc0);
        assert_eq!(header.encode(), MESSAGE);
    }

    #[test]
    fn unknown_keys_stay() {
        let line = b"2 Zz M1e Y\n";
        let (header, _) = FileHeader::decode(line).unwrap();
        assert_eq!(header.encode(), line);
        assert!(!FileHeader::decode(b"1 M1e C1\n").unwrap().0.is_appendable());
        assert!(!FileHeader::decode(b"2 M20 C1\n").unwrap().0.is_appendable());
    }

    #[test]
    fn truncations_are_torn() {
        for len in 0..FILE.len() {
            assert!(FileHeader::decode(&FILE[..len]).unwrap_err().is_torn);
        }
        for len in 0..MESSAGE.len() {
            assert!(MessageHeader::decode(&MESSAGE[..len]).unwrap_err().is_torn);
        }
    }

    #[test]
    fn nonsense_is_wrong() {
        for bad in [
            &b"3 M1e\n"[..],
            b"2\n",
            b"2 M0\n",
            b"2 Mffff\n",
            b"2 Mx\n",
            b"\n",
            &[b'2'; 300],
        ] {
            assert!(!FileHeader::decode(bad).unwrap_err().is_torn, "{bad:?}");
        }
        for at in [0, 1, 2, 3, 12, 13, 28, 29] {
            let mut bad = MESSAGE.to_vec();
            bad[at] = b'~';
            assert!(!MessageHeader::decode(&bad).unwrap_err().is_torn, "{at}");
        }
    }
}
