//! What administrators do to the cache of a mailbox. doveadm-mailbox(1), `mailbox cache`.

use std::sync::Arc;

use index::cache::Refused;
use index::{CacheFailed, Cached, Index};
use mailbox::{Access, Error, MailStore, MailboxName, Uid};

pub use index::cache::{Decided, Decision, Wish};

use super::Storage;

/// The cache of one mailbox.
pub struct MailboxCache(Arc<Cached>);

impl Storage {
    /// The cache of a mailbox that exists, whose index is up to date.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotPossible`]: the index is nowhere; what cannot be read.
    pub fn cache(&mut self, name: &MailboxName) -> Result<MailboxCache, Error> {
        drop(self.open(name, Access::ReadOnly)?);
        let dir = self.place(name)?.index.ok_or(Error::NotPossible {
            why: "The index is in memory only",
        })?;
        let options = index::Options::mailbox(&self.settings);
        let index = Arc::new(Index::open(&self.fs, &dir, options)?);
        let durability = self.settings.durability;
        let settings = self.options.cache().clone();
        Ok(MailboxCache(Cached::new(
            &index,
            settings,
            durability.into(),
        )))
    }
}

impl MailboxCache {
    /// What was decided about each field. `None`: there is no cache yet, or none that can be used.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn decided(&self) -> Result<Option<Vec<Decided>>, Error> {
        self.0.decided().map_err(told)
    }

    /// Decides about the fields whose names are `chosen`.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn decide(&self, chosen: &dyn Fn(&str) -> bool, wish: Wish) -> Result<(), Error> {
        self.0.decide(chosen, wish).map_err(told)
    }

    /// Writes the file anew, without what nobody needs.
    ///
    /// # Errors
    /// The old file stays.
    pub fn purge(&self) -> Result<(), Error> {
        self.0.purge().map_err(told)
    }

    /// Nothing is known about these messages any more.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn forget(&self, uids: impl IntoIterator<Item = Uid>) -> Result<(), Error> {
        self.0.forget(uids).map_err(told)
    }
}

fn told(failed: CacheFailed) -> Error {
    let why = match failed {
        CacheFailed::Index(error) => return error.into(),
        CacheFailed::Refused(Refused::Fs(error)) => return error.into(),
        CacheFailed::Refused(Refused::Busy) => "Cache is locked",
        CacheFailed::Refused(Refused::ReadOnly) => "Cache is read-only",
        CacheFailed::Refused(Refused::NeedsPurge(_) | Refused::Stale { .. }) => "Cache is unusable",
    };
    Error::NotPossible { why }
}
