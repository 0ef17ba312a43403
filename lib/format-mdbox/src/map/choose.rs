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
    /// Where its newest message ends, bytes. After a purge there may be others behind it.
    pub end: u64,
}

/// The files of the newest messages, newest first; those that have no room for `bytes` more are left
/// out. `newest_first`: the map's records, backwards; no more of them are looked at than need be.
pub fn candidates(
    newest_first: impl IntoIterator<Item = Place>,
    bytes: u64,
    rotate_size: u64,
) -> impl Iterator<Item = Candidate> {
    let mut seen: Vec<FileId> = Vec::with_capacity(MAX_FILES);
    let mut places = newest_first.into_iter();
    std::iter::from_fn(move || {
        while seen.len() < MAX_FILES {
            let place = places.find(|place| !seen.contains(&place.file))?;
            seen.push(place.file);
            if has_room(place.end(), bytes, rotate_size) {
                return Some(Candidate {
                    file: place.file,
                    end: place.end(),
                });
            }
        }
        None
    })
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
            place(9, 116, 84),
            place(8, 16, 984),
            place(9, 100, 16),
            place(7, 16, 10),
        ];
        let chosen = candidates(records, 100, 1000);
        let ends: Vec<_> = chosen.map(|c| (c.file.0, c.end)).collect();
        assert_eq!(ends, [(9, 200), (7, 26)]);
        assert_eq!(candidates(records, 1000, 1000).next(), None);
    }

    #[test]
    fn ten_files_are_enough() {
        let records = (1..=20).rev().map(|file| place(file, 16, 10));
        let chosen = candidates(records, 1, 1 << 20);
        assert_eq!(chosen.last().unwrap().file, FileId(11));
    }

    #[test]
    fn offsets_stay_within_32_bits() {
        assert!(has_room(0, u64::from(u32::MAX) - 1, u64::MAX));
        assert!(!has_room(1, u64::from(u32::MAX) - 1, u64::MAX));
        assert!(!has_room(u64::MAX, u64::MAX, u64::MAX));
    }
}
