//! Which boundary is this line? RFC 2046 §5.1.1, and what Dovecot does where lines match several.
//!
//! A line belongs to the longest active boundary that it begins with. Only when the line *is* a boundary, or a
//! boundary and `--`, the latest such boundary goes before an older one of the other kind.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::limits;

/// Boundaries of the multiparts that are open, each with its depth.
#[derive(Debug, Default)]
pub(super) struct Boundaries {
    /// The depths at which this boundary is active, the deepest last.
    active: BTreeMap<Vec<u8>, Vec<usize>>,
    /// The same, in the order of depth.
    stack: Vec<(usize, Vec<u8>)>,
}

/// What a boundary line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    /// Depth of the multipart whose boundary it is.
    pub depth: usize,
    /// `--boundary--`: no more parts.
    pub closing: bool,
}

/// How much of a line decides: two dashes, the boundary, two more dashes.
pub(super) const DECIDING: usize = 2 + limits::BOUNDARY + 2;

impl Boundaries {
    pub fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    /// The multipart at `depth` is open from now on.
    pub fn open(&mut self, depth: usize, boundary: &[u8]) {
        let boundary = boundary.get(..limits::BOUNDARY).unwrap_or(boundary);
        self.active
            .entry(boundary.to_vec())
            .or_default()
            .push(depth);
        self.stack.push((depth, boundary.to_vec()));
    }

    /// Multiparts at `depth` and deeper take no more parts.
    pub fn close(&mut self, depth: usize) {
        while self.stack.last().is_some_and(|(open, _)| *open >= depth) {
            let Some((_, boundary)) = self.stack.pop() else {
                return;
            };
            if let Some(depths) = self.active.get_mut(&boundary) {
                depths.pop();
                if depths.is_empty() {
                    self.active.remove(&boundary);
                }
            }
        }
    }

    /// Whose boundary the line is. `line` has no LF; [`DECIDING`] bytes are enough.
    pub fn find(&self, line: &[u8]) -> Option<Delimiter> {
        let text = line.strip_prefix(b"--")?;
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let (boundary, depth) = match self.exact(text) {
            Some(found) => found,
            None => self.longest(text)?,
        };
        let closing = text
            .get(boundary.len()..)
            .is_some_and(|rest| rest.starts_with(b"--"));
        Some(Delimiter { depth, closing })
    }

    /// The line is a boundary, or a boundary and two dashes: the latest of these. A still later boundary of one dash hides
    /// the one of two.
    fn exact(&self, text: &[u8]) -> Option<(&[u8], usize)> {
        let whole = self.latest(text);
        // An empty boundary cannot be told from its end.
        let closed = text
            .strip_suffix(b"--")
            .filter(|text| !text.is_empty())
            .and_then(|text| self.latest(text));
        let Some(closed) = closed else { return whole };
        let between = text
            .get(..text.len() - 1)
            .and_then(|text| self.latest(text));
        if between.is_some_and(|between| between.1 > closed.1) {
            return whole.or(between);
        }
        match whole {
            Some(whole) if whole.1 > closed.1 => Some(whole),
            _ => Some(closed),
        }
    }

    fn latest(&self, text: &[u8]) -> Option<(&[u8], usize)> {
        let (boundary, depths) = self.active.get_key_value(text)?;
        Some((boundary, *depths.last()?))
    }

    /// The longest boundary that `text` begins with. Each step shortens the key to what it shares with its
    /// neighbour, so that the work grows with the length of the line, not with the number of boundaries.
    fn longest(&self, text: &[u8]) -> Option<(&[u8], usize)> {
        let mut key = text.get(..limits::BOUNDARY).unwrap_or(text);
        loop {
            let range = (Bound::Unbounded, Bound::Included(key));
            let (boundary, depths) = self.active.range::<[u8], _>(range).next_back()?;
            let shared = boundary.iter().zip(key).take_while(|(a, b)| a == b).count();
            if shared == boundary.len() {
                return Some((boundary, *depths.last()?));
            }
            key = key.get(..shared)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundaries(of: &[&str]) -> Boundaries {
        let mut boundaries = Boundaries::default();
        for (depth, boundary) in of.iter().enumerate() {
            boundaries.open(depth, boundary.as_bytes());
        }
        boundaries
    }

    fn found(of: &[&str], line: &str) -> Option<(usize, bool)> {
        boundaries(of)
            .find(line.as_bytes())
            .map(|found| (found.depth, found.closing))
    }

    #[test]
    fn longest_prefix_wins() {
        assert_eq!(found(&["b", "bb"], "--bbx"), Some((1, false)));
        assert_eq!(found(&["bb", "b"], "--bbx"), Some((0, false)));
        assert_eq!(found(&["bb", "bc", "b"], "--bbb"), Some((0, false)));
        assert_eq!(found(&["b", "bba", "bbc"], "--bbb"), Some((0, false)));
        assert_eq!(found(&["b"], "-b"), None);
        assert_eq!(found(&[""], "----"), Some((0, true)));
    }

    #[test]
    fn the_latest_of_equals_wins() {
        assert_eq!(found(&["b", "b"], "--b"), Some((1, false)));
        assert_eq!(found(&["b", "b--"], "--b--"), Some((1, false)));
        assert_eq!(found(&["b--", "b"], "--b--"), Some((1, true)));
    }

    #[test]
    fn closed_boundaries_are_forgotten() {
        let mut boundaries = boundaries(&["a", "b", "b"]);
        boundaries.close(2);
        assert_eq!(boundaries.find(b"--b").map(|found| found.depth), Some(1));
        boundaries.close(0);
        assert_eq!(boundaries.find(b"--a"), None);
        assert!(boundaries.is_empty());
    }
}
