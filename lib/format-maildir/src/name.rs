//! File names of messages. FORMATS.md §4.1.
//!
//! ```text
//! <sec>.M<usec>P<pid>.<host>,S=<bytes on disk>,W=<bytes with CRLF>:2,<flags>[,<rest>]
//! └────────────────────────── base ──────────────────────────────┘ └── info ──────┘
//! ```
//! The base is the message's identity; the info part changes with its flags. Flags stand in ASCII
//! order: capitals, then `a`-`z` for keywords. Letters that we do not know and everything from a
//! second comma on are kept.

use mailbox::Flags;

/// Each flag's letter.
const LETTERS: [(u8, Flags); 5] = [
    (b'D', Flags::DRAFT),
    (b'F', Flags::FLAGGED),
    (b'R', Flags::ANSWERED),
    (b'S', Flags::SEEN),
    (b'T', Flags::DELETED),
];

/// Keywords as letters: bit 0 is `a`, bit 25 is `z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Letters(pub u32);

impl Letters {
    /// How many keywords fit into file names.
    pub const COUNT: usize = 26;

    /// Is keyword `index` (0 to 25) among them?
    #[must_use]
    pub fn contains(self, index: usize) -> bool {
        index < Self::COUNT && self.0 & (1 << index) != 0
    }

    /// The numbers, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::COUNT).filter(move |&index| self.contains(index))
    }
}

/// The part of a name before the first `:`.
#[must_use]
pub fn base(name: &[u8]) -> &[u8] {
    name.split(|&b| b == b':').next().unwrap_or(name)
}

/// The letters between `:2,` and a second comma, and the rest with that comma.
fn info(name: &[u8]) -> (&[u8], &[u8]) {
    let after = name.get(base(name).len()..).unwrap_or_default();
    let Some(info) = after.strip_prefix(b":2,") else {
        return (&[], &[]);
    };
    info.split_at(memchr::memchr(b',', info).unwrap_or(info.len()))
}

/// Flags and keyword letters of a name; none where there is no `:2,`.
#[must_use]
pub fn flags(name: &[u8]) -> (Flags, Letters) {
    let mut flags = Flags::empty();
    let mut letters = Letters::default();
    for &letter in info(name).0 {
        match letter {
            b'a'..=b'z' => letters.0 |= 1 << (letter - b'a'),
            _ => flags = flags.with(flag_of(letter).unwrap_or_default()),
        }
    }
    (flags, letters)
}

fn flag_of(letter: u8) -> Option<Flags> {
    LETTERS
        .iter()
        .find(|&&(known, _)| known == letter)
        .map(|&(_, flag)| flag)
}

/// `old` with these flags and letters in the place of its own. What we do not know stays.
#[must_use]
pub fn with_flags(old: &[u8], flags: Flags, letters: Letters) -> Vec<u8> {
    let (old_letters, rest) = info(old);
    let known = LETTERS
        .iter()
        .filter(|&&(_, flag)| flags.contains(flag))
        .map(|&(letter, _)| letter);
    let keywords = (b'a'..=b'z').filter(|&letter| letters.contains(usize::from(letter - b'a')));
    let unknown = old_letters
        .iter()
        .copied()
        .filter(|&letter| !letter.is_ascii_lowercase() && flag_of(letter).is_none());
    let mut all: Vec<u8> = known.chain(keywords).chain(unknown).collect();
    all.sort_unstable();
    all.dedup();

    let mut name = base(old).to_vec();
    name.extend_from_slice(b":2,");
    name.extend_from_slice(&all);
    name.extend_from_slice(rest);
    name
}

/// Sizes that a base name tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// `S=`: bytes on disk, uncompressed.
    pub physical: Option<u64>,
    /// `W=`: bytes when every line ends with CRLF.
    pub with_crlf: Option<u64>,
}

