//! Adding records, under the lock of the file.
//!
//! New records stand at the end of the file until the index transaction with their offsets is in
//! the log; if that fails they are dead bytes until the next purge.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use mailbox::Uid;
use sys::fs::FsError;

use super::batch::Batch;
use super::codec::Damage;
use super::decision::Facts;
use super::field::FieldId;
use super::generation::{Generation, Trouble};
use super::header::Header;
use super::registry::Registry;
use super::table::HEAD_SIZE;
use super::{Cache, Current, State, Sync, Turn};
use crate::size;

/// The lock is held for one write, or for a purge, while which the log is locked, too: who waits with
/// the log locked has never to wait long. And no session waits longer for a mere cache.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// How often the file may be replaced while we wait for its lock.
const ATTEMPTS: usize = 5;

/// What the index says. For a purge it must be the newest state, with the log locked.
#[derive(Clone, Copy)]
pub struct Picture<'a> {
    /// `reset_id` of the extension "cache"; 0 if there is no such extension.
    pub reset_id: u32,
    /// Clock and index header.
    pub facts: Facts,
    /// Messages with their links, ascending; those without may be left out. Called rarely.
    pub links: &'a dyn Fn() -> Vec<(Uid, u32)>,
}

/// Fields to be cached for a message. [`Cache::may_add`] or [`Cache::wanted`] said that they may.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// Of which message; a new one may not be in the picture yet.
    pub uid: Uid,
    /// Where its newest record is, for the `reset_id` of the picture.
    pub link: Option<u32>,
    /// Values, in the encoding of their field.
    pub values: Vec<(FieldId, Vec<u8>)>,
}

/// What the index transaction has to record: in the extension "cache" with reset_id `file_seq`, for
/// each message its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Belongs into the EXT_INTRO: if there was a purge meanwhile, the offsets are ignored.
    pub file_seq: u32,
    /// In the order of the records; `None`: nothing was cached, the link stays.
    pub offsets: Vec<Option<u32>>,
}

