//! `dovecot-keywords`: what the letters in file names mean. FORMATS.md §4.3.
//!
//! ```text
//! <index 0-25> <name>\n
//! ```
//! A letter without a name is `unknown-<index>`, as Dovecot calls it. Lines that are not of this
//! form, or whose name cannot be an IMAP keyword, are passed over.

use mailbox::Keyword;

use crate::name::Letters;

/// Names of the letters `a` to `z`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keywords {
    names: [Option<Keyword>; Letters::COUNT],
}

impl Keywords {
    /// Reads the file; where an index is told twice, the last one counts.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let mut keywords = Self::default();
        for line in bytes.split(|&b| b == b'\n') {
            if let Some((index, name)) = decode_line(line)
                && keywords.position(&name).is_none()
                && let Some(slot) = keywords.names.get_mut(index)
            {
                *slot = Some(name);
            }
        }
        keywords
    }

    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let named = self.names.iter().enumerate();
        named
            .filter_map(|(index, name)| name.as_ref().map(|name| format!("{index} {name}\n")))
            .collect::<String>()
            .into_bytes()
    }

    /// What letter number `index` (0 to 25) means.
    #[must_use]
    pub fn name(&self, index: usize) -> Option<Keyword> {
        match self.names.get(index)? {
            Some(name) => Some(name.clone()),
            None => Keyword::new(&format!("unknown-{index}")).ok(),
        }
    }

    /// The letter of a keyword, compared without case.
    #[must_use]
    pub fn index(&self, keyword: &Keyword) -> Option<usize> {
        self.position(keyword).or_else(|| {
            let index = keyword.as_str().strip_prefix("unknown-")?.parse().ok()?;
            let free = matches!(self.names.get(index), Some(None));
            free.then_some(index)
        })
    }

    /// The letter of a keyword, a free one if it has none yet; `None`: all are taken.
    pub fn index_or_add(&mut self, keyword: &Keyword) -> Option<usize> {
        let index = match self.index(keyword) {
            Some(index) => index,
            None => self.names.iter().position(Option::is_none)?,
        };
        self.names
            .get_mut(index)?
            .get_or_insert_with(|| keyword.clone());
        Some(index)
    }

    /// The letters of an index's keywords; `None`: that one has none.
    #[must_use]
    pub fn letters_of(&self, names: &[String]) -> Vec<Option<usize>> {
        let keywords = names.iter().map(|name| Keyword::new(name).ok());
        keywords.map(|keyword| self.index(&keyword?)).collect()
    }

    fn position(&self, keyword: &Keyword) -> Option<usize> {
        self.names
            .iter()
            .position(|name| name.as_ref() == Some(keyword))
    }
}

fn decode_line(line: &[u8]) -> Option<(usize, Keyword)> {
    let line = std::str::from_utf8(line).ok()?;
    let (index, name) = line.split_once(' ')?;
    Some((index.parse().ok()?, Keyword::new(name).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOVECOTS: &[u8] = b"0 $Forwarded\n1 Work\n2 $Label1\n3 Unique$Key-with.Chars\n";

    fn keyword(name: &str) -> Keyword {
        Keyword::new(name).unwrap()
    }

    #[test]
    fn reads_and_writes_back() {
        let keywords = Keywords::decode(DOVECOTS);
        assert_eq!(keywords.name(1), Some(keyword("Work")));
        assert_eq!(keywords.index(&keyword("WORK")), Some(1));
        assert_eq!(keywords.encode(), DOVECOTS);
    }

    #[test]
    fn gaps_are_unknown_and_filled_first() {
        let mut keywords = Keywords::decode(b"0 a\n2 c\n");
        assert_eq!(keywords.name(1), Some(keyword("unknown-1")));
        assert_eq!(keywords.index(&keyword("unknown-1")), Some(1));
        assert_eq!(keywords.index_or_add(&keyword("new")), Some(1));
        assert_eq!(keywords.encode(), b"0 a\n1 new\n2 c\n");
        assert_eq!(keywords.index(&keyword("unknown-1")), None);
    }

    #[test]
    fn hostile_lines_are_passed_over() {
        let bytes = b"26 z\n-1 x\n99999999999999999999 y\n0 two words\n1 b\r\n\xff 1\n3\n4 \n5 ok";
        assert_eq!(Keywords::decode(bytes).encode(), b"5 ok\n");
    }

    #[test]
    fn the_27th_keyword_has_no_room() {
        let mut keywords = Keywords::default();
        for index in 0..26 {
            assert_eq!(
                keywords.index_or_add(&keyword(&format!("k{index}"))),
                Some(index)
            );
        }
        assert_eq!(keywords.index_or_add(&keyword("more")), None);
        assert_eq!(keywords.index_or_add(&keyword("K25")), Some(25));
    }

    #[test]
    fn any_bytes_are_a_file() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let keywords = Keywords::decode(bytes);
            assert_eq!(Keywords::decode(&keywords.encode()), keywords);
        });
    }
}
