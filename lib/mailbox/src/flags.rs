//! Flags and keywords.

use std::fmt;

/// System flags. RFC 3501 §2.3.2. The bits are those of dovecot.index (FORMATS.md §1.1), and
/// `\Recent`, which is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(u8);

impl Flags {
    /// `\Answered`
    pub const ANSWERED: Self = Self(0x01);
    /// `\Flagged`
    pub const FLAGGED: Self = Self(0x02);
    /// `\Deleted`
    pub const DELETED: Self = Self(0x04);
    /// `\Seen`
    pub const SEEN: Self = Self(0x08);
    /// `\Draft`
    pub const DRAFT: Self = Self(0x10);
    /// `\Recent`: this session is the first to be told of the message.
    pub const RECENT: Self = Self(0x20);
    /// All that a client can change.
    pub const CHANGEABLE: Self = Self(0x1f);
    /// Each flag with its name, in the order in which Dovecot lists them.
    pub const NAMES: [(Self, &'static str); 6] = [
        (Self::ANSWERED, "\\Answered"),
        (Self::FLAGGED, "\\Flagged"),
        (Self::DELETED, "\\Deleted"),
        (Self::SEEN, "\\Seen"),
        (Self::DRAFT, "\\Draft"),
        (Self::RECENT, "\\Recent"),
    ];

    /// No flag.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Has it all of `other`?
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The five storable bits as dovecot.index has them.
    #[must_use]
    pub const fn index_bits(self) -> u8 {
        self.0 & 0x1f
    }

    /// From the bits of dovecot.index; others are left out.
    #[must_use]
    pub const fn from_index_bits(bits: u8) -> Self {
        Self(bits & 0x1f)
    }
}

/// A user flag: an IMAP atom, 1 to 255 bytes. Compared without case; the first spelling stays.
#[derive(Debug, Clone, Eq)]
pub struct Keyword(String);

impl Keyword {
    /// Checks a keyword.
    ///
    /// # Errors
    /// The rule that it breaks, for the client.
    pub fn new(name: &str) -> Result<Self, &'static str> {
        if name.is_empty() {
            return Err("Keywords must not be empty");
        }
        if name.len() > 255 {
            return Err("Keyword name too long");
        }
        let atom = |b: u8| b > b' ' && b < 0x7f && !b"(){%*\"\\]".contains(&b);
        if !name.bytes().all(atom) {
            return Err("Invalid characters in keyword");
        }
        Ok(Self(name.to_owned()))
    }

    /// As it was first spelt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of a mailbox's keywords a message has: bit n is number n of [`crate::Mailbox::keywords`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct KeywordSet {
    first: u64,
    more: Vec<u64>,
}

impl KeywordSet {
    /// Has it keyword number `index`?
    #[must_use]
    pub fn contains(&self, index: usize) -> bool {
        self.word(index / 64) & (1 << (index % 64)) != 0
    }

    /// Adds keyword number `index`.
    pub fn insert(&mut self, index: usize) {
        let bit = 1 << (index % 64);
        match (index / 64).checked_sub(1) {
            None => self.first |= bit,
            Some(word) => {
                if self.more.len() <= word {
                    self.more.resize(word + 1, 0);
                }
                if let Some(word) = self.more.get_mut(word) {
                    *word |= bit;
                }
            }
        }
    }

    /// Takes keyword number `index` out.
    pub fn remove(&mut self, index: usize) {
        let bit = 1_u64 << (index % 64);
        match (index / 64).checked_sub(1) {
            None => self.first &= !bit,
            Some(word) => {
                if let Some(word) = self.more.get_mut(word) {
                    *word &= !bit;
                }
                while self.more.last() == Some(&0) {
                    self.more.pop();
                }
            }
        }
    }

    /// Numbers of all its keywords, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..64 * (1 + self.more.len())).filter(|&index| self.contains(index))
    }

    /// Has it none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first == 0 && self.more.is_empty()
    }

    fn word(&self, word: usize) -> u64 {
        match word.checked_sub(1) {
            None => self.first,
            Some(word) => self.more.get(word).copied().unwrap_or(0),
        }
    }
}

/// Flags and keywords of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct FlagState {
    /// System flags, with `\Recent`.
    pub flags: Flags,
    /// User flags.
    pub keywords: KeywordSet,
}

/// How STORE changes flags. RFC 3501 §6.4.6.
#[derive(Debug, Clone, PartialEq)]
pub enum FlagChange {
    /// `+FLAGS`
    Add(Flags, Vec<Keyword>),
    /// `-FLAGS`
    Remove(Flags, Vec<Keyword>),
    /// `FLAGS`
    Replace(Flags, Vec<Keyword>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyword_sets_grow_and_shrink() {
        let mut set = KeywordSet::default();
        for index in [0, 63, 64, 200] {
            set.insert(index);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 200]);
        for index in [200, 64, 63, 0, 999] {
            set.remove(index);
        }
        assert_eq!(set, KeywordSet::default());
    }

    #[test]
    fn keywords_are_atoms_without_case() {
        assert_eq!(
            Keyword::new("$Label1").unwrap(),
            Keyword::new("$LABEL1").unwrap()
        );
        for bad in ["", "a b", "a]", "\\x", "a(", "\u{7f}", "ä"] {
            assert!(Keyword::new(bad).is_err(), "{bad:?}");
        }
    }
}
