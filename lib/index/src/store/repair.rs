//! Torn and damaged logs, once the lock is held. FORMATS.md §1.9, and better than it where Dovecot would
//! give messages up.

use std::sync::Arc;

use super::reader::{Reader, survivors, tell};
use super::rotate::Older;
use super::{IndexSync, Request};
use crate::Error;
use crate::error::Corruption;
use crate::log::record::{Body, Expunge, Origin, RawRecord};
use crate::state::{State, field};

impl IndexSync<'_> {
    /// An unfinished transaction at the end is cut off. What follows damaged bytes in the middle is kept,
    /// and all is written anew.
    pub(super) fn repair(&mut self) -> Result<(), Error> {
        let Some(mut reader) = self.index().reader().clone() else {
            return Ok(());
        };
        if !reader.wants_repair() {
            return Ok(());
        }
        if reader.torn {
            self.mend_tail(&mut reader)?;
            self.replace(reader.clone());
        }
        if reader.damaged {
            self.write_anew(reader)?;
        }
        Ok(())
    }

    fn mend_tail(&self, reader: &mut Reader) -> Result<(), Error> {
        let end = reader.place().head;
        let bytes = reader.log.read_from(end)?;
        let Some(records) = survivors(&bytes) else {
            let path = self.index().paths.log.display();
            let size = bytes.len();
            tracing::warn!(
                "{path}: {size} bytes of an unfinished transaction cut off at byte {end}"
            );
            self.file.truncate(end)?;
            reader.torn = false;
            return Ok(());
        };
        let what = "damaged records were passed over";
        tell(&reader.log, Corruption { offset: end, what });
        for at in records {
            let bytes = bytes.get(at..).unwrap_or_default();
            let offset = end + at as u64;
            let size = RawRecord::decode(bytes, offset).map_or(0, |record| record.size());
            Arc::make_mut(&mut reader.state).place_mut().head = offset;
            let one = bytes.get(..size).unwrap_or_default();
            if let Some(wrong) = reader.feed(one, offset) {
                tell(&reader.log, wrong);
            }
        }
        let whole = end + bytes.len() as u64;
        Arc::make_mut(&mut reader.state).place_mut().head = whole;
        reader.torn = false;
        reader.damaged = true;
        Ok(())
    }

    /// A new log and a new checkpoint, marked so that the backend looks what is missing. Requests are
    /// made again.
    fn write_anew(&mut self, mut reader: Reader) -> Result<(), Error> {
        let requests = std::mem::take(&mut reader.requests);
        let state = Arc::make_mut(&mut reader.state);
        state.recount();
        state.mark_repaired();
        reader.damaged = false;
        self.replace(reader);
        if !self.rotate(Older::Dropped)? {
            *self.index().reader() = None;
            return Err(Error::Locked {
                path: self.index().paths.new_log.clone(),
            });
        }
        for request in requests.iter() {
            if let Some(record) = body(request).and_then(|body| body.encode(Origin::Internal)) {
                self.write(&record)?;
            }
        }
        Ok(())
    }
}

fn body(request: &Request) -> Option<Body> {
    Some(match request {
        Request::Flags(update) => Body::FlagUpdate(vec![*update]),
        Request::Keyword { change, name, uids } => Body::KeywordUpdate {
            change: *change,
            name: name.clone(),
            uids: uids.clone(),
        },
        Request::KeywordReset(uids) => Body::KeywordReset(uids.clone()),
        Request::Expunge { uids, guid } if uids.first == uids.last => {
            Body::ExpungeGuid(vec![Expunge {
                uid: uids.first,
                guid: *guid,
            }])
        }
        Request::Expunge { uids, .. } => Body::Expunge(vec![*uids]),
        Request::Delete => Body::IndexDeleted,
    })
}

impl State {
    fn mark_repaired(&mut self) {
        let flags = self.header().get(field::FLAGS);
        let marked = flags | crate::state::FSCKD;
        self.header_mut().set(field::FLAGS, marked);
    }
}
