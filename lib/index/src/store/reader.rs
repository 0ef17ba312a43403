//! An index as far as it was read.

use std::sync::Arc;

use super::log_file::{FileId, LogFile};
use super::requests::Requests;
use crate::State;
use crate::error::Corruption;
use crate::log::Walk;
use crate::log::record::{Body, RawRecord};
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
        self.replay = Replay::new(header.minor_version);
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

    /// Is there, behind damaged bytes, a whole chain of records up to the end? Where it begins.
    pub(super) fn resume_at(bytes: &[u8]) -> Option<usize> {
        (4..bytes.len())
            .step_by(4)
            .find(|at| is_chain(bytes.get(*at..).unwrap_or_default()))
    }
}

fn is_chain(bytes: &[u8]) -> bool {
    let mut walk = Walk::new(bytes, 0);
    let mut records = 0;
    for record in &mut walk {
        if !is_sound(&record) {
            return false;
        }
        records += 1;
    }
    records > 0 && !walk.is_torn()
}

fn is_sound(record: &RawRecord<'_>) -> bool {
    matches!(record.body(), Ok(body) if !matches!(body, Body::Unknown(..)))
}

pub(super) fn tell(log: &LogFile, wrong: Corruption) {
    let path = log.file.path().to_owned();
    tracing::warn!("{}", wrong.in_file(&path));
}
