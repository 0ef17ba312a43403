//! A condition on one mail, as it is asked.

use imap_proto::Span;
use imap_proto::search::DateTest;
use mailbox::{Flags, Keyword};
use message::search::Needle;

/// A condition.
#[derive(Debug, Clone)]
pub enum Key {
    /// Every mail (`true`), or none.
    Always(bool),
    /// Sequence numbers in the view, ascending.
    Seqs(Vec<Span>),
    /// A system flag.
    Has(Flags),
    /// A keyword. No mail has one that the mailbox does not know.
    Keyword(Keyword),
    /// INTERNALDATE.
    Received(When),
    /// The Date: field.
    Sent(When),
    /// When the mail came into this mailbox; where nobody knows, it does not match.
    Saved(When),
    /// More octets.
    Larger(u64),
    /// Fewer octets.
    Smaller(u64),
    /// A header field has the text; an empty one: the field is there.
    Header {
        /// Of the field.
        name: Vec<u8>,
        /// In its decoded value.
        needle: Needle,
    },
    /// A text in the body.
    Body(Needle),
    /// A text in header or body.
    Text(Needle),
    /// The message's GUID.
    Guid(String),
    /// The contrary.
    Not(Box<Self>),
    /// One of them.
    Any(Vec<Self>),
    /// All of them.
    Every(Vec<Self>),
}

/// What a date is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A day, in days since 1970, against the day that the mail's own zone shows. RFC 3501 §6.4.4.
    Day(DateTest, i64),
    /// A second, UNIX time; `On`: within the 24 hours from there.
    Time(DateTest, i64),
}

/// Seconds of a day.
const DAY: i64 = 86_400;

impl When {
    /// Does a date fulfil it? `zone`: seconds east of UTC.
    pub(crate) fn holds(self, unix: i64, zone: i64) -> bool {
        match self {
            Self::Day(test, day) => {
                compare(test, unix.saturating_add(zone).div_euclid(DAY), day, 1)
            }
            Self::Time(test, time) => compare(test, unix, time, DAY),
        }
    }
}

fn compare(test: DateTest, date: i64, from: i64, length: i64) -> bool {
    match test {
        DateTest::Before => date < from,
        DateTest::On => date >= from && date < from.saturating_add(length),
        DateTest::Since => date >= from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_senders_and_a_second_is_everybodys() {
        let new_year = When::Day(DateTest::On, 1);
        assert!(new_year.holds(DAY, 0) && new_year.holds(2 * DAY - 1, 0));
        assert!(new_year.holds(DAY - 3600, 3600) && !new_year.holds(DAY - 3600, 0));
        let hour = When::Time(DateTest::Since, DAY - 3600);
        assert!(hour.holds(DAY - 3600, -7200) && !hour.holds(DAY - 3601, 7200));
        assert!(!When::Time(DateTest::On, 0).holds(DAY, 0));
        assert!(When::Time(DateTest::Before, 1).holds(0, 0));
    }
}
