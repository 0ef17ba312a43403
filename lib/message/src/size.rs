//! Where bytes are in a message, counted as stored and as sent.

/// The size of a stretch of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Bytes as stored; lines may end in bare LF.
    pub physical: u64,
    /// Bytes as sent to clients: every line ends in CRLF (Dovecot's "virtual size").
    pub virtual_size: u64,
    /// Line ends.
    pub lines: u64,
}

impl Size {
    /// The difference to an earlier point; zero where there is none.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            physical: self.physical.saturating_sub(earlier.physical),
            virtual_size: self.virtual_size.saturating_sub(earlier.virtual_size),
            lines: self.lines.saturating_sub(earlier.lines),
        }
    }

    /// Nothing at all.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.physical == 0
    }
}

/// A stretch of the stored message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte as stored.
    pub start: u64,
    /// How long it is.
    pub size: Size,
}

impl Span {
    /// Offset as stored of the first byte after it.
    #[must_use]
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.size.physical)
    }

    /// Between two points counted by a [`Counter`].
    #[must_use]
    pub fn between(start: Size, end: Size) -> Self {
        Self {
            start: start.physical,
            size: end.since(start),
        }
    }
}

/// Counts bytes and lines that pass by, in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    total: Size,
    last: u8,
    /// The latest line end was CRLF.
    crlf: bool,
}

impl Counter {
    /// Everything so far.
    #[must_use]
    pub fn total(&self) -> Size {
        self.total
    }

    /// Everything so far but the latest line end.
    #[must_use]
    pub fn before_line_end(&self) -> Size {
        Size {
            physical: self.total.physical.saturating_sub(1 + u64::from(self.crlf)),
            virtual_size: self.total.virtual_size.saturating_sub(2),
            lines: self.total.lines.saturating_sub(1),
        }
    }

    /// Counts `bytes`.
    pub fn add(&mut self, bytes: &[u8]) {
        let mut bare = 0;
        for at in memchr::memchr_iter(b'\n', bytes) {
            let before = at
                .checked_sub(1)
                .and_then(|i| bytes.get(i))
                .copied()
                .unwrap_or(self.last);
            self.crlf = before == b'\r';
            bare += u64::from(!self.crlf);
            self.total.lines += 1;
        }
        self.total.physical += bytes.len() as u64;
        self.total.virtual_size += bytes.len() as u64 + bare;
        if let Some(&last) = bytes.last() {
            self.last = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_bare_and_full_line_ends_in_any_pieces() {
        let text = b"a\r\nb\n\r\n\n\rc\r";
        let expected = Size {
            physical: 11,
            virtual_size: 13,
            lines: 4,
        };
        for split in 0..=text.len() {
            let mut counter = Counter::default();
            counter.add(&text[..split]);
            counter.add(&text[split..]);
            assert_eq!(counter.total(), expected, "split at {split}");
        }
    }

    #[test]
    fn takes_the_latest_line_end_back() {
        let mut counter = Counter::default();
        counter.add(b"a\nb\r\n");
        assert_eq!(
            counter.before_line_end(),
            Size {
                physical: 3,
                virtual_size: 4,
                lines: 1
            }
        );
    }
}
