//! What clients have asked for in the log and nobody has done to the mail yet. FORMATS.md §1.2.

use crate::State;
use crate::log::record::{Body, FlagUpdate, Origin, RawRecord, Toggle, UidRange, kind};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Flags; the state has them already.
    Flags(FlagUpdate),
    /// A keyword; the state has it already.
    Keyword {
        /// Set or cleared.
        change: Toggle,
        /// Which.
        name: String,
        /// Of these messages.
        uids: Vec<UidRange>,
    },
    /// All keywords are cleared; the state knows already.
    KeywordReset(Vec<UidRange>),
    /// Removal of messages that the state still has.
    Expunge {
        /// Whose.
        uids: UidRange,
        /// Of the message; zeros: not told.
        guid: [u8; 16],
    },
    /// Removal of the mailbox.
    Delete,
}

/// Requests from the tail of the log on, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requests {
    requests: Vec<(u64, Request)>,
}

impl Requests {
    /// None?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().map(|(_, request)| request)
    }

    /// Messages to remove that are still there: UID and GUID (zeros: not told), ascending by UID.
    #[must_use]
    pub fn expunges(&self, state: &State) -> Vec<(u32, [u8; 16])> {
        let mut expunges = Vec::new();
        for request in self.iter() {
            if let Request::Expunge { uids, guid } = request {
                expunges.extend(state.uids_in(*uids).into_iter().map(|uid| (uid, *guid)));
            }
        }
        expunges.sort_unstable();
        expunges.dedup_by_key(|(uid, _)| *uid);
        expunges
    }

    /// UIDs of messages, still there, whose flags or keywords changed: bring the mail in line with the
    /// state. Ascending.
    #[must_use]
    pub fn changed(&self, state: &State) -> Vec<u32> {
        let mut changed = Vec::new();
        for request in self.iter() {
            match request {
                Request::Flags(update) => changed.extend(state.uids_in(update.uids)),
                Request::Keyword { uids, .. } | Request::KeywordReset(uids) => {
                    changed.extend(uids.iter().flat_map(|range| state.uids_in(*range)));
                }
                Request::Expunge { .. } | Request::Delete => {}
            }
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Takes a record in, if it is a request.
    pub(super) fn add(&mut self, record: &RawRecord<'_>) {
        let asks = matches!(
            record.kind,
            kind::FLAG_UPDATE
                | kind::KEYWORD_UPDATE
                | kind::KEYWORD_RESET
                | kind::EXPUNGE
                | kind::EXPUNGE_GUID
                | kind::INDEX_DELETED
        );
        if !asks || record.origin() == Origin::External {
            return;
        }
        // What cannot be read was told when it was replayed.
        let Ok(body) = record.body() else {
            return;
        };
        let mut put = |request| self.requests.push((record.offset, request));
        match body {
            Body::FlagUpdate(updates) => updates.into_iter().map(Request::Flags).for_each(put),
            Body::KeywordUpdate { change, name, uids } => {
                put(Request::Keyword { change, name, uids });
            }
            Body::KeywordReset(uids) => put(Request::KeywordReset(uids)),
            Body::Expunge(ranges) => {
                let guid = [0; 16];
                let requests = ranges.into_iter();
                requests
                    .map(|uids| Request::Expunge { uids, guid })
                    .for_each(put);
            }
            Body::ExpungeGuid(expunges) => {
                for expunge in expunges {
                    let (first, last) = (expunge.uid, expunge.uid);
                    put(Request::Expunge {
                        uids: UidRange { first, last },
                        guid: expunge.guid,
                    });
                }
            }
            Body::IndexDeleted => put(Request::Delete),
            _ => {}
        }
    }

    /// Forgets what lies before the tail.
    pub(super) fn done_to(&mut self, tail: u64) {
        self.requests.retain(|(offset, _)| *offset >= tail);
    }
}
