//! Noticing what others wrote. FORMATS.md §1.8.

use std::sync::Arc;

use super::Index;
use super::load::replay_rest;
use super::log_file::{FileId, LogFile};
use super::reader::{Reader, tell};
use crate::state::Deletion;
use crate::{Error, State};

/// Does what was read before still connect with what is on disk?
#[derive(PartialEq, Eq)]
enum Thread {
    Kept,
    Lost,
}

impl Index {
    /// Brings the reader up to date, or reads all anew.
    pub(super) fn refresh_slot(&self, slot: &mut Option<Reader>) -> Result<Arc<State>, Error> {
        let kept = match slot {
            Some(reader) => self.follow(reader)? == Thread::Kept,
            None => false,
        };
        let reader = match slot.take().filter(|_| kept) {
            Some(reader) => reader,
            None => self.load()?,
        };
        let reader = slot.insert(reader);
        if reader.state.deletion() == Deletion::Done {
            return Err(self.deleted());
        }
        Ok(Arc::clone(&reader.state))
    }

    fn deleted(&self) -> Error {
        Error::Deleted {
            path: self.paths.log.clone(),
        }
    }

    fn follow(&self, reader: &mut Reader) -> Result<Thread, Error> {
        let Some(now) = self.fs.stat_opt(&self.paths.log)? else {
            return Err(self.deleted());
        };
        if FileId::from(&now) == reader.log.id {
            return grow(reader, now.size);
        }
        // Rotated: the old one to its end, then the new one.
        let size = reader.log.size()?;
        if grow(reader, size)? == Thread::Lost || reader.torn {
            return Ok(Thread::Lost);
        }
        let Some(log) = LogFile::open(&self.fs, &self.paths.log)? else {
            return Err(self.deleted());
        };
        let place = reader.place();
        let header = &log.header;
        if log.damage.is_some()
            || header.index_id != reader.log.header.index_id
            || header.prev_file_seq != place.file_seq
            || u64::from(header.prev_file_offset) != place.head
        {
            return Ok(Thread::Lost);
        }
        let before = reader.clone();
        reader.switch_to(log);
        if let Err(error) = replay_rest(reader) {
            *reader = before;
            return Err(error);
        }
        Ok(Thread::Kept)
    }
}

fn grow(reader: &mut Reader, size: u64) -> Result<Thread, Error> {
    let head = reader.place().head;
    if size < head {
        return Ok(Thread::Lost);
    }
    if size > head {
        let bytes = reader.log.read_from(head)?;
        if let Some(wrong) = reader.feed(&bytes, head) {
            tell(&reader.log, wrong);
            reader.damaged = true;
        }
    } else {
        reader.torn = false;
    }
    Ok(Thread::Kept)
}
