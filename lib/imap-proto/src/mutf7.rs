//! Modified UTF-7: how mailbox names travel. RFC 3501 §5.1.3.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Writes a name as IMAP does: printable ASCII as it is, `&` as `&-`, the rest as `&` base64 `-`.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut units: Vec<u16> = Vec::new();
    for letter in name.chars() {
        if !is_direct(letter) {
            units.extend_from_slice(letter.encode_utf16(&mut [0; 2]));
            continue;
        }
        flush(&mut out, &mut units);
        out.push(letter);
        if letter == '&' {
            out.push('-');
        }
    }
    flush(&mut out, &mut units);
    out
}

/// Reads a name. `None` for anything that [`encode`] would not have written: 8-bit and control characters, broken
/// base64, unpaired surrogates, and detours such as ASCII in base64, so that no mailbox has two names.
pub fn decode(name: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, behind)) = rest.split_first() {
        if *first != b'&' {
            out.push(Some(char::from(*first)).filter(|letter| is_direct(*letter))?);
            rest = behind;
            continue;
        }
        let end = behind.iter().position(|byte| *byte == b'-')?;
        let (base64, behind) = behind.split_at_checked(end)?;
        match base64.is_empty() {
            true => out.push('&'),
            false => shifted(base64, &mut out)?,
        }
        rest = behind.get(1..)?;
    }
    (encode(&out).as_bytes() == name).then_some(out)
}

fn is_direct(letter: char) -> bool {
    matches!(letter, ' '..='~')
}

fn flush(out: &mut String, units: &mut Vec<u16>) {
    if units.is_empty() {
        return;
    }
    out.push('&');
    let (mut bits, mut count) = (0u32, 0u8);
    for byte in units.drain(..).flat_map(u16::to_be_bytes) {
        bits = bits << 8 | u32::from(byte);
        count += 8;
        while count >= 6 {
            count -= 6;
            out.push(digit(bits >> count));
        }
    }
    if count > 0 {
        out.push(digit(bits << (6 - count)));
    }
    out.push('-');
}

fn digit(bits: u32) -> char {
    let index = usize::try_from(bits & 63).unwrap_or_default();
    char::from(ALPHABET.get(index).copied().unwrap_or_default())
}

/// Base64 of UTF-16 without its `&` and `-`.
fn shifted(base64: &[u8], out: &mut String) -> Option<()> {
    let mut units: Vec<u16> = Vec::new();
    let (mut bits, mut count) = (0u32, 0u8);
    for byte in base64 {
        let value = ALPHABET.iter().position(|digit| digit == byte)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push(u16::try_from(bits >> count & 0xffff).ok()?);
        }
    }
    for letter in char::decode_utf16(units) {
        out.push(letter.ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_names() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("A & B", "A &- B"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
            ("", ""),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn names_that_are_none() {
        let wrong: [&[u8]; 11] = [
            b"&",
            b"&AOQ",
            b"&bad",
            b"&AGE-",
            b"&2D0-",
            b"&AOQ=-",
            b"\xc3\xa4",
            b"a\x01",
            b"&AOR-",
            b"&AOQ-&AOQ-",
            b"&A-",
        ];
        for name in wrong {
            assert_eq!(decode(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn both_ways(name in "\\PC{0,20}") {
            let wire = encode(&name);
            prop_assert_eq!(decode(wire.as_bytes()), Some(name));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(0u8.., 0..20)) {
            let _ = decode(&bytes);
        }
    }
}
