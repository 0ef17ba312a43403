//! A cursor over one command line, for parsers that read like the grammar.

/// The part of a line that is not read yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(crate) fn rest(self) -> &'a str {
        self.rest
    }

    pub(crate) fn is_at_end(self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// Reads `expected`, or nothing.
    pub(crate) fn take(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    /// Reads `keyword` in any case, or nothing.
    pub(crate) fn keyword(&mut self, keyword: &str) -> Option<()> {
        let (head, tail) = self.rest.split_at_checked(keyword.len())?;
        if !head.eq_ignore_ascii_case(keyword) {
            return None;
        }
        self.rest = tail;
        Some(())
    }

    /// Reads characters as long as they belong to `class`.
    pub(crate) fn while_in(&mut self, class: fn(char) -> bool) -> &'a str {
        let end = self
            .rest
            .find(|character| !class(character))
            .unwrap_or(self.rest.len());
        let (head, tail) = self.rest.split_at(end);
        self.rest = tail;
        head
    }
}
