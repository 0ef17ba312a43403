//! Reading an index from nothing: checkpoint, then logs. FORMATS.md §1.4, §1.9.

use std::path::Path;

use sys::fs::Fs;

use super::Index;
use super::log_file::{FileId, LogFile};
use super::reader::{Checkpoint, Reader, tell};
use crate::log::Walk;
use crate::state::LogPlace;
use crate::{Error, State, clock};

/// Files may be replaced between two calls; more often than this they are not.
const ATTEMPTS: u32 = 10;
/// A larger checkpoint is none, bytes.
const LARGEST: u64 = 4 << 30;

/// A checkpoint that could be read.
struct Base {
    state: State,
    file: Checkpoint,
    /// It is the previous one: the last was damaged.
    old: bool,
}

impl Base {
    /// A backup may be of a mailbox that was here before.
    fn is_of(&self, log: &LogFile) -> bool {
        !self.old || self.state.header().index_id() == log.header.index_id
    }
}

impl Index {
    pub(super) fn load(&self) -> Result<Reader, Error> {
        for attempt in 1..=ATTEMPTS {
            let Some(log) = LogFile::open(&self.fs, &self.paths.log)? else {
                self.restore_log()?;
                continue;
            };
            let base = self.base()?;
            let ahead = base
                .as_ref()
                .is_some_and(|base| base.file.place.file_seq > log.header.file_seq);
            // The log was rotated between the two.
            if ahead && attempt < ATTEMPTS && log.damage.is_none() {
                continue;
            }
            let reader = self.load_from(log, base)?;
            // What looks like damage may be a rotation that was half way.
            if !reader.wants_repair() || attempt == ATTEMPTS || self.is_in_place(&reader)? {
                return Ok(reader);
            }
        }
        Err(Error::NotFound {
            path: self.paths.log.clone(),
        })
    }

    fn is_in_place(&self, reader: &Reader) -> Result<bool, Error> {
        let there = self.fs.stat_opt(&self.paths.log)?;
        Ok(there.is_some_and(|stat| FileId::from(&stat) == reader.log.id))
    }

    fn base(&self) -> Result<Option<Base>, Error> {
        match read_checkpoint(&self.fs, &self.paths.index)? {
            None => Ok(None),
            Some(Ok(base)) => Ok(Some(base)),
            Some(Err(damage)) => {
                tracing::warn!("{damage}");
                self.older_base()
            }
        }
    }

    fn older_base(&self) -> Result<Option<Base>, Error> {
        let base = read_checkpoint(&self.fs, &self.paths.backup)?;
        Ok(base
            .and_then(Result::ok)
            .map(|base| Base { old: true, ..base }))
    }

    fn load_from(&self, log: LogFile, base: Option<Base>) -> Result<Reader, Error> {
        if let Some(damage) = log.damage {
            tell(&log, damage);
        }
        let damaged = log.damage.is_some() || base.as_ref().is_some_and(|base| base.old);
        let base = base.filter(|base| base.is_of(&log));
        let mut reader = self.replay_all(log, base)?;
        reader.damaged |= damaged;
        Ok(reader)
    }

    fn replay_all(&self, log: LogFile, base: Option<Base>) -> Result<Reader, Error> {
        let header = log.header;
        let Some(base) = base else {
            return match header.prev_file_seq {
                0 => begin(log),
                _ => self.replay_older(log, None),
            };
        };
        let same_index = base.state.header().index_id() == header.index_id;
        if !same_index && log.damage.is_none() {
            return match header.prev_file_seq {
                0 => begin(log),
                _ if continues(&base, &log)? => {
                    let mut reader = resume(log, base)?;
                    reader.damaged = true;
                    Ok(reader)
                }
                _ => Self::ignore_log(log, base),
            };
        }
        let seq = base.file.place.file_seq;
        if seq == header.file_seq {
            return resume(log, base);
        }
        if header.prev_file_seq == 0 && log.damage.is_none() {
            return begin(log);
        }
        match seq > header.file_seq && log.damage.is_none() {
            true => Self::ignore_log(log, base),
            false => self.replay_older(log, Some(base)),
        }
    }

    /// The checkpoint stands in an older log, or there is none.
    fn replay_older(&self, log: LogFile, base: Option<Base>) -> Result<Reader, Error> {
        let older = LogFile::open(&self.fs, &self.paths.log2)?
            .filter(|older| older.damage.is_none())
            .filter(|older| older.header.index_id == log.header.index_id)
            .filter(|older| older.header.file_seq < log.header.file_seq);
        let mut reader = match (older, base) {
            (Some(older), Some(base)) if base.file.place.file_seq == older.header.file_seq => {
                resume(older, base)?
            }
            (Some(older), None) if older.header.prev_file_seq == 0 => begin(older)?,
            (Some(older), base) if !base.as_ref().is_some_and(|base| connects(base, &log)) => {
                self.after_gap(older, base)?
            }
            (_, Some(base)) if connects(&base, &log) => {
                let mut reader = Reader::at_start(log, base.state);
                reader.checkpoint = base.file;
                replay_rest(&mut reader)?;
                return Ok(reader);
            }
            (_, base) => return self.after_gap(log, base),
        };
        reader.switch_to(log);
        replay_rest(&mut reader)?;
        Ok(reader)
    }

