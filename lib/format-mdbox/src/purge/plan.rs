//! What a purge makes of one mail file. Pure. FORMATS.md §2.6.

use crate::number::MapUid;
use crate::record::Place;

/// A message of the file as the map knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Which message.
    pub map_uid: MapUid,
    /// Where it is.
    pub place: Place,
    /// How many mailboxes' records refer to it; 0: garbage.
    pub references: u16,
}

/// Bytes of the file that no record of the map accounts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmapped {
    /// Where they begin, bytes.
    pub offset: u64,
    /// How many.
    pub size: u64,
}

/// What becomes of the messages of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// To be copied elsewhere, in the order in which they stand in the file.
    pub keep: Vec<Stored>,
    /// Garbage.
    pub drop: Vec<MapUid>,
    /// Bytes that may be messages which the map does not know: left by a writer that was killed.
    pub unmapped: Vec<Unmapped>,
}

/// The map says something about the file that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// Two messages share bytes.
    #[error("map uid {second} begins inside of map uid {first}")]
    Overlap {
        /// The one that begins first.
        first: MapUid,
        /// The other one.
        second: MapUid,
    },
    /// A message goes beyond the end of the file or begins in its header.
    #[error("map uid {map_uid} is not within the file")]
    Outside {
        /// Which.
        map_uid: MapUid,
    },
}

/// Plans the purge of a file of `size` bytes whose first message may begin at `header`.
///
/// # Errors
/// The map and the file do not belong together: only a rebuild helps.
pub fn plan(mut stored: Vec<Stored>, header: u64, size: u64) -> Result<Plan, Impossible> {
    stored.sort_by_key(|stored| (stored.place.offset, stored.place.size));
    let mut plan = Plan::default();
    let mut at = header;
    let mut before: Option<MapUid> = None;
    for message in stored {
        let map_uid = message.map_uid;
        let offset = u64::from(message.place.offset);
        if offset < at {
            return Err(match before {
                Some(first) => Impossible::Overlap {
                    first,
                    second: map_uid,
                },
                None => Impossible::Outside { map_uid },
            });
        }
        if message.place.end() > size {
            return Err(Impossible::Outside { map_uid });
        }
        plan.skip(at, offset);
        at = message.place.end();
        before = Some(map_uid);
        match message.references {
            0 => plan.drop.push(map_uid),
            _ => plan.keep.push(message),
        }
    }
    plan.skip(at, size);
    Ok(plan)
}

impl Plan {
    fn skip(&mut self, from: u64, to: u64) {
        if from < to {
            self.unmapped.push(Unmapped {
                offset: from,
                size: to - from,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::number::FileId;

    fn stored(map_uid: u32, offset: u32, size: u32, references: u16) -> Stored {
        Stored {
            map_uid: MapUid(map_uid),
            place: Place {
                file: FileId(1),
                offset,
                size,
            },
            references,
        }
    }

    #[test]
    fn a_file_that_tiles() {
        let plan = plan(
            vec![
                stored(3, 116, 50, 0),
                stored(1, 16, 40, 1),
                stored(2, 56, 60, 2),
            ],
            16,
            166,
        );
        let plan = plan.unwrap();
        let kept: Vec<_> = plan.keep.iter().map(|kept| kept.map_uid.0).collect();
        assert_eq!(kept, [1, 2]);
        assert_eq!(plan.drop, [MapUid(3)]);
        assert_eq!(plan.unmapped, []);
    }

    #[test]
    fn what_the_map_does_not_know_is_told() {
        let plan = plan(vec![stored(1, 36, 40, 0)], 16, 100).unwrap();
        assert_eq!(
            plan.unmapped,
            [
                Unmapped {
                    offset: 16,
                    size: 20
                },
                Unmapped {
                    offset: 76,
                    size: 24
                }
            ]
        );
    }

    #[test]
    fn lies_are_refused() {
        let overlap = plan(vec![stored(1, 16, 40, 1), stored(2, 50, 10, 1)], 16, 100);
        assert!(matches!(overlap, Err(Impossible::Overlap { .. })));
        for outside in [stored(1, 15, 10, 1), stored(1, 90, 11, 1)] {
            let refused = plan(vec![outside], 16, 100);
            assert!(matches!(refused, Err(Impossible::Outside { .. })));
        }
        let far = stored(1, u32::MAX, u32::MAX, 1);
        assert!(plan(vec![far], 16, 1 << 34).is_ok());
    }

    proptest! {
        /// Every byte after the header is kept, dropped or told of; none twice.
        #[test]
        fn every_byte_counts(messages in proptest::collection::vec((0_u32..200, 0_u32..100, 0_u16..2), 0..20), size in 16_u64..400) {
            let stored: Vec<Stored> = messages.iter().zip(1..).map(|(&(offset, size, refs), uid)| stored(uid, offset, size, refs)).collect();
            if let Ok(plan) = plan(stored.clone(), 16, size) {
                let of = |uid: &MapUid| stored.iter().find(|s| s.map_uid == *uid).unwrap().place.size;
                let kept: u64 = plan.keep.iter().map(|s| u64::from(s.place.size)).sum();
                let dropped: u64 = plan.drop.iter().map(|uid| u64::from(of(uid))).sum();
                let told: u64 = plan.unmapped.iter().map(|gap| gap.size).sum();
                prop_assert_eq!(16 + kept + dropped + told, size);
                prop_assert_eq!(plan.keep.len() + plan.drop.len(), stored.len());
            }
        }
    }
}
