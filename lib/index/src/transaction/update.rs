//! Numbers of a mailbox as they were elsewhere.

use mailbox::{ModSeq, Uid, Update};

use super::Transaction;
use crate::State;

/// A modseq of this message is that of no message: only HIGHESTMODSEQ grows. FORMATS.md §1.2.
const NO_MESSAGE: u32 = 0;

impl Transaction {
    /// Raises the numbers that are below what is wanted, and sets the UIDVALIDITY. The GUID is the
    /// format's.
    #[must_use]
    pub fn update(state: &State, update: &Update) -> Self {
        let mut transaction = Self::external();
        let header = state.header();
        let above = |wanted: Option<Uid>, known: u32| wanted.filter(|uid| uid.get() > known);
        if let Some(validity) = update.uid_validity
            && validity.get() != header.uid_validity()
        {
            transaction.set_uid_validity(validity.get());
        }
        if let Some(uid) = above(update.min_next_uid, header.next_uid()) {
            transaction.set_next_uid(uid.get());
        }
        if let Some(uid) = above(update.min_first_recent, header.first_recent_uid()) {
            transaction.set_first_recent_uid(uid.get());
        }
        let modseq = update.min_highest_modseq.map_or(0, ModSeq::get);
        if modseq > state.highest_modseq() {
            transaction.update_modseq(NO_MESSAGE, modseq);
        }
        transaction
    }
}
