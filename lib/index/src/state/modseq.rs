//! Modification sequences. FORMATS.md §1.5.
//!
//! Every record of the log moves the highest modseq by a rule, so all readers count the same. What each
//! message has is kept only if the "modseq" extension exists:
//!
//! ```text
//! header: u64 highest, u32 log_seq, u32 log_offset (up to where a checkpoint has it)
//! record: u64
//! ```

use super::{RecordRef, State};
use crate::bytes::{put, u64_at};
use crate::log::record::{Body, Origin, RawRecord, kind};

pub(crate) const NAME: &str = "modseq";
/// Bits of flags that clients see.
pub(crate) const CLIENT_FLAGS: u8 = 0x1f;
/// From this minor version of the log on, flags of the backend alone do not count.
const INTERNAL_FLAGS: u8 = 3;

/// The highest modseq after a record. Only the kinds that matter are decoded.
#[must_use]
pub fn after(current: u64, record: &RawRecord<'_>, log_minor: u8) -> u64 {
    match record.kind {
        kind::EXPUNGE | kind::EXPUNGE_GUID if record.origin() == Origin::External => {
            current.saturating_add(1)
        }
        kind::APPEND | kind::KEYWORD_UPDATE | kind::KEYWORD_RESET | kind::ATTRIBUTE_UPDATE => {
            current.saturating_add(1)
        }
        kind::FLAG_UPDATE if log_minor < INTERNAL_FLAGS || flags_count(record) => {
            current.saturating_add(1)
        }
        kind::MODSEQ_UPDATE => highest_told(record).max(current),
        kind::EXT_INTRO if current == 0 && introduces(record) => 1,
        _ => current,
    }
}

fn flags_count(record: &RawRecord<'_>) -> bool {
    record.payload.chunks_exact(12).any(|entry| match entry {
        [.., add, remove, modseq_inc, _] => (add | remove) & CLIENT_FLAGS != 0 || *modseq_inc != 0,
        _ => false,
    })
}

fn highest_told(record: &RawRecord<'_>) -> u64 {
    let entries = record.payload.chunks_exact(12);
    entries
        .filter_map(|entry| u64_at(entry, 4))
        .max()
        .unwrap_or(0)
}

fn introduces(record: &RawRecord<'_>) -> bool {
    match record.body() {
        Ok(Body::ExtIntro(intros)) => intros.iter().any(|intro| intro.name == NAME),
        _ => false,
    }
}

impl State {
    pub(crate) fn modseq_of(&self, record: RecordRef<'_>) -> u64 {
        let highest = self.highest_modseq();
        let kept = self.extension(NAME).and_then(|e| e.bytes_of(record));
        match kept.and_then(|bytes| u64_at(bytes, 0)) {
            None | Some(0) => highest,
            Some(modseq) => modseq.min(highest),
        }
    }

    /// A message has changed now.
    pub(crate) fn raise_modseq(&mut self, seq: u32, to: u64) {
        let Some(id) = self.extension_id(NAME) else {
            return;
        };
        let Some(extension) = self.extensions.get(id) else {
            return;
        };
        let bytes = self
            .records
            .get_mut(seq)
            .and_then(|record| extension.of_record_mut(record));
        if let Some(bytes) = bytes
            && let Some(old) = u64_at(bytes, 0)
        {
            let _ = put(bytes, 0, &old.max(to).to_le_bytes());
        }
    }

    /// The extension's header was written: messages without a modseq get the one that it tells.
    pub(crate) fn start_modseqs(&mut self) {
        let Some(start) = self.ext_header(NAME).and_then(|header| u64_at(header, 0)) else {
            return;
        };
        for seq in 1..=self.records.len() {
            let unset = self
                .records
                .get(seq)
                .zip(self.extension(NAME))
                .and_then(|(record, extension)| u64_at(extension.bytes_of(record)?, 0))
                == Some(0);
            if unset {
                self.raise_modseq(seq, start);
            }
        }
    }
}

impl State {
    /// What the next log begins with.
    pub(crate) fn raise_highest(&mut self, to: u64) {
        self.highest_modseq = self.highest_modseq.max(to);
    }

    /// Before the first record of a log is counted again.
    pub(crate) fn restart_highest(&mut self, at: u64) {
        self.highest_modseq = at;
    }
}
