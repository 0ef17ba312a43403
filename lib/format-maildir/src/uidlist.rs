//! `dovecot-uidlist`: which UID each file has. FORMATS.md §4.2.
//!
//! ```text
//! 3 V<uidvalidity> N<next uid> G<mailbox guid> [<Key><value> …]\n
//! <uid> [<Key><value> …] :<base name>\n
//! ```
//! Version 1, read only: `1 <uidvalidity> <next uid>`, then `<uid> <name>`. UIDs ascend. Keys are
//! one letter; those of entries that we know are `G`, the message's GUID, and `W`, its size with
//! CRLF; all others are kept. `N` is not updated by appends: the next UID is the larger one of `N`
//! and the last UID + 1. Here are lines only; [`load`] reads the file, [`write`](mod@write) writes it.

use mailbox::{Guid, UidValidity};

pub mod load;
pub mod write;

/// No line of ours or Dovecot's is longer: a name of 255 bytes and some keys.
pub const MAX_LINE: usize = 4096;

/// Which lines follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Of Dovecot before 1.1; read, and written back as 3.
    V1,
    /// Keys and values.
    V3,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `None`: the file has none that could be used.
    pub uid_validity: Option<UidValidity>,
    /// `N`, 0 if there is none: a lower bound of the next UID.
    pub next_uid: u64,
    /// Identity of the mailbox.
    pub guid: Option<Guid>,
    /// Keys that we do not know, as they stood, separated by spaces.
    pub extra: Vec<u8>,
}

/// Any other line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 1 to 4,294,967,295.
    pub uid: u32,
    /// Where the name begins in `text`; before it are the keys.
    base_at: u16,
    text: Box<[u8]>,
}

/// A line that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The rule that it breaks.
    pub why: &'static str,
    /// The UID that it uses up all the same.
    pub uid: Option<u32>,
}

impl Header {
    /// Reads the first line, without its LF.
    ///
    /// # Errors
    /// Which rule it breaks; nothing in the file can then be trusted.
    pub fn decode(line: &[u8]) -> Result<(Version, Self), &'static str> {
        match line.split_first() {
            Some((b'1', rest)) => Ok((Version::V1, Self::decode_v1(rest)?)),
            Some((b'3', rest)) if rest.is_empty() || rest.starts_with(b" ") => {
                Ok((Version::V3, Self::decode_v3(rest)))
            }
            Some((digit, _)) if digit.is_ascii_digit() => Err("unsupported version"),
            _ => Err("no header"),
        }
    }

    fn decode_v1(rest: &[u8]) -> Result<Self, &'static str> {
        let mut fields = rest.split(|&b| b == b' ').filter(|field| !field.is_empty());
        let validity = fields.next().and_then(number).ok_or("no uidvalidity")?;
        let next = fields.next().and_then(number).ok_or("no next uid")?;
        Ok(Self {
            uid_validity: uid_validity(validity),
            next_uid: next,
            guid: None,
            extra: Vec::new(),
        })
    }

    fn decode_v3(rest: &[u8]) -> Self {
        let mut header = Self {
            uid_validity: None,
            next_uid: 0,
            guid: None,
            extra: Vec::new(),
        };
        for field in rest.split(|&b| b == b' ') {
            match field.split_first() {
                None => {}
                Some((b'V', value)) => header.uid_validity = number(value).and_then(uid_validity),
                Some((b'N', value)) => header.next_uid = number(value).unwrap_or(0),
                Some((b'G', value)) => header.guid = Guid::from_hex(value),
                Some(_) => push_field(&mut header.extra, field),
            }
        }
        header
    }

    /// The line with its LF, for a file of version 3.
    #[must_use]
    pub fn encode(uid_validity: UidValidity, next_uid: u64, guid: Guid, extra: &[u8]) -> Vec<u8> {
        let mut line = format!("3 V{uid_validity} N{next_uid} G{guid}").into_bytes();
        if !extra.is_empty() {
            line.push(b' ');
            line.extend_from_slice(extra);
        }
        line.push(b'\n');
        line
    }
}

impl Entry {
    /// Reads a line, without its LF.
    ///
    /// # Errors
    /// Which rule it breaks, and the UID if that much could be read.
    pub fn decode(version: Version, line: &[u8]) -> Result<Self, BadLine> {
        let digits = line
            .iter()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(line.len());
        let (digits, rest) = line.split_at(digits);
        let number = number(digits).ok_or(BadLine {
            why: "no uid",
            uid: None,
        })?;
        let uid = u32::try_from(number)
            .ok()
            .filter(|&uid| uid > 0)
            .ok_or(BadLine {
                why: "uid out of range",
                uid: None,
            })?;
        let bad = |why| BadLine {
            why,
            uid: Some(uid),
        };
        let rest = rest.strip_prefix(b" ").ok_or_else(|| bad("no file name"))?;

        let mut extra = Vec::new();
        let name = match version {
            Version::V1 => rest,
            Version::V3 => v3_name(rest, &mut extra).ok_or_else(|| bad("no file name"))?,
        };
        let base = crate::name::base(name);
        if !crate::name::is_message(base) {
            return Err(bad("not a file name"));
        }
        let base_at = u16::try_from(extra.len()).map_err(|_| bad("line too long"))?;
        Ok(Self {
            uid,
            base_at,
            text: [&extra, base].concat().into(),
        })
    }

    /// Keys as they stood, separated by spaces.
    #[must_use]
    pub fn extra(&self) -> &[u8] {
        self.text
            .get(..usize::from(self.base_at))
            .unwrap_or_default()
    }

