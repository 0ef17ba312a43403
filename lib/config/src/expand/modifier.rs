//! What happens to a value before it is put in: modifiers in their order, then offset and width.

use super::hash;

/// What stands between `%` and a variable's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Modifiers {
    pub each: Vec<Modifier>,
    /// Bytes to skip; from the end where negative.
    pub offset: i32,
    /// Bytes to take, 0: all; where negative, all but so many at the end.
    pub width: i32,
    /// Fill up with zeros to `width` (`%08n`).
    pub zero: bool,
}

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modifier {
    Lower,
    Upper,
    Escape,
    Hex,
    Reverse,
    Trim,
    /// Dots between the parts of an LDAP name.
    DomainParts,
    /// Dovecot's old hash; width and offset are modulus and digits.
    OldHash,
    /// The first eight bytes of MD5, likewise.
    NewHash,
    /// The whole MD5, in hexadecimal.
    Md5,
}

impl Modifier {
    pub(super) fn of_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'L' => Self::Lower,
            'U' => Self::Upper,
            'E' => Self::Escape,
            'X' => Self::Hex,
            'R' => Self::Reverse,
            'T' => Self::Trim,
            'D' => Self::DomainParts,
            'H' => Self::OldHash,
            'N' => Self::NewHash,
            'M' => Self::Md5,
            _ => return None,
        })
    }
}

impl Modifiers {
    /// Takes `md5:` off a name; what remains is the variable's.
    pub fn hashed<'a>(&mut self, name: &'a str) -> &'a str {
        let Some(rest) = name.strip_prefix("md5:") else {
            return name;
        };
        self.each.insert(0, Modifier::Md5);
        rest
    }

    /// The value as it is put in. A short hash uses offset and width itself.
    pub fn apply(&self, mut value: String) -> String {
        let mut cut = true;
        for modifier in &self.each {
            value = match modifier {
                Modifier::Lower => value.to_ascii_lowercase(),
                Modifier::Upper => value.to_ascii_uppercase(),
                Modifier::Escape => escaped(&value),
                Modifier::Hex => format!("{:x}", leading_number(&value)),
                Modifier::Reverse => value.chars().rev().collect(),
                Modifier::Trim => value
                    .trim_end_matches(|letter: char| letter.is_ascii_whitespace())
                    .to_owned(),
                Modifier::DomainParts => value.replace('.', ",dc="),
                Modifier::OldHash => hash::old(&value, self.modulus(), self.digits()),
                Modifier::NewHash => hash::new(&value, self.modulus(), self.digits()),
                Modifier::Md5 => hash::md5(&value),
            };
            cut &= !matches!(modifier, Modifier::OldHash | Modifier::NewHash);
        }
        if cut { self.cut(&value) } else { value }
    }

    fn modulus(&self) -> u32 {
        self.width.unsigned_abs()
    }

    fn digits(&self) -> usize {
        usize::try_from(self.offset).unwrap_or(0)
    }

    /// Takes `width` bytes from `offset` on, at boundaries of characters.
    fn cut(&self, value: &str) -> String {
        let distance = |number: i32| usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
        let start = match self.offset {
            0.. => distance(self.offset).min(value.len()),
            _ => value.len().saturating_sub(distance(self.offset)),
        };
        let rest = value
            .get(value.ceil_char_boundary(start)..)
            .unwrap_or_default();
        let end = match self.width {
            0 => rest.len(),
            // With a leading zero the width is the least, not the most.
            1.. if self.zero => rest.len(),
            1.. => distance(self.width).min(rest.len()),
            _ => rest.len().saturating_sub(distance(self.width)),
        };
        let taken = rest
            .get(..rest.floor_char_boundary(end))
            .unwrap_or_default();
        let fill = if self.zero {
            distance(self.width.max(0)).saturating_sub(taken.len())
        } else {
            0
        };
        format!("{}{taken}", "0".repeat(fill))
    }
}

/// What a text begins with as a decimal number; 0 if with none.
fn leading_number(value: &str) -> u64 {
    let value = value.trim_start();
    let end = value
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(value.len());
    let digits = value.get(..end).unwrap_or_default();
    digits.parse().unwrap_or_default()
}

/// Backslashes before quotes and backslashes.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '"' | '\'' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
