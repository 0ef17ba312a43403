//! Sets of sequence numbers or UIDs. RFC 3501 §9 `sequence-set`.

use crate::args::{Args, SyntaxError};

/// Numbers from `first` to `last`, both included; `1 <= first <= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The smallest number.
    pub first: u32,
    /// The largest number.
    pub last: u32,
}

/// A set of positive numbers, some of them relative to `*`, the largest number in use.
///
/// Overlaps are merged when it is parsed, so it never holds more than the client's own words said, and walking through it
/// meets no number twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SequenceSet {
    /// Sorted, neither overlapping nor touching.
    spans: Vec<Span>,
    /// `n:*`: the smallest such `n`; `u32::MAX` for `*` alone. Larger ones add nothing: `n:*` is never empty, it always
    /// holds the largest number in use.
    to_star: Option<u32>,
}

const INVALID: SyntaxError = SyntaxError::new("Invalid messageset.");

impl SequenceSet {
    /// Takes a sequence set.
    pub fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        Self::parse(args.atom().map_err(|_| INVALID)?)
    }

    /// Reads `1,3:5,7:*`.
    pub fn parse(word: &[u8]) -> Result<Self, SyntaxError> {
        let mut set = Self::default();
        for element in word.split(|byte| *byte == b',') {
            let mut bounds = element.splitn(2, |byte| *byte == b':');
            let first = bound(bounds.next().unwrap_or_default())?;
            let last = bounds.next().map_or(Ok(first), bound)?;
            set.add(first, last);
        }
        set.spans = merged(set.spans);
        Ok(set)
    }

    /// A set of known numbers.
    pub fn from_spans(spans: Vec<Span>) -> Self {
        Self {
            spans: merged(spans),
            to_star: None,
        }
    }

    /// The set in ascending order, where `largest` is the largest number in use (0: nothing is, and `*` means nothing).
    pub fn resolve(&self, largest: u32) -> Vec<Span> {
        let star = self.to_star.filter(|_| largest > 0);
        let Some(from) = star else {
            return self.spans.clone();
        };
        let mut spans = self.spans.clone();
        spans.push(Span {
            first: from.min(largest),
            last: largest,
        });
        merged(spans)
    }

    /// Are these sequence numbers of a mailbox of `mails` mails? As Dovecot judges: the largest number named must exist.
    pub fn is_valid_for(&self, mails: u32) -> bool {
        let named = self.spans.last().is_none_or(|span| span.last <= mails);
        let star = self
            .to_star
            .is_none_or(|from| from <= mails || from == u32::MAX);
        mails > 0 && named && star
    }

    /// The spans without `*`, and the `n` of `n:*`.
    pub fn parts(&self) -> (&[Span], Option<u32>) {
        (&self.spans, self.to_star)
    }

    fn add(&mut self, first: Option<u32>, last: Option<u32>) {
        match (first, last) {
            (Some(one), Some(other)) => self.push(Span {
                first: one.min(other),
                last: one.max(other),
            }),
            (Some(from), None) | (None, Some(from)) => self.star(from),
            (None, None) => self.star(u32::MAX),
        }
    }

    fn star(&mut self, from: u32) {
        self.to_star = Some(self.to_star.map_or(from, |so_far| so_far.min(from)));
    }

    /// Keeps repeated and ascending spans from piling up; [`merged`] sees to the rest.
    fn push(&mut self, span: Span) {
        match self.spans.last_mut() {
            Some(last) if last.first <= span.first && span.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(span.last);
            }
            _ => self.spans.push(span),
        }
    }
}

/// A number, or `None` for `*`.
fn bound(word: &[u8]) -> Result<Option<u32>, SyntaxError> {
    if word == b"*" {
        return Ok(None);
    }
    let number = crate::literal::number(word).and_then(|number| u32::try_from(number).ok());
    match number {
        Some(0) | None => Err(INVALID),
        number => Ok(number),
    }
}

/// Sorts and joins what overlaps or touches.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut kept: usize = 0;
    for index in 0..spans.len() {
        let Some(span) = spans.get(index).copied() else {
            break;
        };
        match kept.checked_sub(1).and_then(|at| spans.get_mut(at)) {
            Some(last) if span.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(span.last)
            }
            _ => {
                if let Some(slot) = spans.get_mut(kept) {
                    *slot = span;
                }
                kept += 1;
            }
        }
    }
    spans.truncate(kept);
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Result<SequenceSet, SyntaxError> {
        SequenceSet::parse(text.as_bytes())
    }

    fn resolved(text: &str, largest: u32) -> Vec<(u32, u32)> {
        set(text)
            .unwrap()
            .resolve(largest)
            .iter()
            .map(|span| (span.first, span.last))
            .collect()
    }

    #[test]
    fn spans_are_sorted_and_merged() {
        assert_eq!(resolved("5,1:3,4,9:7,8", 20), [(1, 5), (7, 9)]);
        assert_eq!(resolved("4294967295:1", 3), [(1, u32::MAX)]);
        assert_eq!(
            resolved("4294967295,4294967294", 3),
            [(u32::MAX - 1, u32::MAX)]
        );
    }

    #[test]
    fn star_is_the_largest_number_in_use() {
        assert_eq!(resolved("*", 7), [(7, 7)]);
        assert_eq!(resolved("559:*", 7), [(7, 7)]);
        assert_eq!(resolved("*:3,1", 7), [(1, 1), (3, 7)]);
        assert_eq!(resolved("3:*,900:*,*", 7), [(3, 7)]);
        assert_eq!(resolved("*", 0), []);
    }

    #[test]
    fn wrong_sets() {
        for text in [
            "",
            ",",
            "1,",
            ",1",
            "0",
            "0:1",
            "1:0",
            "4294967296",
            "a",
            "1:2:3",
            "-1",
            "1:",
            ":1",
            "**",
            "+1",
            " 1",
        ] {
            assert_eq!(set(text), Err(INVALID), "{text}");
        }
    }

    #[test]
    fn sequence_numbers_must_exist() {
        assert!(set("1:3").unwrap().is_valid_for(3));
        assert!(!set("1:4").unwrap().is_valid_for(3));
        assert!(set("*").unwrap().is_valid_for(3));
        assert!(set("3:*").unwrap().is_valid_for(3));
        assert!(!set("4:*").unwrap().is_valid_for(3));
        assert!(!set("*").unwrap().is_valid_for(0));
    }

    #[test]
    fn a_huge_repetition_stays_small() {
        let text = vec!["1:4294967295"; 60_000].join(",");
        assert_eq!(set(&text).unwrap().parts().0.len(), 1);
    }
}
