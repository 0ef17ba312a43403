//! A condition on one mail that may not be decidable yet.

use imap_proto::Span;
use mailbox::{Flags, MailDate};

use crate::key::When;
use crate::known::Known;

/// A condition. Numbers are places in the lists of [`crate::Search`].
#[derive(Debug)]
pub(crate) enum Test {
    /// ALL (`true`), or what no mail can be.
    Always(bool),
    /// Sequence numbers in the view, ascending.
    Seqs(Vec<Span>),
    /// A system flag.
    Has(Flags),
    /// A keyword, by its number.
    Keyword(usize),
    /// INTERNALDATE.
    Received(When),
    /// Date:
    Sent(When),
    /// When it was saved.
    Saved(When),
    /// More octets.
    Larger(u64),
    /// Fewer octets.
    Smaller(u64),
    /// The message's GUID.
    Guid(String),
    /// A header field.
    Header(usize),
    /// BODY.
    Body(usize),
    /// TEXT.
    Text(usize),
    /// The contrary.
    Not(Box<Self>),
    /// One of them.
    Any(Vec<Self>),
    /// All of them.
    Every(Vec<Self>),
}

impl Test {
    /// Does the mail match, as far as is known of it? `None`: more must be known.
    pub(crate) fn decide(&self, known: &Known) -> Option<bool> {
        match self {
            Self::Always(result) => Some(*result),
            Self::Seqs(spans) => Some(contains(spans, known.seq.get())),
            Self::Has(flag) => Some(known.flags.flags.contains(*flag)),
            Self::Keyword(number) => Some(known.flags.keywords.contains(*number)),
            Self::Received(when) => known.received.map(|date| holds(*when, date)),
            Self::Sent(when) => {
                let sent = known.header.as_ref()?.sent;
                // Whoever sent it meant the clock on his wall, whatever it is compared with, as in Dovecot.
                let shown = sent
                    .unix
                    .saturating_add(i64::from(sent.offset_minutes) * 60);
                Some(when.holds(shown, 0))
            }
            Self::Saved(when) => {
                let saved = known.saved?;
                Some(saved.is_some_and(|date| holds(*when, date)))
            }
            Self::Larger(size) => known.size.map(|mail| mail > *size),
            Self::Smaller(size) => known.size.map(|mail| mail < *size),
            Self::Guid(guid) => known.guid.as_ref().map(|mail| mail == guid),
            Self::Header(number) => known.header.as_ref()?.fields.get(*number).copied(),
            Self::Body(number) => known.bodies.as_ref()?.get(*number).copied(),
            Self::Text(number) => known.texts.as_ref()?.get(*number).copied(),
            Self::Not(test) => test.decide(known).map(|result| !result),
            Self::Any(tests) => decide(tests, known, true),
            Self::Every(tests) => decide(tests, known, false),
        }
    }
}

fn holds(when: When, date: MailDate) -> bool {
    when.holds(date.seconds, i64::from(date.offset_minutes) * 60)
}

/// One test with the result `decisive` decides; without one, all must be known.
fn decide(tests: &[Test], known: &Known, decisive: bool) -> Option<bool> {
    let mut all_known = true;
    for test in tests {
        match test.decide(known) {
            Some(result) if result == decisive => return Some(decisive),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(!decisive)
}

fn contains(spans: &[Span], seq: u32) -> bool {
    let behind = spans.partition_point(|span| span.first <= seq);
    behind
        .checked_sub(1)
        .and_then(|at| spans.get(at))
        .is_some_and(|span| seq <= span.last)
}
