//! The map as it was at one moment.

use std::sync::Arc;

use index::{RecordRef, State};
use mailbox::Uid;

use crate::number::MapUid;
use crate::purge::plan::Stored;
use crate::record::{self, MapHeader, Place};

/// Extension of files, offsets and sizes.
pub(crate) const MAP: &str = "map";
/// Extension of references.
pub(crate) const REF: &str = "ref";

/// A frozen picture of the map.
#[derive(Debug, Clone)]
pub struct Picture {
    state: Arc<State>,
}

impl Picture {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// Mailboxes that refer to this map say this number. 0: the map is not yet in use.
    #[must_use]
    pub fn uid_validity(&self) -> u32 {
        self.state.header().uid_validity()
    }

    /// Has the map's index been repaired, and has nobody looked what is missing?
    #[must_use]
    pub fn is_repaired(&self) -> bool {
        self.state.header().is_repaired()
    }

    /// The next message gets at least this number.
    #[must_use]
    pub fn next_map_uid(&self) -> u32 {
        self.state.header().next_uid()
    }

    /// What the header says.
    #[must_use]
    pub fn header(&self) -> MapHeader {
        MapHeader::decode(self.state.ext_header(MAP).unwrap_or_default())
    }

    /// One message; `None`: the map does not know it.
    #[must_use]
    pub fn stored(&self, map_uid: MapUid) -> Option<Stored> {
        let record = self.state.record_of(Uid::new(map_uid.0)?)?;
        self.of_record(record)
    }

    /// All messages, ascending.
    pub fn all(&self) -> impl Iterator<Item = Stored> {
        self.state
            .records()
            .filter_map(|record| self.of_record(record))
    }

    /// All records that tell no place: damage.
    pub fn nowhere(&self) -> impl Iterator<Item = MapUid> {
        let nowhere = |record: &RecordRef<'_>| self.of_record(*record).is_none();
        let records = self.state.records().filter(nowhere);
        records.map(|record| MapUid(record.uid()))
    }

    /// Places of messages, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = Place> {
        let extension = self.state.extension(MAP);
        let seqs = (1..=self.state.len()).rev().filter_map(mailbox::Seq::new);
        let records = seqs.filter_map(|seq| self.state.record(seq));
        records.filter_map(move |record| Place::decode(extension?.bytes_of(record)?))
    }

    fn of_record(&self, record: RecordRef<'_>) -> Option<Stored> {
        let place = self.state.extension(MAP)?.bytes_of(record)?;
        let references = self
            .state
            .extension(REF)
            .and_then(|ext| ext.bytes_of(record));
        Some(Stored {
            map_uid: MapUid(record.uid()),
            place: Place::decode(place)?,
            // Without counts nothing is garbage.
            references: references.and_then(record::decode_references).unwrap_or(1),
        })
    }
}