    /// Logs are missing between the checkpoint and this one: what is left counts. Increments do not, as
    /// nobody knows onto what.
    fn after_gap(&self, log: LogFile, base: Option<Base>) -> Result<Reader, Error> {
        let path = self.paths.log.clone();
        let seq = log.header.file_seq;
        tracing::warn!("{}: logs before number {seq} are missing", path.display());
        let base = match base {
            Some(base) => Some(base),
            None => self.older_base()?.filter(|base| base.is_of(&log)),
        };
        let (state, file) = match base {
            Some(base) => (base.state, base.file),
            None => (State::empty(new_id(&log)), Checkpoint::default()),
        };
        let mut reader = Reader::at_start(log, state);
        reader.checkpoint = file;
        reader.replay.forget_increments();
        replay_rest(&mut reader)?;
        reader.damaged = true;
        Ok(reader)
    }

    /// The log belongs to another index, or to an older age of this one: the checkpoint alone counts.
    fn ignore_log(log: LogFile, base: Base) -> Result<Reader, Error> {
        let path = log.file.path().to_owned();
        tracing::warn!("{}: does not belong to its dovecot.index", path.display());
        let highest = base.state.highest_modseq();
        let mut reader = Reader::at_start(log, base.state);
        reader.checkpoint = base.file;
        let bytes = reader.log.read_from(reader.log.start())?;
        let _ = reader.feed(&bytes, u64::MAX);
        reader.set_highest(highest);
        reader.requests = super::Requests::default();
        reader.damaged = true;
        Ok(reader)
    }
}

/// Does the checkpoint end where the log begins?
fn connects(base: &Base, log: &LogFile) -> bool {
    let place = base.file.place;
    place.file_seq == log.header.prev_file_seq
        && place.head == u64::from(log.header.prev_file_offset)
}

/// By its number and by where its records begin, is it the checkpoint's log after all?
fn continues(base: &Base, log: &LogFile) -> Result<bool, Error> {
    let place = base.file.place;
    if place.file_seq != log.header.file_seq {
        return Ok(false);
    }
    let bytes = log.read_from(log.start())?;
    let mut walk = Walk::new(&bytes, log.start());
    Ok(walk.any(|record| record.end() == place.head))
}

/// The whole log, from an empty state.
fn begin(log: LogFile) -> Result<Reader, Error> {
    let state = State::empty(new_id(&log));
    let mut reader = Reader::at_start(log, state);
    replay_rest(&mut reader)?;
    Ok(reader)
}

/// The log from where the checkpoint stands in it; what is before counts for modseqs and requests.
fn resume(log: LogFile, base: Base) -> Result<Reader, Error> {
    let LogPlace { head, tail, .. } = base.file.place;
    let told = base.state.highest_modseq();
    let initial = log.header.initial_modseq;
    let mut reader = Reader::at_start(log, base.state);
    reader.checkpoint = base.file;
    reader.set_highest(initial);
    reader.set_tail(tail);
    let bytes = reader.log.read_from(reader.log.start())?;
    if let Some(wrong) = reader.feed(&bytes, head) {
        tell(&reader.log, wrong);
        reader.damaged = true;
    }
    let end = reader.place().head;
    reader.read_at_open = end.saturating_sub(head);
    if end < head {
        tracing::warn!(
            "{}: ends at byte {end}, but dovecot.index knows {head} bytes of it",
            reader.log.file.path().display()
        );
        reader.damaged = true;
    }
    reader.raise_highest(told);
    Ok(reader)
}

/// The rest of the reader's log.
pub(super) fn replay_rest(reader: &mut Reader) -> Result<(), Error> {
    let from = reader.place().head;
    let bytes = reader.log.read_from(from)?;
    if let Some(wrong) = reader.feed(&bytes, from) {
        tell(&reader.log, wrong);
        reader.damaged = true;
    }
    reader.read_at_open += bytes.len() as u64;
    Ok(())
}

/// The log's index id; Dovecot marks a log as corrupted by taking it away.
fn new_id(log: &LogFile) -> u32 {
    match log.header.index_id {
        0 => clock::now(),
        id => id,
    }
}

fn read_checkpoint(fs: &Fs, path: &Path) -> Result<Option<Result<Base, Error>>, Error> {
    let Some(mut file) = sys::fs::found(fs.open_read(path))? else {
        return Ok(None);
    };
    let id = FileId::from(&file.stat()?);
    let bytes = file.read_all(LARGEST)?;
    let base = State::decode(&bytes).map(|mut state| {
        // Counters are not what anybody would miss, so they are not what is believed.
        state.check_counters();
        Base {
            file: Checkpoint {
                id: Some(id),
                place: state.place(),
            },
            state,
            old: false,
        }
    });
    Ok(Some(base.map_err(|wrong| wrong.in_file(path))))
}