impl Sizes {
    /// Reads `,S=` and `,W=` of a name.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let mut sizes = Self::default();
        for field in base(name).split(|&b| b == b',').skip(1) {
            match field.split_first_chunk::<2>() {
                Some((b"S=", digits)) => sizes.physical = number(digits),
                Some((b"W=", digits)) => sizes.with_crlf = number(digits),
                _ => {}
            }
        }
        sizes
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Orders files that have no UID yet: by seconds, then microseconds (`M`); those with the same by
/// base name. FORMATS.md §4.4.
#[must_use]
pub fn arrival(name: &[u8]) -> (u64, u64) {
    let mut dots = base(name).split(|&b| b == b'.');
    let seconds = dots.next().map_or(0, leading_number);
    let micros = dots
        .next()
        .and_then(|unique| unique.get(memchr::memchr(b'M', unique)? + 1..))
        .map_or(0, leading_number);
    (seconds, micros)
}

fn leading_number(text: &[u8]) -> u64 {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end).and_then(number).unwrap_or(0)
}

/// Can a file of this name be a message? Not what begins with a dot, and nothing that would break
/// a line of `dovecot-uidlist`.
#[must_use]
pub fn is_message(name: &[u8]) -> bool {
    !name.is_empty()
        && !name.starts_with(b".")
        && !name.starts_with(b":")
        && !name
            .iter()
            .any(|&b| b == b'\n' || b == b'\r' || b == b'/' || b == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dovecots_names() {
        let name = b"1795436123.M559963P17799.vm,S=750,W=766:2,RSbd";
        let (found, letters) = flags(name);
        assert_eq!(found, Flags::ANSWERED.with(Flags::SEEN));
        assert_eq!(letters.iter().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(
            Sizes::of(name),
            Sizes {
                physical: Some(750),
                with_crlf: Some(766)
            }
        );
        assert_eq!(base(name), b"1795436123.M559963P17799.vm,S=750,W=766");
        assert_eq!(arrival(name), (1_795_436_123, 559_963));
    }

    #[test]
    fn writes_back_what_it_read() {
        for name in [
            "1.2.h:2,",
            "1.2.h:2,DFRSTabz",
            "1.2.h,S=1:2,PS,extra:2,x",
            "1.h:2,BDPa",
        ] {
            let (found, letters) = flags(name.as_bytes());
            assert_eq!(with_flags(name.as_bytes(), found, letters), name.as_bytes());
        }
    }

    #[test]
    fn keeps_unknown_letters_and_rest() {
        let name = with_flags(b"1.x.h:2,PSz,rest", Flags::DELETED, Letters(1));
        assert_eq!(name, b"1.x.h:2,PTa,rest");
        assert_eq!(with_flags(b"1.x.h", Flags::SEEN, Letters(0)), b"1.x.h:2,S");
        assert_eq!(
            with_flags(b"1.x.h:1,exp", Flags::SEEN, Letters(0)),
            b"1.x.h:2,S"
        );
    }

    #[test]
    fn odd_names_are_no_panic() {
        for name in [
            "",
            ":",
            ":2,",
            "x:2",
            "a,S=:2,",
            "a,S=99999999999999999999",
            "a,S=1x,W=+1",
        ] {
            let _ = (
                flags(name.as_bytes()),
                Sizes::of(name.as_bytes()),
                arrival(name.as_bytes()),
            );
            assert_eq!(Sizes::of(name.as_bytes()), Sizes::default(), "{name}");
        }
        assert!(!is_message(b".hidden") && !is_message(b"a\nb") && is_message(b"a"));
    }

    #[test]
    fn arrival_orders_by_time_then_name() {
        let mut names: Vec<&[u8]> =
            vec![b"2.M1P1.h", b"10.M0P1.h", b"2.M10P1.h", b"2.x", b"b", b"a"];
        names.sort_by_key(|name| (arrival(name), *name));
        let expected: Vec<&[u8]> =
            vec![b"a", b"b", b"2.x", b"2.M1P1.h", b"2.M10P1.h", b"10.M0P1.h"];
        assert_eq!(names, expected);
    }
}
