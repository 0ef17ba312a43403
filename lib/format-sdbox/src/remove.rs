//! Removing messages and mailboxes. FORMATS.md §3.2, §6.7.
//!
//! A message goes in three steps under the lock: a durable request in the log, its files, the fact in
//! the log. Whoever finds a request without the fact does the rest, ours or Dovecot.

use dbox::{AttachmentDir, ExternalRef};
use index::Transaction;
use index::state::State;
use index_view::{Removal, change};
use mailbox::{Error, Uid, UidSet};

use crate::name;
use crate::placed::Pending;
use crate::sdbox::Sdbox;

impl Sdbox {
    pub(crate) fn remove_mails(&self, uids: &UidSet, which: Removal) -> Result<(), Error> {
        self.locked(|sync| {
            let mut request = Transaction::internal();
            for uid in change::removed(sync.state(), uids, which) {
                request.expunge(uid.get(), [0; 16]);
            }
            if request.is_empty() {
                return Ok(());
            }
            request.make_durable();
            sync.commit(&request).map(drop)
        })
    }

    /// Removes the files of a message. What is gone already is fine.
    pub(crate) fn remove_files(&self, state: &State, uid: Uid) -> Result<(), Error> {
        let fs = &self.context.fs;
        match self.attachments_of(state, uid) {
            Ok(Some((dir, refs))) => dir.remove(&refs)?,
            Ok(None) | Err(Error::Expunged) => {}
            // A message that cannot be read can be removed all the same.
            Err(error @ Error::Corrupted { .. }) => tracing::warn!("{error}"),
            Err(error) => return Err(error),
        }
        let name = name::of_mail(uid);
        for (_, dir) in self.places.dirs() {
            fs.unlink_if_exists(&dir.join(&name))?;
        }
        Ok(())
    }

    /// Attachments of a message, and where they are; `None`: it has none.
    pub(crate) fn attachments_of(
        &self,
        state: &State,
        uid: Uid,
    ) -> Result<Option<(AttachmentDir, Vec<ExternalRef>)>, Error> {
        let Some(dir) = self.attachments(state, uid) else {
            return Ok(None);
        };
        let (file, message) = self.open_mail(uid)?;
        let refs = message
            .attachments()
            .map_err(|damage| damage.in_file(file.path()))?;
        Ok((!refs.is_empty()).then_some((dir, refs)))
    }

    /// Gives a copy attachments of its own.
    pub(crate) fn share_attachments(
        &self,
        state: &State,
        pending: &Pending,
        uid: Uid,
    ) -> Result<(), Error> {
        let Some((from, refs)) = &pending.attachments else {
            return Ok(());
        };
        let to = self.attachments(state, uid).ok_or(Error::NotPossible {
            why: "Mailboxes with attachments out of line cannot be copied to others without",
        })?;
        match from.link(refs, &to) {
            Err(error) if error.is_not_found() => Err(Error::Expunged),
            other => Ok(other?),
        }
    }

    pub(crate) fn unshare_attachments(&self, state: &State, pending: &Pending, uid: Uid) {
        let Some((_, refs)) = &pending.attachments else {
            return;
        };
        let Some(ours) = self.attachments(state, uid) else {
            return;
        };
        if let Err(error) = ours.remove(refs) {
            tracing::error!("{error}; an attachment that nobody has stays");
        }
    }

    /// The mailbox is about to be deleted: no session of any process finds it any more, and what lies
    /// outside of its directory goes.
    pub(crate) fn delete_all(&self) -> Result<(), Error> {
        let index = match self.index() {
            // A deletion that was killed half way has said so already.
            Err(Error::NotFound { .. }) if !self.is_there()? => return Ok(()),
            other => other?,
        };
        let mut sync = index.begin_sync().map_err(|error| self.told(error))?;
        let mut request = Transaction::internal();
        request.delete_index();
        sync.commit(&request).map_err(|error| self.told(error))?;
        let state = std::sync::Arc::clone(sync.state());
        if self.options.attachments.is_some() {
            for uid in state.records().filter_map(|record| Uid::new(record.uid())) {
                match self.attachments_of(&state, uid) {
                    Ok(Some((dir, refs))) => dir.remove(&refs)?,
                    Ok(None) | Err(Error::Expunged | Error::Corrupted { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let mut fact = Transaction::external();
        fact.delete_index();
        fact.make_durable();
        sync.commit(&fact).map_err(|error| self.told(error))?;
        sync.finish().map_err(|error| self.told(error))?;
        *self.index_slot() = None;
        Ok(())
    }
}
