//! Flag changes that the client knows of before a sync finds them: its own `STORE .SILENT`, and the `\Seen` that it was
//! told of inside a FETCH. What others change meanwhile differs from the expectation, and is told.

use imap_proto::Span;
use mailbox::{FlagChange, FlagState, Flags, Keyword, KeywordSet, Mailbox, Seq, Uid};

/// One change of some mails, with what they had before.
pub struct Expected {
    change: FlagChange,
    /// Ascending.
    before: Vec<(Uid, FlagState)>,
}

impl Expected {
    /// Remembers the state of mails before `change` is stored.
    pub fn new(mailbox: &dyn Mailbox, seqs: &[Span], change: FlagChange) -> Self {
        let seqs = seqs
            .iter()
            .flat_map(|span| span.first..=span.last)
            .filter_map(Seq::new);
        let before = seqs
            .filter_map(|seq| Some((mailbox.uid(seq)?, mailbox.flags(seq)?)))
            .collect();
        Self { change, before }
    }

    /// Is this what the change makes of the mail?
    pub fn is(&self, uid: Uid, now: &FlagState, keywords: &[Keyword]) -> bool {
        let before = self
            .before
            .binary_search_by_key(&uid, |(uid, _)| *uid)
            .ok()
            .and_then(|at| self.before.get(at));
        before.is_some_and(|(_, before)| changed(before, &self.change, keywords) == *now)
    }
}

/// What STORE makes of a mail's flags. RFC 3501 §6.4.6; `\Recent` stays as it is.
pub fn changed(before: &FlagState, change: &FlagChange, keywords: &[Keyword]) -> FlagState {
    let mut after = before.clone();
    let (FlagChange::Add(flags, words)
    | FlagChange::Remove(flags, words)
    | FlagChange::Replace(flags, words)) = change;
    let numbers = words
        .iter()
        .filter_map(|word| keywords.iter().position(|known| known == word));
    match change {
        FlagChange::Add(..) => {
            after.flags = after.flags.with(*flags);
            numbers.for_each(|number| after.keywords.insert(number));
        }
        FlagChange::Remove(..) => {
            after.flags = after.flags.without(*flags);
            numbers.for_each(|number| after.keywords.remove(number));
        }
        FlagChange::Replace(..) => {
            after.flags = after.flags.without(Flags::CHANGEABLE).with(*flags);
            after.keywords = KeywordSet::default();
            numbers.for_each(|number| after.keywords.insert(number));
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_to_change_flags() {
        let keywords = [Keyword::new("a").unwrap(), Keyword::new("b").unwrap()];
        let b = || vec![Keyword::new("B").unwrap()];
        let mut before = FlagState {
            flags: Flags::SEEN.with(Flags::RECENT),
            keywords: KeywordSet::default(),
        };
        before.keywords.insert(0);
        let state = |change| {
            let after = changed(&before, &change, &keywords);
            (after.flags, after.keywords.iter().collect::<Vec<_>>())
        };
        let recent = Flags::RECENT;
        assert_eq!(
            state(FlagChange::Add(Flags::DRAFT, b())),
            (before.flags.with(Flags::DRAFT), vec![0, 1])
        );
        assert_eq!(
            state(FlagChange::Remove(Flags::SEEN, b())),
            (recent, vec![0])
        );
        assert_eq!(
            state(FlagChange::Replace(Flags::DRAFT, b())),
            (recent.with(Flags::DRAFT), vec![1])
        );
    }
}
