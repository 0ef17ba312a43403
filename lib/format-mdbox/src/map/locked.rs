//! Changes of the map, under the lock of its log.
//!
//! Each method is one transaction, durable when it returns. Everything that the map is told comes in an
//! order in which a kill leaves counts too high, never too low: a message is counted before a mailbox
//! refers to it, and no longer counted after no mailbox does.

use std::collections::BTreeMap;

use index::state::field;
use index::{IndexSync, Transaction};
use mailbox::Error;

use super::picture::Picture;
use super::{MAP_SPEC, REF_SPEC, REPAIRED};
use crate::number::{FileId, MapUid};
use crate::purge::plan::Stored;
use crate::record::{MAX_REFERENCES, MapHeader, Place};

/// Why a change of the map failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The map is as it was.
    #[error(transparent)]
    Nothing(Error),
    /// It may be changed: what it would refer to must stay.
    #[error(transparent)]
    Maybe(Error),
}

impl Failed {
    pub fn into_error(self) -> Error {
        match self {
            Self::Nothing(error) | Self::Maybe(error) => error,
        }
    }
}

impl From<index::Error> for Failed {
    fn from(error: index::Error) -> Self {
        match error {
            index::Error::NotDurable(_) => Self::Maybe(error.into()),
            _ => Self::Nothing(error.into()),
        }
    }
}

/// The map, locked.
#[derive(Debug)]
pub struct LockedMap<'m> {
    sync: IndexSync<'m>,
}

impl<'m> LockedMap<'m> {
    pub(crate) fn new(sync: IndexSync<'m>) -> Self {
        Self { sync }
    }

    /// The map as it is.
    #[must_use]
    pub fn picture(&self) -> Picture {
        Picture::new(self.sync.state().clone())
    }

    /// Has a writer been killed between its change of the map and the end of what it was part of?
    pub(crate) fn is_unfinished(&self) -> bool {
        let place = self.sync.state().place();
        place.tail < place.head
    }

    /// Takes `count` numbers of files that nobody has or will have; returns the first.
    pub(crate) fn reserve_files(&mut self, count: u32) -> Result<FileId, Failed> {
        let highest = self.picture().header().highest_file;
        let last = highest.checked_add(count);
        let last = last.ok_or(Failed::Nothing(Error::Limit {
            what: "No more mail files",
        }))?;
        self.raise_files(last)?;
        Ok(FileId(highest + 1))
    }

    /// No number up to this one is given out again.
    pub(crate) fn raise_files(&mut self, highest: u32) -> Result<(), Failed> {
        let mut transaction = Transaction::internal();
        set_highest(&mut transaction, highest);
        self.commit(transaction)
    }

    /// New messages with one reference each; returns their numbers, in this order.
    pub(crate) fn append(&mut self, places: &[Place]) -> Result<Vec<MapUid>, Failed> {
        let first = self.picture().next_map_uid();
        let uids = (first..).zip(places);
        let stored: Vec<Stored> = uids
            .map(|(uid, &place)| Stored {
                map_uid: MapUid(uid),
                place,
                references: 1,
            })
            .collect();
        self.append_as(&stored)?;
        Ok(stored.iter().map(|stored| stored.map_uid).collect())
    }

    /// New messages with numbers, which ascend from the next one on, and references.
    pub(crate) fn append_as(&mut self, stored: &[Stored]) -> Result<(), Failed> {
        if stored.is_empty() {
            return Ok(());
        }
        let mut transaction = Transaction::internal();
        for stored in stored {
            let uid = stored.map_uid.0;
            transaction.append(uid, 0);
            let map = transaction.extension(&MAP_SPEC);
            map.set_record(uid, &stored.place.encode());
            let references = transaction.extension(&REF_SPEC);
            references.set_record(uid, &stored.references.to_le_bytes());
        }
        self.commit(transaction)
    }

    /// Adds to counts and takes from them; never below 0.
    pub(crate) fn count(&mut self, changes: &BTreeMap<MapUid, i32>) -> Result<(), Failed> {
        let picture = self.picture();
        let mut transaction = Transaction::internal();
        for (&map_uid, &by) in changes {
            let Some(stored) = picture.stored(map_uid) else {
                continue;
            };
            let before = i32::from(stored.references);
            let by = by.clamp(-before, i32::from(u16::MAX) - before);
            if by != 0 {
                transaction.extension(&REF_SPEC).increment(map_uid.0, by);
            }
        }
        self.commit(transaction)
    }

    /// Sets counts to what was found by counting.
    pub(crate) fn set_counts(&mut self, counts: &BTreeMap<MapUid, u16>) -> Result<(), Failed> {
        let mut transaction = Transaction::internal();
        for (map_uid, count) in counts {
            let references = transaction.extension(&REF_SPEC);
            references.set_record(map_uid.0, &count.min(&MAX_REFERENCES).to_le_bytes());
        }
        self.commit(transaction)
    }

    /// What a purge has done: messages are elsewhere, others are gone.
    pub(crate) fn relocate(
        &mut self,
        moved: &[(MapUid, Place)],
        gone: &[MapUid],
    ) -> Result<(), Failed> {
        let mut transaction = Transaction::external();
        for (map_uid, place) in moved {
            let map = transaction.extension(&MAP_SPEC);
            map.set_record(map_uid.0, &place.encode());
        }
        for map_uid in gone {
            transaction.expunge(map_uid.0, [0; 16]);
        }
        self.commit(transaction)
    }

    /// Counts a rebuild.
    pub(crate) fn count_rebuild(&mut self) -> Result<(), Failed> {
        let header = self.picture().header();
        let header = MapHeader {
            rebuild_count: header.rebuild_count.wrapping_add(1),
            ..header
        };
        let mut transaction = Transaction::internal();
        let map = transaction.extension(&MAP_SPEC);
        map.set_header(0, &header.encode());
        self.commit(transaction)
    }

    /// What a repair of the index lost has been looked for.
    pub(crate) fn clear_repaired(&mut self) -> Result<(), Failed> {
        let flags = self.sync.state().header().get(field::FLAGS);
        let mut transaction = Transaction::external();
        transaction.set_header(field::FLAGS, flags & !REPAIRED);
        self.commit(transaction)
    }

    /// Gives the lock back. The map's log may be rotated on this occasion.
    pub(crate) fn finish(self) -> Result<(), Error> {
        self.sync.finish()?;
        Ok(())
    }

    fn commit(&mut self, mut transaction: Transaction) -> Result<(), Failed> {
        if transaction.is_empty() {
            return Ok(());
        }
        transaction.make_durable();
        self.sync.commit(&transaction)?;
        Ok(())
    }
}

fn set_highest(transaction: &mut Transaction, highest: u32) {
    let map = transaction.extension(&MAP_SPEC);
    map.set_header(0, &highest.to_le_bytes());
}
