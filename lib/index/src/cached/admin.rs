//! What administrators do to a cache. doveadm-mailbox(1), `mailbox cache`.

use std::sync::Arc;

use index_cache::{Decided, EXT_NAME, Wish, encode_link};
use mailbox::Uid;

use super::{Cached, EXTENSION, Failed, link, reset_id};
use crate::Transaction;

impl Cached {
    /// What was decided about fields. `None`: there is no cache yet, or none that can be used.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn decided(&self) -> Result<Option<Vec<Decided>>, Failed> {
        let state = self.index.refresh()?;
        Ok(self.cache(&state).decided(reset_id(&state)))
    }

    /// Decides about the fields whose names are `chosen`.
    ///
    /// # Errors
    /// There is no cache; what cannot be written.
    pub fn decide(&self, chosen: &dyn Fn(&str) -> bool, wish: Wish) -> Result<(), Failed> {
        let state = self.index.refresh()?;
        let cache = self.cache(&state);
        Ok(cache.decide(reset_id(&state), chosen, wish)?)
    }

    /// Writes the file anew, with what is worth keeping of the messages that are still there.
    ///
    /// # Errors
    /// The old file stays.
    pub fn purge(&self) -> Result<(), Failed> {
        self.purge_in(&mut self.index.begin_sync()?)
    }

    /// Nothing is known about these messages any more; the next purge gives their bytes back.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn forget(&self, uids: impl IntoIterator<Item = Uid>) -> Result<(), Failed> {
        let mut sync = self.index.begin_sync()?;
        let state = Arc::clone(sync.state());
        let known: Vec<Uid> = uids
            .into_iter()
            .filter(|uid| link(&state, *uid).is_some())
            .collect();
        let mut transaction = Transaction::external();
        if state.extension(EXT_NAME).is_some() && !known.is_empty() {
            let links = transaction.extension(&EXTENSION);
            links.generation(reset_id(&state));
            for uid in &known {
                links.set_record(uid.get(), &encode_link(None));
            }
        }
        sync.commit(&transaction)?;
        self.expunged(&state, known);
        Ok(())
    }
}
