//! Which messages went since a modseq: VANISHED (RFC 7162 §3.2.7), as far back as the logs reach.

use mailbox::{Uid, UidSet};

use super::Index;
use super::log_file::LogFile;
use crate::Error;
use crate::log::Walk;
use crate::log::record::{Body, Origin};
use crate::state::modseq_after;

impl Index {
    /// UIDs that were expunged after `modseq`; `None`: the logs do not reach back that far.
    ///
    /// # Errors
    /// Failed calls.
    pub fn expunged_since(&self, modseq: u64) -> Result<Option<UidSet>, Error> {
        let mut uids = Vec::new();
        let Some(log) = LogFile::open(&self.fs, &self.paths.log)? else {
            return Ok(None);
        };
        let older = LogFile::open(&self.fs, &self.paths.log2)?
            .filter(|older| older.header.index_id == log.header.index_id)
            .filter(|older| older.header.file_seq == log.header.prev_file_seq);
        let first = older.as_ref().unwrap_or(&log).header;
        if first.prev_file_seq != 0 && first.initial_modseq > modseq {
            return Ok(None);
        }
        for log in older.iter().chain([&log]) {
            collect(log, modseq, &mut uids)?;
        }
        Ok(Some(UidSet::from_ranges(uids)))
    }

    /// UIDs that were expunged, as far as the logs there are tell.
    ///
    /// # Errors
    /// Failed calls.
    pub fn expunged_in_logs(&self) -> Result<UidSet, Error> {
        let mut uids = Vec::new();
        for path in [&self.paths.log2, &self.paths.log] {
            if let Some(log) = LogFile::open(&self.fs, path)? {
                collect(&log, 0, &mut uids)?;
            }
        }
        Ok(UidSet::from_ranges(uids))
    }
}

fn collect(log: &LogFile, modseq: u64, uids: &mut Vec<(Uid, Uid)>) -> Result<(), Error> {
    let start = log.start();
    let bytes = log.read_from(start)?;
    let mut current = log.header.initial_modseq;
    for record in Walk::new(&bytes, start) {
        current = modseq_after(current, &record, log.header.minor_version);
        if current <= modseq || record.origin() == Origin::Internal {
            continue;
        }
        let mut put = |first: u32, last: u32| uids.extend(Uid::new(first).zip(Uid::new(last)));
        match record.body() {
            Ok(Body::Expunge(ranges)) => ranges.iter().for_each(|r| put(r.first, r.last)),
            Ok(Body::ExpungeGuid(list)) => list.iter().for_each(|e| put(e.uid, e.uid)),
            _ => {}
        }
    }
    Ok(())
}
