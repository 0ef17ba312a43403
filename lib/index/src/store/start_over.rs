//! An index anew, after damage that replaying cannot mend: messages come back with lower UIDs than the
//! next one. FORMATS.md §2.8.

use std::sync::Arc;

use super::IndexSync;
use super::rotate::{Older, Stale, next_header};
use crate::log::LogHeader;
use crate::transaction::Transaction;
use crate::{Error, State, clock};

impl IndexSync<'_> {
    /// Replaces all that the index says by `transaction`, in a log without an older one. Highest modseq
    /// and number of the log go on; so does the index id, but the cache must be begun anew.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Locked`] and failed calls: the old index is still there, or the new
    /// one is there as a whole.
    pub fn start_over(&mut self, transaction: &Transaction) -> Result<Arc<State>, Error> {
        let index = self.index();
        let empty = State::empty(self.state().header().index_id());
        let records = transaction
            .encode(&empty, clock::midnight(clock::now()))
            .map_err(|what| self.refused(what))?;
        let Some(reader) = index.reader().clone() else {
            return Err(self.refused("the index must be read anew"));
        };
        let header = LogHeader {
            prev_file_seq: 0,
            prev_file_offset: 0,
            ..next_header(&reader)
        };
        let mut log = header.encode().to_vec();
        log.extend(records);
        let Some(file) = index.prepare_log(&log, Stale::LOCKED)? else {
            return Err(Error::Locked {
                path: index.paths.new_log.clone(),
            });
        };
        if let Err(error) = index.put_log(Older::Kept) {
            let _ = index.fs.unlink_if_exists(&index.paths.new_log);
            return Err(error.into());
        }
        *index.reader() = None;
        self.take_file(file);
        let index = self.index();
        let durability = index.options.durability;
        durability.sync_dir(&index.fs, &index.paths.dir)?;
        let reader = index.load()?;
        self.replace(reader.clone());
        // A checkpoint of the old log does not count any more; a new one saves reading.
        match self.index().write_checkpoint(reader) {
            Ok(reader) => self.replace(reader),
            Err(error) => tracing::warn!("{error}"),
        }
        Ok(Arc::clone(self.state()))
    }
}
