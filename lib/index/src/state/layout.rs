//! Adding and growing extensions, and where each has its bytes in a record. FORMATS.md §1.1.

use std::sync::Arc;

use super::extension::{LARGEST_HEADER, checked_name, is_layout};
use super::{Extension, State};
use crate::bytes::{align, low16};
use crate::log::record::ExtIntro;

/// More than that are nobody's.
const MOST_EXTENSIONS: usize = 1024;
/// All header data together, bytes.
const MOST_HEADERS: usize = 32 << 20;
/// A record with all extensions, bytes.
const LARGEST_RECORD: usize = 32_000;
/// All records together, bytes.
pub(super) const MOST_RECORDS: usize = 4 << 30;
/// UID and flags.
const FIXED: usize = 5;
/// "Sizes only grow".
const NO_SHRINK: u16 = 1;

impl State {
    /// An extension as an intro names it, made or resized. Tells its position.
    pub(crate) fn introduce(&mut self, intro: &ExtIntro) -> Result<usize, &'static str> {
        if !is_layout(intro.record_size, intro.record_align) || intro.header_size > LARGEST_HEADER {
            return Err("extension intro with impossible sizes");
        }
        let known = match intro.ext_id {
            Some(id) => Some(usize::try_from(id).unwrap_or(usize::MAX)),
            None => self.extension_id(&intro.name),
        };
        match known {
            None => self.add_extension(intro),
            Some(id) if id < self.extensions.len() => {
                self.check_room(Some(id), intro)?;
                self.resize_extension(id, intro);
                Ok(id)
            }
            Some(_) => Err("extension intro for an id that does not exist"),
        }
    }

    fn add_extension(&mut self, intro: &ExtIntro) -> Result<usize, &'static str> {
        let name = checked_name(intro.name.as_bytes()).ok_or("extension intro without a name")?;
        if self.extensions.len() >= MOST_EXTENSIONS {
            return Err("too many extensions");
        }
        self.check_room(None, intro)?;
        self.extensions.push(Arc::new(Extension {
            name,
            reset_id: intro.reset_id,
            header: vec![0; usize::try_from(intro.header_size).unwrap_or(0)],
            record_offset: 0,
            record_size: intro.record_size,
            record_align: intro.record_align,
        }));
        if intro.record_size > 0 {
            let old = self.extensions.clone();
            self.relayout(&old);
        }
        Ok(self.extensions.len() - 1)
    }

    /// Header data and records stay within what memory is there for.
    fn check_room(&self, id: Option<usize>, intro: &ExtIntro) -> Result<(), &'static str> {
        let others = self.extensions.iter().enumerate();
        let others = others.filter(|(other, _)| Some(*other) != id);
        let (mut headers, mut record) = (
            usize::try_from(intro.header_size).unwrap_or(usize::MAX),
            FIXED + usize::from(intro.record_size),
        );
        for (_, extension) in others {
            headers = headers.saturating_add(extension.header.len());
            // With the padding before it.
            record += usize::from(extension.record_size) + 8;
        }
        let messages = usize::try_from(self.records.len()).unwrap_or(usize::MAX);
        if headers > MOST_HEADERS
            || record > LARGEST_RECORD
            || messages.saturating_mul(record) > MOST_RECORDS
        {
            return Err("extensions are too large");
        }
        Ok(())
    }

    fn resize_extension(&mut self, id: usize, intro: &ExtIntro) {
        let old = self.extensions.clone();
        let Some(extension) = self.extensions.get_mut(id) else {
            return;
        };
        // An extension of another generation keeps its sizes until it is reset.
        let header_size = usize::try_from(intro.header_size).unwrap_or(0);
        let may = extension.name != super::keywords::NAME && intro.reset_id == extension.reset_id;
        let shrink = intro.flags & NO_SHRINK == 0 && may;
        let grows = header_size > extension.header.len();
        if grows || (shrink && header_size < extension.header.len()) {
            Arc::make_mut(extension).header.resize(header_size, 0);
        }
        let (size, alignment) = (intro.record_size, intro.record_align);
        let larger = size > extension.record_size;
        if larger || (shrink && size < extension.record_size) {
            let extension = Arc::make_mut(extension);
            extension.record_size = size;
            extension.record_align = match size {
                0 => 0,
                _ => alignment.max(1),
            };
            self.relayout(&old);
        }
    }

    /// Gives each extension its place and moves the records' bytes there. `old` tells where they were.
    pub(crate) fn relayout(&mut self, old: &[Arc<Extension>]) {
        let record_size = self.assign_offsets();
        let moves: Vec<(usize, usize, usize)> = old
            .iter()
            .zip(&self.extensions)
            .filter(|(from, _)| from.record_offset > 0)
            .map(|(from, to)| {
                (
                    usize::from(from.record_offset),
                    usize::from(to.record_offset),
                    usize::from(from.record_size.min(to.record_size)),
                )
            })
            .collect();
        self.records.relayout(record_size, |old, new| {
            copy(old, new, (0, 0, FIXED));
            moves.iter().for_each(|place| copy(old, new, *place));
        });
    }

    fn assign_offsets(&mut self) -> usize {
        let mut waiting: Vec<usize> = (0..self.extensions.len())
            .filter(|id| self.extension_at(*id).is_some_and(|e| e.record_size > 0))
            .collect();
        let alignment = |state: &Self, id: usize| {
            state
                .extension_at(id)
                .map_or(1, |e| usize::from(e.record_align.max(1)))
        };
        waiting.sort_by_key(|id| std::cmp::Reverse(alignment(self, *id)));
        let widest = waiting.first().map_or(1, |id| alignment(self, *id));
        let mut offset = FIXED;
        while let Some(last) = waiting.last() {
            let fits = waiting
                .iter()
                .position(|id| offset.is_multiple_of(alignment(self, *id)));
            let Some(at) = fits else {
                offset = align(offset, alignment(self, *last));
                continue;
            };
            let id = waiting.remove(at);
            if let Some(extension) = self.extensions.get_mut(id) {
                let extension = Arc::make_mut(extension);
                extension.record_offset = low16(offset);
                offset += usize::from(extension.record_size);
            }
        }
        align(offset, widest.max(4))
    }

    fn extension_at(&self, id: usize) -> Option<&Extension> {
        self.extensions.get(id).map(Arc::as_ref)
    }
}

fn copy(old: &[u8], new: &mut [u8], (from, to, size): (usize, usize, usize)) {
    if let (Some(from), Some(to)) = (old.get(from..from + size), new.get_mut(to..to + size)) {
        to.copy_from_slice(from);
    }
}