/// Why nothing was written. Never a reason to fail what the client asked for.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// With the log locked, [`Cache::purge`] makes a file that can be written.
    #[error("cache needs to be purged: {0}")]
    NeedsPurge(&'static str),
    /// The picture is of another file than the one there is: refresh the index and try again. If
    /// the log is locked, the file is to be purged.
    #[error("cache has file_seq {file_seq}, not the index's reset_id")]
    Stale {
        /// Of the file.
        file_seq: u32,
    },
    /// Somebody else has had the lock for too long.
    #[error("cache is locked")]
    Busy,
    /// The file cannot be written by us.
    #[error("cache is read-only")]
    ReadOnly,
    /// A file operation failed.
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl Cache {
    /// Appends a record for each message, with one write. The offsets mean something only once they
    /// are in the log.
    ///
    /// # Errors
    /// See [`Refused`]; then the file is as it was.
    pub fn append(&self, index: &Picture<'_>, records: &[NewRecord]) -> Result<Appended, Refused> {
        let mut turn = self.turn();
        if self.state().is_broken(index.reset_id) {
            return Err(Refused::NeedsPurge("it is damaged"));
        }
        let locked = self.lock(&mut turn)?;
        let mut state = self.state();
        let current = self.current_of(&mut state, &locked)?;
        if current.header.file_seq != index.reset_id {
            let file_seq = current.header.file_seq;
            return Err(Refused::Stale { file_seq });
        }
        let end = self.check_end(&mut state, &current, index, records)?;
        let batch = Batch::new(&mut state.registry, records, self.settings.record_limit());
        let appended = self.write(&current, end, &batch)?;
        if batch.is_empty() {
            return Ok(appended);
        }
        let counted = batch.count_in(current.header);
        self.tidy_up(&mut state, &locked, counted, &batch);
        if self.sync == Sync::Always {
            locked.0.file.sync_data()?;
        }
        Ok(appended)
    }

    /// Writes decisions and times of last use into the file, if they changed.
    ///
    /// # Errors
    /// See [`Refused`]; they are tried again the next time.
    pub fn flush(&self) -> Result<(), Refused> {
        let mut turn = self.turn();
        if !self.state().registry.pending {
            return Ok(());
        }
        let locked = self.lock(&mut turn)?;
        let mut state = self.state();
        let current = self.current_of(&mut state, &locked)?;
        Ok(write_columns(&mut state.registry, &current)?)
    }

    /// `count` messages that had links are gone: counts towards the next purge.
    ///
    /// # Errors
    /// See [`Refused`]; nothing depends on it.
    pub fn count_expunged(&self, count: u32) -> Result<(), Refused> {
        let mut turn = self.turn();
        let locked = self.lock(&mut turn)?;
        let mut state = self.state();
        let mut header = self.current_of(&mut state, &locked)?.header;
        header.deleted_records = header.deleted_records.saturating_add(count);
        header.records = header.records.saturating_sub(count);
        locked.0.file.write_all_at(&header.encode(), 0)?;
        state.set_header(header);
        Ok(())
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file at the path, locked. Whether it is that of the index is to be seen.
    pub(super) fn lock(&self, turn: &mut Turn) -> Result<Locked, Refused> {
        for _ in 0..ATTEMPTS {
            let generation = self.newest()?;
            if !generation.writable {
                return Err(Refused::ReadOnly);
            }
            let wait = match turn.gave_up {
                true => Duration::ZERO,
                false => LOCK_WAIT,
            };
            turn.gave_up = !generation.lock(wait)?;
            if turn.gave_up {
                return Err(Refused::Busy);
            }
            let locked = Locked(generation);
            if locked.0.is_current(&self.place)? {
                return Ok(locked);
            }
            self.state().forget_file();
        }
        Err(Refused::Busy)
    }

    fn newest(&self) -> Result<Arc<Generation>, Refused> {
        let mut state = self.state();
        if state.current.is_none() {
            self.open(&mut state)?;
        }
        let current = state.current.as_ref();
        let generation = current.map(|current| Arc::clone(&current.generation));
        generation.ok_or(Refused::NeedsPurge("there is no file"))
    }

    /// Header and fields as they are on disk, now that nobody else changes them.
    pub(super) fn current_of(
        &self,
        state: &mut State,
        locked: &Locked,
    ) -> Result<Current, Refused> {
        let header = locked.0.header(self.place.index_id);
        let result = header.and_then(|header| {
            state.set_header(header);
            match state.file_seq() == Some(header.file_seq) {
                true => state.refresh(),
                false => state.take(&locked.0, header),
            }
        });
        match result {
            Ok(()) => {}
            Err(Trouble::Fs(error)) => return Err(error.into()),
            Err(Trouble::Damaged(damage)) => self.damaged(state, locked.0.file_seq, damage),
        }
        state
            .current
            .clone()
            .ok_or(Refused::NeedsPurge("it is damaged"))
    }

    /// Where the next record goes.
    fn check_end(
        &self,
        state: &mut State,
        current: &Current,
        index: &Picture<'_>,
        records: &[NewRecord],
    ) -> Result<u64, Refused> {
        let end = current.generation.file.stat()?.size;
        let newest = || (index.links)().iter().map(|link| link.1).max().unwrap_or(0);
        let links = records.iter().filter_map(|record| record.link);
        let lost = links.map(u64::from).any(|link| link >= end);
        if lost || !current.generation.has_tail(end, newest) {
            let damage = Damage("Cache record offset points outside existing file");
            self.damaged(state, current.generation.file_seq, damage);
            return Err(Refused::NeedsPurge("it lost its end"));
        }
        Ok(end)
    }

    fn write(&self, current: &Current, end: u64, batch: &Batch) -> Result<Appended, Refused> {
        let start = end.next_multiple_of(4);
        let file_seq = current.header.file_seq;
        let (bytes, offsets) = batch.place(start);
        if start + bytes.len() as u64 > self.settings.file_limit() {
            return Err(Refused::NeedsPurge("it is too large"));
        }
        if batch.is_empty() {
            return Ok(Appended { file_seq, offsets });
        }
        let file = &current.generation.file;
        let mut written = file.write_all_at(&bytes, start);
        if written.is_ok() && batch.table.is_some() {
            let next_offset = u32::try_from(start).ok().and_then(size::encode);
            let next_offset = next_offset.unwrap_or_default();
            written = file.write_all_at(&next_offset, u64::from(current.table_offset));
        }
        if let Err(error) = written {
            // What fits of a record on a full disk belongs to nobody.
            let _ = file.truncate(end);
            return Err(error.into());
        }
        Ok(Appended { file_seq, offsets })
    }

    /// After the records are written: counts, decisions. Nothing depends on them.
    fn tidy_up(&self, state: &mut State, locked: &Locked, header: Header, batch: &Batch) {
        let written = locked.0.file.write_all_at(&header.encode(), 0);
        self.tolerate_write(written);
        state.set_header(header);
        if batch.table.is_some() {
            state.registry.written();
            if let Err(Trouble::Damaged(damage)) = state.refresh() {
                self.damaged(state, locked.0.file_seq, damage);
            }
        } else if let (true, Some(current)) = (state.registry.pending, state.current.clone()) {
            let written = write_columns(&mut state.registry, &current);
            self.tolerate_write(written);
        }
    }

    fn tolerate_write(&self, result: Result<(), FsError>) {
        if let Err(error) = result {
            tracing::debug!("{error}");
        }
    }
}

impl State {
    pub(super) fn set_header(&mut self, header: Header) {
        if let Some(current) = &mut self.current
            && current.generation.file_seq == header.file_seq
        {
            current.header = header;
        }
    }
}

/// A file whose lock we hold.
#[derive(Debug)]
pub(super) struct Locked(pub Arc<Generation>);

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// Decisions and times, in place.
pub(super) fn write_columns(registry: &mut Registry, current: &Current) -> Result<(), FsError> {
    let shapes = registry.shapes();
    let mut table = registry.table();
    table.entries.truncate(shapes.len());
    let file = &current.generation.file;
    let start = u64::from(current.table_offset);
    file.write_all_at(&table.last_used_column(), start + HEAD_SIZE as u64)?;
    file.write_all_at(&table.policy_column(), start + table.policy_place() as u64)?;
    registry.written();
    Ok(())
}
