//! Flags and keywords as clients write them. RFC 3501 §2.3.2, §9 `flag`.

use crate::args::{Args, SyntaxError};

/// A system flag that clients may set. `\Recent` is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SystemFlag {
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Seen`
    Seen,
    /// `\Draft`
    Draft,
}

/// A flag or a keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flag {
    /// One of the five.
    System(SystemFlag),
    /// A keyword as the client wrote it: printable ASCII, and not more than that is checked. See [`check_keyword`]. Its
    /// case is kept and means nothing.
    Keyword(String),
}

/// Longest keyword, in bytes. Dovecot's `mail_max_keyword_length`.
pub const MAX_KEYWORD: usize = 50;

/// Why a keyword is none. Clients are told by NO, as what they said is an atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeywordError {
    /// Longer than [`MAX_KEYWORD`].
    #[error("Keyword length too long.")]
    TooLong,
    /// Not an RFC 3501 `flag-keyword`.
    #[error("Invalid characters in keyword.")]
    Characters,
}

impl SystemFlag {
    /// All five, in Dovecot's order.
    pub const ALL: [Self; 5] = [
        Self::Answered,
        Self::Flagged,
        Self::Deleted,
        Self::Seen,
        Self::Draft,
    ];

    /// With the backslash.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Seen => "\\Seen",
            Self::Draft => "\\Draft",
        }
    }
}

impl Flag {
    /// Takes one flag.
    pub fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        Self::parse(
            args.atom()
                .map_err(|_| SyntaxError::new("Flags list contains non-atoms."))?,
        )
    }

    /// Reads one flag.
    pub fn parse(word: &[u8]) -> Result<Self, SyntaxError> {
        if word.first() != Some(&b'\\') {
            return keyword(word).map(Self::Keyword);
        }
        let known = SystemFlag::ALL
            .into_iter()
            .find(|flag| word.eq_ignore_ascii_case(flag.name().as_bytes()));
        known
            .map(Self::System)
            .ok_or_else(|| SyntaxError::about("Invalid system flag", word))
    }

    /// `(flag flag …)`, or without the parentheses up to the end of the command, as STORE allows.
    pub fn take_all(args: &mut Args<'_>) -> Result<Vec<Self>, SyntaxError> {
        if args.peek() == Some(b'(') {
            return args.list(Self::take);
        }
        let mut flags = vec![Self::take(args)?];
        while !args.is_empty() {
            args.space()?;
            flags.push(Self::take(args)?);
        }
        Ok(flags)
    }
}

/// Is this an RFC 3501 `flag-keyword` of a sane length?
pub fn check_keyword(word: &str) -> Result<(), KeywordError> {
    if word.len() > MAX_KEYWORD {
        return Err(KeywordError::TooLong);
    }
    let valid = !word.is_empty() && word.bytes().all(is_keyword_char);
    valid.then_some(()).ok_or(KeywordError::Characters)
}

/// A word of a flag list that is no system flag.
pub(crate) fn keyword(word: &[u8]) -> Result<String, SyntaxError> {
    String::from_utf8(word.to_vec()).map_err(|_| SyntaxError::ARGUMENTS)
}

fn is_keyword_char(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_keywords() {
        assert_eq!(Flag::parse(b"\\sEEn"), Ok(Flag::System(SystemFlag::Seen)));
        assert_eq!(
            Flag::parse(b"$Forwarded"),
            Ok(Flag::Keyword("$Forwarded".into()))
        );
        for wrong in ["\\Recent", "\\x", "\\"] {
            assert!(Flag::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keywords_that_are_none() {
        for wrong in ["", "a]", "a{", "a\\b", "*", "a%", "a b", "\u{e4}"] {
            assert_eq!(
                check_keyword(wrong),
                Err(KeywordError::Characters),
                "{wrong}"
            );
        }
        assert_eq!(check_keyword(&"a".repeat(MAX_KEYWORD)), Ok(()));
        assert_eq!(
            check_keyword(&"a".repeat(MAX_KEYWORD + 1)),
            Err(KeywordError::TooLong)
        );
    }

    #[test]
    fn with_and_without_parentheses() {
        let seen = Flag::System(SystemFlag::Seen);
        assert_eq!(Flag::take_all(&mut Args::new(b"()")), Ok(vec![]));
        assert_eq!(
            Flag::take_all(&mut Args::new(b"(\\Seen)")),
            Ok(vec![seen.clone()])
        );
        assert_eq!(
            Flag::take_all(&mut Args::new(b"\\Seen x")),
            Ok(vec![seen, Flag::Keyword("x".into())])
        );
        assert!(Flag::take_all(&mut Args::new(b"")).is_err());
        assert!(Flag::take_all(&mut Args::new(b"(\\Seen")).is_err());
    }
}
