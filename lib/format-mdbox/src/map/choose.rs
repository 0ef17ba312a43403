//! Which mail file the next message goes to. FORMATS.md §2.5, step 1.

use crate::number::FileId;
use crate::record::Place;

/// So many files are looked at.
const MAX_FILES: usize = 10;

/// A mail file that may have room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub file: FileId,
    /// Where its last message ends as far as the map knows, bytes.
    pub end: u64,
}

/// The files of the newest messages, newest first; those that have no room for `bytes` more are left
/// out. `newest_first`: the map's records, backwards.
pub fn candidates(
    newest_first: impl IntoIterator<Item = Place>,
    bytes: u64,
    rotate_size: u64,
) -> Vec<Candidate> {
    let mut seen: Vec<Candidate> = Vec::new();
    for place in newest_first {
        let room_for_more = seen.len() < MAX_FILES;
        match seen.iter_mut().find(|known| known.file == place.file) {
            // After a purge the order of the records is not that of the messages in the file.
            Some(known) => known.end = known.end.max(place.end()),
            None if room_for_more => seen.push(Candidate {
                file: place.file,
                end: place.end(),
            }),
            None => break,
        }
    }
    seen.retain(|candidate| has_room(candidate.end, bytes, rotate_size));
    seen
}

/// May `bytes` more be written to a file of `end` bytes? Offsets in the map have 32 bits.
#[must_use]
pub fn has_room(end: u64, bytes: u64, rotate_size: u64) -> bool {
    end.saturating_add(bytes) < rotate_size.min(u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: u32, offset: u32, size: u32) -> Place {
        Place {
            file: FileId(file),
            offset,
            size,
        }
    }

    #[test]
    fn newest_files_with_room() {
        let records = [
            place(9, 16, 84),
            place(8, 16, 984),
            // Moved by a purge: a higher map UID, a lower offset.
            place(9, 100, 50),
            place(7, 16, 10),
        ];
        let chosen = candidates(records, 100, 1000);
        let ends: Vec<_> = chosen.iter().map(|c| (c.file.0, c.end)).collect();
        assert_eq!(ends, [(9, 150), (7, 26)]);
        assert_eq!(candidates(records, 1000, 1000), []);
    }

    #[test]
    fn ten_files_are_enough() {
        let records = (1..=20).rev().map(|file| place(file, 16, 10));
        let chosen = candidates(records, 1, 1 << 20);
        assert_eq!(chosen.len(), 10);
        assert_eq!(chosen[9].file, FileId(11));
    }

    #[test]
    fn offsets_stay_within_32_bits() {
        assert!(has_room(0, u64::from(u32::MAX) - 1, u64::MAX));
        assert!(!has_room(1, u64::from(u32::MAX) - 1, u64::MAX));
        assert!(!has_room(u64::MAX, u64::MAX, u64::MAX));
    }
}
