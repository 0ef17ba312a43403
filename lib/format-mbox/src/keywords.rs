//! The keywords of a mailbox, as X-IMAPbase and the index list them.

use std::collections::HashMap;

use mailbox::Keyword;

/// X-IMAPbase adds no more than so many: it may come with a message of a stranger's.
const MOST: usize = 1000;

/// Names with numbers, compared without case; none is ever taken out.
#[derive(Clone, Debug, Default)]
pub struct Keywords {
    names: Vec<Keyword>,
    numbers: HashMap<String, usize>,
}

impl Keywords {
    /// Those of the index, in its order.
    pub fn new(names: impl IntoIterator<Item = Keyword>) -> Self {
        let mut keywords = Self::default();
        for name in names {
            keywords.push(name);
        }
        keywords
    }

    /// All of them.
    #[must_use]
    pub fn names(&self) -> &[Keyword] {
        &self.names
    }

    /// The number of a keyword.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(&name.to_ascii_lowercase()).copied()
    }

    /// Adds what X-IMAPbase lists; what no keyword can be is left out. Tells how many it lists.
    pub fn add_listed(&mut self, list: &str) -> usize {
        let mut listed = 0;
        for name in list.split_ascii_whitespace() {
            listed += 1;
            if self.number(name).is_none()
                && self.names.len() < MOST
                && let Ok(keyword) = Keyword::new(name)
            {
                self.push(keyword);
            }
        }
        listed
    }

    /// The number of a keyword, new or not.
    pub fn add(&mut self, keyword: &Keyword) -> usize {
        self.number(keyword.as_str())
            .unwrap_or_else(|| self.push(keyword.clone()))
    }

    fn push(&mut self, keyword: Keyword) -> usize {
        let number = self.names.len();
        self.numbers
            .entry(keyword.as_str().to_ascii_lowercase())
            .or_insert(number);
        self.names.push(keyword);
        number
    }
}
