//! The state of an index: what replaying the log onto the last checkpoint gives. FORMATS.md §1.4.
//!
//! A [`State`] shares its records with those it was cloned from, in chunks: cloning one costs a
//! pointer for each chunk, changing a message in one copies that message's chunk. So a session's view
//! is an `Arc<State>` that stays as it is.

mod checkpoint;
mod diff;
mod extension;
mod fields;
mod header;
mod keywords;
mod layout;
mod lookup;
mod modseq;
mod records;
pub(crate) mod replay;

use std::sync::Arc;

pub use diff::Changes;
pub use extension::{ExtSpec, Extension};
pub(crate) use header::FSCKD;
pub use header::{Header, field};
pub use modseq::after as modseq_after;
pub use records::RecordRef;

use records::Records;

/// Where in the logs a state stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogPlace {
    /// Number of the log.
    pub file_seq: u32,
    /// Everything before it is in the state, bytes.
    pub head: u64,
    /// Requests before it have been done to the mail, bytes.
    pub tail: u64,
}

/// Has the mailbox been deleted?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deletion {
    /// No.
    #[default]
    Not,
    /// Somebody is about to.
    Requested,
    /// Yes: treat it as gone. FORMATS.md §6.7.
    Done,
}

/// See the head of this file.
#[derive(Debug, Clone)]
pub struct State {
    header: Header,
    extensions: Vec<Arc<Extension>>,
    records: Records,
    keywords: Arc<Vec<String>>,
    highest_modseq: u64,
    place: LogPlace,
    deletion: Deletion,
}

impl State {
    /// An index without messages and without an UIDVALIDITY.
    #[must_use]
    pub fn empty(index_id: u32) -> Self {
        Self {
            header: Header::new(index_id),
            extensions: Vec::new(),
            records: Records::new(8),
            keywords: Arc::default(),
            highest_modseq: 0,
            place: LogPlace::default(),
            deletion: Deletion::Not,
        }
    }

    /// The base header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where in the logs it stands.
    #[must_use]
    pub fn place(&self) -> LogPlace {
        self.place
    }

    /// Has the mailbox been deleted?
    #[must_use]
    pub fn deletion(&self) -> Deletion {
        self.deletion
    }

    /// Every keyword that was ever used here; the order is that of the bits.
    #[must_use]
    pub fn keywords(&self) -> &[String] {
        &self.keywords
    }

    /// All extensions; the position is the id in the log.
    #[must_use]
    pub fn extensions(&self) -> &[Arc<Extension>] {
        &self.extensions
    }

    pub(crate) fn place_mut(&mut self) -> &mut LogPlace {
        &mut self.place
    }

    pub(crate) fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}
