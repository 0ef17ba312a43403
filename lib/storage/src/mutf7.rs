//! Modified UTF-7: mailbox names on disk. RFC 3501 §5.1.3.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
);

/// The one way to write `name`.
#[must_use]
pub fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    for character in name.chars() {
        if matches!(character, ' '..='~') {
            flush(&mut shifted, &mut encoded);
            encoded.push(character);
            if character == '&' {
                encoded.push('-');
            }
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                shifted.extend_from_slice(&unit.to_be_bytes());
            }
        }
    }
    flush(&mut shifted, &mut encoded);
    encoded
}

fn flush(shifted: &mut Vec<u8>, encoded: &mut String) {
    if !shifted.is_empty() {
        encoded.push('&');
        BASE64.encode_string(&*shifted, encoded);
        encoded.push('-');
        shifted.clear();
    }
}

/// `None` for what [`encode`] would not have written: two spellings of one name would be two
/// mailboxes.
#[must_use]
pub fn decode(encoded: &str) -> Option<String> {
    let mut name = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((plain, after)) = rest.split_once('&') {
        name.push_str(plain);
        let (shifted, after) = after.split_once('-')?;
        if shifted.is_empty() {
            name.push('&');
        } else {
            name.push_str(&decode_shifted(shifted)?);
        }
        rest = after;
    }
    name.push_str(rest);
    (encode(&name) == encoded).then_some(name)
}

fn decode_shifted(shifted: &str) -> Option<String> {
    let bytes = BASE64.decode(shifted).ok()?;
    let pairs = bytes
        .chunks(2)
        .map(|pair| <[u8; 2]>::try_from(pair).ok().map(u16::from_be_bytes));
    let units: Vec<u16> = pairs.collect::<Option<_>>()?;
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names() {
        for (name, encoded) in [
            ("Entwürfe", "Entw&APw-rfe"),
            ("日本語", "&ZeVnLIqe-"),
            ("Archive & Co", "Archive &- Co"),
            ("a😀b", "a&2D3eAA-b"),
            ("", ""),
        ] {
            assert_eq!(encode(name), encoded);
            assert_eq!(decode(encoded).as_deref(), Some(name));
        }
    }

    #[test]
    fn only_the_canonical_spelling() {
        for bad in [
            "&",
            "&A",
            "&AGE-",
            "&APw-&APw-",
            "ü",
            "&2D0-",
            "&AP-",
            "a&b",
            "&APx-",
            "\t",
        ] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_name_comes_back(name in "\\PC*") {
            proptest::prop_assert_eq!(decode(&encode(&name)), Some(name));
        }

        #[test]
        fn any_bytes_are_an_answer(text in ".*") {
            let _ = decode(&text);
        }
    }
}
