//! Data of a stored password: as it is, in hexadecimal or in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Error;
use super::scheme::Scheme;

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    None,
    Hex,
    Base64,
}

impl Encoding {
    /// The encoding that a scheme's suffix names: `.hex`, `.b64`, `.base64`.
    pub(super) fn from_suffix(suffix: &str) -> Option<Self> {
        match suffix.to_ascii_lowercase().as_str() {
            "hex" => Some(Self::Hex),
            "b64" | "base64" => Some(Self::Base64),
            _ => None,
        }
    }

    /// Writes data.
    pub(super) fn encode(self, data: &[u8]) -> String {
        match self {
            Self::None => String::from_utf8_lossy(data).into_owned(),
            Self::Hex => to_hex(data),
            Self::Base64 => STANDARD.encode(data),
        }
    }
}

/// Decodes `text` and checks its length. Hashes of known size tell by their length how they are written, and what
/// turns out not to be hexadecimal may still be base64.
pub(super) fn decode(
    scheme: &'static Scheme,
    asked: Option<Encoding>,
    text: &str,
) -> Result<Vec<u8>, Error> {
    let invalid = |reason| Error::Invalid {
        scheme: scheme.name,
        reason,
    };
    let encoding = match asked {
        Some(encoding) => encoding,
        None if scheme.size == 0 => scheme.encoding,
        None if text.len() == scheme.size * 2 => Encoding::Hex,
        None => Encoding::Base64,
    };
    let base64 = || STANDARD.decode(text).ok();
    let data = match encoding {
        Encoding::None => Some(text.as_bytes().to_vec()),
        Encoding::Hex => from_hex(text).or_else(base64),
        Encoding::Base64 => base64(),
    };
    let data = data.ok_or_else(|| invalid("Input isn't valid base64 encoded data"))?;
    if scheme.size != 0 && data.len() != scheme.size {
        return Err(invalid("Input length isn't valid"));
    }
    Ok(data)
}

/// Lower-case hexadecimal.
pub(crate) fn to_hex(data: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    data.iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// Hexadecimal of either case; `None`: it is not.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}
