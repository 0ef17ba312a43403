//! An index whose lock we hold.

use std::io;
use std::sync::{Arc, MutexGuard};

use mailbox::Durability;
use sys::fs::{FsError, FsFile, Lock};

use super::reader::Reader;
use super::soon::sync_soon;
use super::{Index, Requests, Tail};
use crate::log::record::{Body, Origin, Patch};
use crate::state::field;
use crate::transaction::Transaction;
use crate::{Error, State, clock};

/// Beyond it offsets would no longer fit: rotate first, bytes.
const LARGEST_LOG: u64 = 1 << 30;
/// Bytes of the record that moves the tail.
const TAIL_RECORD: u64 = 16;

/// The lock of an index, with the state as of now. Dropped, it gives the lock back and leaves requests
/// where they are.
#[derive(Debug)]
pub struct IndexSync<'a> {
    index: &'a Index,
    _turn: MutexGuard<'a, ()>,
    pub(super) file: FsFile,
    state: Arc<State>,
}

impl Index {
    /// Waits for the lock, refreshes, and repairs what is torn or damaged. A thread that has one of this
    /// index must not begin another.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Deleted`], failed calls.
    pub fn begin_sync(&self) -> Result<IndexSync<'_>, Error> {
        let turn = self.turn();
        let file = self.lock_log()?;
        let state = self.state()?;
        let mut sync = IndexSync {
            index: self,
            _turn: turn,
            file,
            state,
        };
        sync.repair()?;
        Ok(sync)
    }

    /// Writes one transaction under the lock. Requests stay for the next sync.
    ///
    /// # Errors
    /// As [`Index::begin_sync`] and [`IndexSync::commit`].
    pub fn commit(&self, transaction: &Transaction) -> Result<Arc<State>, Error> {
        self.begin_sync()?.commit(transaction)
    }
}

impl IndexSync<'_> {
    /// The state as of now; [`IndexSync::commit`] moves it on.
    #[must_use]
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// What clients asked for and nobody has done to the mail yet.
    #[must_use]
    pub fn requests(&self) -> Requests {
        let slot = self.index.reader();
        slot.as_ref()
            .map(|reader| reader.requests.clone())
            .unwrap_or_default()
    }

    /// Writes a transaction with one call, and with [`Tail::Always`] the new tail; the new state includes
    /// it. Nothing to write: nothing happens.
    ///
    /// # Errors
    /// [`Error::Refused`] and failed calls: nothing was written. [`Error::NotDurable`]: it was.
    pub fn commit(&mut self, transaction: &Transaction) -> Result<Arc<State>, Error> {
        let midnight = clock::midnight(clock::now());
        let mut bytes = transaction
            .encode(&self.state, midnight)
            .map_err(|what| self.refused(what))?;
        if self.index.options.tail == Tail::Always && !bytes.is_empty() {
            // A kill between two writes would leave what Dovecot takes for damage.
            let end = self.state.place().head + bytes.len() as u64;
            bytes.extend(self.tail_record(end)?);
        }
        self.write(&bytes)?;
        if !bytes.is_empty() {
            self.make_durable(transaction)?;
        }
        Ok(Arc::clone(&self.state))
    }

    /// The requests have been done: moves the tail, unless messages that were to be removed are still
    /// there. Writes a checkpoint and rotates the log when it is time. Gives the lock back.
    ///
    /// # Errors
    /// The tail could not be moved; whatever was committed stays.
    pub fn finish(mut self) -> Result<Arc<State>, Error> {
        self.move_tail()?;
        if let Err(error) = self.housekeep() {
            // The log has it all; the next one tries again.
            tracing::warn!("{error}");
        }
        Ok(Arc::clone(&self.state))
    }

    fn move_tail(&mut self) -> Result<(), Error> {
        let requests = self.requests();
        let place = self.state.place();
        let wanted = match self.index.options.tail {
            Tail::Always => place.tail != place.head,
            Tail::Requests => !requests.is_empty(),
        };
        if !wanted || !requests.expunges(&self.state).is_empty() {
            return Ok(());
        }
        let record = self.tail_record(place.head)?;
        self.write(&record)
    }

    /// The record that moves the tail behind itself, when it stands at `end`.
    fn tail_record(&self, end: u64) -> Result<Vec<u8>, Error> {
        let too_large = || self.refused("log is too large");
        let tail = u32::try_from(end + TAIL_RECORD).map_err(|_| too_large())?;
        let patch = Patch {
            offset: crate::bytes::low32(field::LOG_TAIL),
            data: tail.to_le_bytes().to_vec(),
        };
        let record = Body::HeaderUpdate(vec![patch]).encode(Origin::External);
        record.ok_or_else(too_large)
    }

    pub(super) fn index(&self) -> &Index {
        self.index
    }

    pub(super) fn refused(&self, what: &'static str) -> Error {
        Error::Refused {
            path: self.index.paths.log.clone(),
            what,
        }
    }

    /// One `write()` of whole records, which are tried on the state first.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut slot = self.index.reader();
        let reader = match slot.as_ref() {
            Some(reader) => reader,
            None => return Err(self.refused("the index must be read anew")),
        };
        let end = reader.place().head;
        if end + bytes.len() as u64 > LARGEST_LOG {
            return Err(self.refused("log is too large"));
        }
        let mut next = reader.clone();
        let wrong = next.feed(bytes, end);
        if let Some(wrong) = wrong {
            return Err(self.refused(wrong.what));
        }
        if next.torn {
            return Err(self.refused("transaction is not whole"));
        }
        if let Err(error) = append(&self.file, bytes, end) {
            *slot = None;
            return Err(error.into());
        }
        self.state = Arc::clone(&next.state);
        *slot = Some(next);
        Ok(())
    }

    fn make_durable(&self, transaction: &Transaction) -> Result<(), Error> {
        match self.index.options.durability {
            Durability::Synced if !transaction.is_durable() => {
                sync_soon(&self.index.paths.log);
                Ok(())
            }
            Durability::Synced | Durability::Always | Durability::Unsynced => self.sync_log(),
        }
    }

    fn sync_log(&self) -> Result<(), Error> {
        let done = self.index.options.durability.sync_data(&self.file);
        done.map_err(|error| {
            // What the file holds is no longer known: everybody reads it anew.
            *self.index.reader() = None;
            Error::NotDurable(error)
        })
    }

    /// Takes over what repair or rotation made.
    pub(super) fn replace(&mut self, reader: Reader) {
        self.state = Arc::clone(&reader.state);
        *self.index.reader() = Some(reader);
    }

    pub(super) fn take_file(&mut self, file: FsFile) {
        let _ = self.file.try_lock(Lock::Unlock);
        self.file = file;
    }
}

/// All of the bytes at the end, or none.
fn append(file: &FsFile, bytes: &[u8], end: u64) -> Result<(), FsError> {
    let error = match file.write_once(bytes) {
        Ok(written) if written == bytes.len() => return Ok(()),
        Ok(_) => FsError {
            call: "write",
            path: file.path().to_owned(),
            source: io::ErrorKind::StorageFull.into(),
        },
        Err(error) => error,
    };
    if let Err(also) = file.truncate(end) {
        // The next one who locks cuts it off.
        tracing::warn!("{also}");
    }
    Err(error)
}

impl Drop for IndexSync<'_> {
    fn drop(&mut self) {
        if self.file.try_lock(Lock::Unlock).is_err() {
            // Closing it gives the lock back, too.
            *self.index.reader() = None;
        }
    }
}