    /// Name of the file without its flags.
    #[must_use]
    pub fn base(&self) -> &[u8] {
        self.text
            .get(usize::from(self.base_at)..)
            .unwrap_or_default()
    }

    /// Keys and name, one behind the other.
    pub(crate) fn into_text(self) -> Box<[u8]> {
        self.text
    }
}

/// Moves the keys into `extra`, and returns what comes after the ` :`.
fn v3_name<'a>(mut rest: &'a [u8], extra: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        if let Some(name) = rest.strip_prefix(b":") {
            return Some(name);
        }
        let space = memchr::memchr(b' ', rest)?;
        let (field, after) = rest.split_at(space);
        push_field(extra, field);
        rest = after.get(1..)?;
    }
}

/// Writes an entry of version 3 with its LF.
pub fn encode_entry(uid: u32, extra: &[u8], base: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(uid.to_string().as_bytes());
    to.push(b' ');
    if !extra.is_empty() {
        to.extend_from_slice(extra);
        to.push(b' ');
    }
    to.push(b':');
    to.extend_from_slice(base);
    to.push(b'\n');
}

/// The value of `key` among an entry's keys.
#[must_use]
pub fn value(extra: &[u8], key: u8) -> Option<&[u8]> {
    let mut fields = extra.split(|&b| b == b' ');
    fields.find_map(|field| field.strip_prefix(&[key]))
}

/// Sets the value of `key` among an entry's keys.
pub fn set_value(extra: &mut Vec<u8>, key: u8, new: &[u8]) {
    let mut changed = Vec::new();
    for field in extra
        .split(|&b| b == b' ')
        .filter(|field| field.first() != Some(&key))
    {
        push_field(&mut changed, field);
    }
    push_field(&mut changed, &[&[key], new].concat());
    *extra = changed;
}

fn push_field(to: &mut Vec<u8>, field: &[u8]) {
    if field.is_empty() {
        return;
    }
    if !to.is_empty() {
        to.push(b' ');
    }
    to.extend_from_slice(field);
}

/// Digits only; `None` where they are more than fit.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn uid_validity(number: u64) -> Option<UidValidity> {
    u32::try_from(number).ok().and_then(UidValidity::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"3 V1795436125 N16 G41be9a165b2e046b8745000083ecc375";
    const ENTRY: &[u8] = b"13 :1795436123.M658739P14722.vm,S=3439,W=3511";

    #[test]
    fn reads_dovecots_lines_and_writes_them_back() {
        let (version, header) = Header::decode(HEADER).unwrap();
        assert_eq!(version, Version::V3);
        assert_eq!(header.next_uid, 16);
        let validity = header.uid_validity.unwrap();
        let again = Header::encode(validity, 16, header.guid.unwrap(), &header.extra);
        assert_eq!(again, [HEADER, b"\n"].concat());

        let entry = Entry::decode(version, ENTRY).unwrap();
        assert_eq!((entry.uid, entry.extra().len()), (13, 0));
        let mut line = Vec::new();
        encode_entry(entry.uid, entry.extra(), entry.base(), &mut line);
        assert_eq!(line, [ENTRY, b"\n"].concat());
    }

    #[test]
    fn keeps_unknown_keys() {
        let line = b"7 S12 Gdead Zwhat is :base";
        let entry = Entry::decode(Version::V3, line).unwrap();
        assert_eq!(value(entry.extra(), b'G'), Some(&b"dead"[..]));
        assert_eq!(entry.extra(), b"S12 Gdead Zwhat is");
        let mut extra = entry.extra().to_vec();
        set_value(&mut extra, b'G', b"beef");
        assert_eq!(extra, b"S12 Zwhat is Gbeef");
        let (_, header) = Header::decode(b"3 V1 N2 P%v Xx").unwrap();
        assert_eq!(header.extra, b"P%v Xx");
    }

    #[test]
    fn reads_version_1() {
        let (version, header) = Header::decode(b"1 1100000000 42").unwrap();
        assert_eq!((version, header.next_uid), (Version::V1, 42));
        let entry = Entry::decode(version, b"41 110.1_0.host name:2,S").unwrap();
        assert_eq!(entry.base(), b"110.1_0.host name");
    }

    #[test]
    fn hostile_lines_are_told_apart() {
        for (line, uid) in [
            (&b""[..], None),
            (b"x :a", None),
            (b"0 :a", None),
            (b"4294967296 :a", None),
            (b"99999999999999999999999 :a", None),
            (b"-1 :a", None),
            (b"5", Some(5)),
            (b"5 ", Some(5)),
            (b"5 Gx", Some(5)),
            (b"5 :", Some(5)),
            (b"5 :a/b", Some(5)),
            (b"5 :a\0b", Some(5)),
            (b"5:a", Some(5)),
        ] {
            assert_eq!(
                Entry::decode(Version::V3, line).unwrap_err().uid,
                uid,
                "{line:?}"
            );
        }
        for header in [&b""[..], b"4 V1 N1", b"x", b"1 2", b"30 V1", b"\0\0\0"] {
            assert!(Header::decode(header).is_err(), "{header:?}");
        }
        let (_, header) = Header::decode(b"3 V0 N99999999999999999999 Gxyz").unwrap();
        assert_eq!(
            (header.uid_validity, header.next_uid, header.guid),
            (None, 0, None)
        );
    }

    #[test]
    fn every_truncation_is_an_answer() {
        for end in 0..HEADER.len() {
            let _ = Header::decode(&HEADER[..end]);
        }
        for end in 0..=ENTRY.len() {
            let entry = Entry::decode(Version::V3, &ENTRY[..end]);
            assert_eq!(entry.is_ok(), end > 4, "{end}");
        }
    }
}
