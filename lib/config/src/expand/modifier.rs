//! Offset, width and letters between `%` and a variable's name.

use super::md5;

/// What happens to a value before it is put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Modifiers {
    offset: i32,
    width: Option<i32>,
    letters: Vec<char>,
}

impl Modifiers {
    /// Reads the modifiers before a name; also gives what follows them.
    pub fn parse(text: &str) -> (Self, &str) {
        let mut modifiers = Self::default();
        let (first, mut rest) = number(text);
        if let Some(second) = rest.strip_prefix('.') {
            let (width, after) = number(second);
            modifiers.offset = first.unwrap_or_default();
            modifiers.width = Some(width.unwrap_or_default());
            rest = after;
        } else if let Some(first) = first {
            modifiers.width = Some(first);
        }
        while let Some(letter) = rest
            .chars()
            .next()
            .filter(|letter| "LUEXRNHMDT".contains(*letter))
        {
            modifiers.letters.push(letter);
            rest = rest.get(1..).unwrap_or_default();
        }
        (modifiers, rest)
    }

    /// The letters in their order, then offset and width. A hash uses those two itself.
    pub fn apply(&self, value: String) -> String {
        let mut value = value;
        let mut hashed = false;
        for letter in &self.letters {
            value = match letter {
                'L' => value.to_lowercase(),
                'U' => value.to_uppercase(),
                'E' => escaped(&value),
                'X' => format!("{:x}", value.trim().parse::<u64>().unwrap_or_default()),
                'R' => value.chars().rev().collect(),
                'T' => value.trim_end_matches([' ', '\t', '\n', '\r']).to_owned(),
                'M' => hex(&md5::digest(value.as_bytes())),
                'D' => value.replace('.', ",dc="),
                'H' => self.bucket(string_hash(value.as_bytes())),
                'N' => self.bucket(md5_hash(value.as_bytes())),
                _ => value,
            };
            hashed |= matches!(letter, 'H' | 'N');
        }
        if hashed { value } else { self.cut(value) }
    }

    /// A hash as hex: modulo the width, padded to the offset.
    fn bucket(&self, hash: u32) -> String {
        let width = u32::try_from(self.width.unwrap_or_default()).unwrap_or_default();
        // A lone number is the width here too: %100Hu.
        let hash = hash.checked_rem(width).unwrap_or(hash);
        let digits = usize::try_from(self.offset).unwrap_or_default().min(16);
        format!("{hash:0digits$x}")
    }

    /// A negative offset counts from the end; a negative width leaves that many letters out.
    fn cut(&self, value: String) -> String {
        let Some(width) = self.width else {
            return value;
        };
        let letters: Vec<char> = value.chars().collect();
        let length = i64::try_from(letters.len()).unwrap_or(i64::MAX);
        let (mut offset, mut width) = (i64::from(self.offset), i64::from(width));
        if offset == 0 && width < 0 {
            (offset, width) = (width, width.saturating_neg());
        }
        let start = if offset < 0 {
            length.saturating_add(offset).max(0)
        } else {
            offset.min(length)
        };
        let left = length.saturating_sub(start);
        let count = if width < 0 {
            left.saturating_add(width).max(0)
        } else {
            width.min(left)
        };
        let (start, count) = (
            usize::try_from(start).unwrap_or_default(),
            usize::try_from(count).unwrap_or_default(),
        );
        letters.into_iter().skip(start).take(count).collect()
    }
}

/// A decimal number, perhaps with `-`, and what follows it.
fn number(text: &str) -> (Option<i32>, &str) {
    let sign = usize::from(text.starts_with('-'));
    let digits = text
        .bytes()
        .skip(sign)
        .take_while(u8::is_ascii_digit)
        .count();
    let (number, rest) = text
        .split_at_checked(sign.saturating_add(digits))
        .unwrap_or(("", text));
    if digits == 0 {
        (None, text)
    } else {
        (number.parse().ok(), rest)
    }
}

fn escaped(value: &str) -> String {
    let mut result = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '"' | '\'' | '\\') {
            result.push('\\');
        }
        result.push(letter);
    }
    result
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Dovecot's `%H`: the shifting hash of PJ Weinberger, as in ELF.
fn string_hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(u32::from(*byte));
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

/// Dovecot's `%N`: bytes 4 to 7 of the MD5, most significant first.
fn md5_hash(bytes: &[u8]) -> u32 {
    let digest = md5::digest(bytes);
    digest
        .iter()
        .skip(4)
        .take(4)
        .fold(0, |hash, byte| (hash << 8) | u32::from(*byte))
}
