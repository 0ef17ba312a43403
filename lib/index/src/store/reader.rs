//! An index as far as it was read.

use std::sync::Arc;

use super::log_file::{FileId, LogFile};
use super::requests::Requests;
use crate::State;
use crate::bytes::u32_at;
use crate::error::Corruption;
use crate::log::Walk;
use crate::log::record::{Body, RawRecord, kind};
use crate::state::LogPlace;
use crate::state::replay::Replay;

/// What the file `dovecot.index` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Checkpoint {
    /// Which file; `None`: there is none.
    pub id: Option<FileId>,
    /// Where in the logs it stands.
    pub place: LogPlace,
}

#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub log: LogFile,
    pub state: Arc<State>,
    pub replay: Replay,
    pub requests: Requests,
    pub checkpoint: Checkpoint,
    /// Bytes of logs that had to be read when the index was opened.
    pub read_at_open: u64,
    /// Bytes beyond the last complete transaction.
    pub torn: bool,
    /// Something was lost or passed over: write all anew.
    pub damaged: bool,
}

impl Reader {
    /// At the start of a log.
    pub(super) fn at_start(log: LogFile, state: State) -> Self {
        let mut reader = Self {
            replay: Replay::new(log.header.minor_version),
            log,
            state: Arc::new(state),
            requests: Requests::default(),
            checkpoint: Checkpoint::default(),
            read_at_open: 0,
            torn: false,
            damaged: false,
        };
        reader.enter();
        reader
    }

    /// Goes on with the first record of `self.log`.
    pub(super) fn enter(&mut self) {
        let header = &self.log.header;
        let start = self.log.start();
        self.replay = self.replay.next_log(header.minor_version);
        self.requests = Requests::default();
        let state = Arc::make_mut(&mut self.state);
        state.raise_highest(header.initial_modseq);
        *state.place_mut() = LogPlace {
            file_seq: header.file_seq,
            head: start,
            tail: start,
        };
    }

    pub(super) fn place(&self) -> LogPlace {
        self.state.place()
    }

    pub(super) fn wants_repair(&self) -> bool {
        self.torn || self.damaged
    }

    /// Goes on with the log after this one.
    pub(super) fn switch_to(&mut self, log: LogFile) {
        let place = self.place();
        let header = &log.header;
        if header.prev_file_seq != place.file_seq
            || u64::from(header.prev_file_offset) != place.head
        {
            let path = log.file.path().display();
            let end = place.head;
            tracing::warn!("{path}: the log before it ends at byte {end}");
            self.damaged = true;
        }
        self.log = log;
        self.enter();
    }

    pub(super) fn set_highest(&mut self, modseq: u64) {
        Arc::make_mut(&mut self.state).restart_highest(modseq);
    }

    pub(super) fn raise_highest(&mut self, modseq: u64) {
        Arc::make_mut(&mut self.state).raise_highest(modseq);
    }

    pub(super) fn set_tail(&mut self, tail: u64) {
        Arc::make_mut(&mut self.state).place_mut().tail = tail;
    }

    /// Replays bytes of the log that lie where the state stands. Records before `from` count only for
    /// modseqs and requests: the checkpoint has them. Tells the first that could not be applied.
    pub(super) fn feed(&mut self, bytes: &[u8], from: u64) -> Option<Corruption> {
        let start = self.place().head;
        let mut walk = Walk::new(bytes, start);
        let state = Arc::make_mut(&mut self.state);
        let mut wrong = None;
        for record in &mut walk {
            self.requests.add(&record);
            if record.offset < from {
                self.replay.count(state, &record);
            } else if let Err(first) = self.replay.apply(state, &record) {
                wrong = wrong.or(Some(first));
            }
        }
        let end = walk.offset();
        self.torn = walk.is_torn();
        let place = state.place_mut();
        place.head = end;
        place.tail = place.tail.min(end);
        self.requests.done_to(place.tail);
        wrong
    }
}

/// Bytes of a BOUNDARY record.
const BOUNDARY_SIZE: usize = 12;

/// Offsets of the records that can still be read in bytes where a transaction breaks off, if more follow
/// behind the damage. An unfinished transaction at the end is no damage: none of it counts, even if it
/// ends between two records.
pub(super) fn survivors(bytes: &[u8]) -> Option<Vec<usize>> {
    let first = RawRecord::decode(bytes, 0).filter(|record| record.kind == kind::BOUNDARY);
    let size = first.and_then(|first| u32_at(first.payload, 0));
    if let Some(size) = size.and_then(|size| usize::try_from(size).ok())
        && size > bytes.len()
    {
        let mut rest = Walk::new(bytes.get(BOUNDARY_SIZE..)?, 0);
        rest.find(|record| record.kind == kind::BOUNDARY)?;
    }
    let mut seen = vec![false; bytes.len() / 4 + 1];
    let (mut found, broken) = sound_run(bytes, 0, &mut seen);
    if broken == bytes.len() {
        return Some(found);
    }
    let behind = (broken + 4..bytes.len()).step_by(4).find_map(|at| {
        let (run, end) = sound_run(bytes, at, &mut seen);
        (end == bytes.len()).then_some(run)
    })?;
    found.extend(behind);
    Some(found)
}

/// Records one after the other that make sense, and where they end. Boundaries are passed over. A run that
/// gets where another has been ends there, as that one got nowhere: each place is looked at once.
fn sound_run(bytes: &[u8], mut at: usize, seen: &mut [bool]) -> (Vec<usize>, usize) {
    let mut found = Vec::new();
    while let Some(record) = RawRecord::decode(bytes.get(at..).unwrap_or_default(), 0) {
        let been = seen.get_mut(at / 4);
        let again = been.is_none_or(|been| std::mem::replace(been, true));
        if again || !is_sound(&record) {
            break;
        }
        if record.kind != kind::BOUNDARY {
            found.push(at);
        }
        at += record.size();
    }
    (found, at)
}

fn is_sound(record: &RawRecord<'_>) -> bool {
    matches!(record.body(), Ok(body) if !matches!(body, Body::Unknown(..)))
}

pub(super) fn tell(log: &LogFile, wrong: Corruption) {
    let path = log.file.path().to_owned();
    tracing::warn!("{}", wrong.in_file(&path));
}
