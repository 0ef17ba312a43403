//! UIDs as sequence numbers of a view.

use imap_proto::{SequenceSet, Span};
use mailbox::{Mailbox, Seq, Uid};

/// Where the mails of a set of UIDs stand; those that are not there are passed over. RFC 3501 §6.4.8.
#[must_use]
pub fn seqs_of_uids(mailbox: &dyn Mailbox, set: &SequenceSet) -> Vec<Span> {
    let largest = Seq::new(mailbox.len()).and_then(|last| mailbox.uid(last));
    let Some(largest) = largest else {
        return Vec::new();
    };
    seqs_of_spans(mailbox, &set.resolve(largest.get()))
}

/// The same for UIDs among which no `*` stands for the last mail.
#[must_use]
pub fn seqs_of_spans(mailbox: &dyn Mailbox, uids: &[Span]) -> Vec<Span> {
    let spans = uids.iter();
    spans.filter_map(|span| seqs_of(mailbox, *span)).collect()
}

fn seqs_of(mailbox: &dyn Mailbox, uids: Span) -> Option<Span> {
    let first = mailbox.seq_at_least(Uid::new(uids.first)?)?.get();
    let behind = uids
        .last
        .checked_add(1)
        .and_then(Uid::new)
        .and_then(|uid| mailbox.seq_at_least(uid));
    let last = behind.map_or(mailbox.len(), |behind| behind.get() - 1);
    (first <= last).then_some(Span { first, last })
}
