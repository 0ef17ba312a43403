//! What a client asks of flags and messages, as a transaction of the index. FORMATS.md §1.3.

use index::log::record::Toggle;
use index::{State, Transaction};
use mailbox::{FlagChange, Flags, Keyword, Seq, Uid, UidSet};

use crate::Removal;

/// STORE: internal, since others may be asked to act on it. Empty if none of the messages is there.
#[must_use]
pub fn flags(state: &State, uids: &UidSet, change: &FlagChange) -> Transaction {
    let uids = present(state, uids);
    let mut transaction = Transaction::internal();
    if uids.is_empty() {
        return transaction;
    }
    let all = Flags::CHANGEABLE.index_bits();
    let (add, remove, keywords, toggle) = match change {
        FlagChange::Add(flags, keywords) => (flags.index_bits(), 0, keywords, Toggle::Add),
        FlagChange::Remove(flags, keywords) => (0, flags.index_bits(), keywords, Toggle::Remove),
        FlagChange::Replace(flags, keywords) => {
            let bits = flags.index_bits();
            (bits, all & !bits, keywords, Toggle::Add)
        }
    };
    let is_replace = matches!(change, FlagChange::Replace(..));
    if add != 0 || remove != 0 {
        transaction.update_flags(&uids, add, remove);
    }
    if is_replace {
        let keep: Vec<String> = keywords.iter().map(ToString::to_string).collect();
        transaction.clear_keywords(&uids, state.keywords(), &keep);
    }
    for keyword in keywords {
        let is_known = state
            .keywords()
            .iter()
            .any(|known| known.eq_ignore_ascii_case(keyword.as_str()));
        // Taking away what nobody has would make the name one that the mailbox knows.
        if is_known || toggle == Toggle::Add {
            transaction.update_keyword(toggle, keyword.as_str(), &uids);
        }
    }
    transaction
}

/// Keywords of a new message.
pub fn add_keywords(transaction: &mut Transaction, keywords: &[Keyword], uid: Uid) {
    let uids = UidSet::from_iter([uid]);
    for keyword in keywords {
        transaction.update_keyword(Toggle::Add, keyword.as_str(), &uids);
    }
}

/// The messages that a client wants to be removed, ascending.
#[must_use]
pub fn removed(state: &State, uids: &UidSet, which: Removal) -> Vec<Uid> {
    let mut removed = Vec::new();
    for range in present(state, uids).ranges() {
        let from = state
            .seq_at_least(range.0)
            .map_or(u32::MAX, |seq| seq.get());
        let seqs = (from..=state.len()).filter_map(Seq::new);
        let records = seqs.filter_map(|seq| state.record(seq));
        let wanted = records
            .take_while(|record| record.uid() <= range.1.get())
            .filter(|record| {
                let flags = Flags::from_index_bits(record.flags());
                which == Removal::All || flags.contains(Flags::DELETED)
            });
        removed.extend(wanted.filter_map(|record| Uid::new(record.uid())));
    }
    removed
}

/// The same ranges from their first to their last message that is there.
fn present(state: &State, uids: &UidSet) -> UidSet {
    let clipped = uids.ranges().iter().filter_map(|&(first, last)| {
        let from = state.seq_at_least(first)?;
        let first = state.uid(from).filter(|uid| *uid <= last)?;
        let behind = last.get().checked_add(1).and_then(Uid::new);
        let behind = behind.and_then(|uid| state.seq_at_least(uid));
        let to = behind.map_or(state.len(), |seq| seq.get() - 1);
        let last = state.uid(Seq::new(to)?)?;
        Some((first, last))
    });
    UidSet::from_ranges(clipped)
}
