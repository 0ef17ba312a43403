//! Counting references anew, from the mailboxes.
//!
//! Under the map's lock nobody adds or removes a reference, so what is counted is exact. Counts are only
//! raised: a mailbox whose index was lost must not cost messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mailbox::Error;

use crate::mailbox_ext::MDBOX;
use crate::map::LockedMap;
use crate::map::locked::Failed;
use crate::number::MapUid;
use crate::record::{BoxRecord, MAX_REFERENCES};
use crate::storage::Storage;

/// Message is in ALT storage, or is to be. FORMATS.md §2.7.
pub(crate) const ALT: u8 = 0x40;

/// Who refers to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    /// Records of mailboxes.
    pub all: u32,
    /// Of them with the flag of ALT storage.
    pub alt: u32,
}

/// References of every message that has some.
pub(crate) type Counts = HashMap<MapUid, Count>;

impl Storage {
    /// Counts, and raises what the map has too low.
    pub(crate) fn recount(self: &Arc<Self>, map: &mut LockedMap<'_>) -> Result<Counts, Error> {
        let picture = map.picture();
        let uid_validity = picture.uid_validity();
        let mut counts = Counts::new();
        for open in self.boxes()? {
            let ours = open
                .header()
                .is_some_and(|header| header.map_uid_validity == uid_validity);
            let Some(extension) = open.state.extension(MDBOX).filter(|_| ours) else {
                continue;
            };
            for record in open.state.records() {
                let reference = extension.bytes_of(record).and_then(BoxRecord::decode);
                if let Some(reference) = reference {
                    let count = counts.entry(reference.map_uid).or_default();
                    count.all += 1;
                    count.alt += u32::from(record.flags() & ALT != 0);
                }
            }
        }
        let mut raised = BTreeMap::new();
        for stored in picture.all() {
            let count = counts.get(&stored.map_uid).map_or(0, |count| count.all);
            let count = u16::try_from(count)
                .unwrap_or(MAX_REFERENCES)
                .min(MAX_REFERENCES);
            if count > stored.references {
                raised.insert(stored.map_uid, count);
            }
        }
        if !raised.is_empty() {
            let map_dir = self.dirs.map.display();
            tracing::warn!(
                "{map_dir}: {} messages had too few references",
                raised.len()
            );
            map.set_counts(&raised).map_err(Failed::into_error)?;
        }
        Ok(counts)
    }
}
