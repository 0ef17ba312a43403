//! What a transaction changes in one extension.

use std::collections::BTreeMap;

use crate::log::record::{ExtIntro, Patch};
use crate::state::{ExtSpec, State};

/// What a reset leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preserve {
    /// Zeros.
    Nothing,
    /// All of it, under the new id.
    Data,
}

/// See the head of this file; [`super::Transaction::extension`] makes one.
#[derive(Debug, Clone)]
pub struct ExtChange {
    name: String,
    header_size: u32,
    record_size: u16,
    record_align: u16,
    generation: Option<u32>,
    pub(super) reset: Option<(u32, Preserve)>,
    pub(super) header: Vec<Patch>,
    pub(super) records: BTreeMap<u32, Vec<u8>>,
    pub(super) increments: BTreeMap<u32, i32>,
    introduce: bool,
}

impl ExtChange {
    pub(super) fn new(spec: &ExtSpec<'_>) -> Self {
        Self {
            name: spec.name.to_owned(),
            header_size: spec.header_size,
            record_size: spec.record_size,
            record_align: spec.record_align,
            generation: None,
            reset: None,
            header: Vec::new(),
            records: BTreeMap::new(),
            increments: BTreeMap::new(),
            introduce: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reset.is_none()
            && self.header.is_empty()
            && self.records.is_empty()
            && self.increments.is_empty()
            && !self.introduce
    }

    /// Makes it even if nothing else is said about it.
    pub fn introduce(&mut self) -> &mut Self {
        self.introduce = true;
        self
    }

    /// The changes count only for this reset id; a new extension gets it. The cache's is its file_seq.
    pub fn generation(&mut self, reset_id: u32) -> &mut Self {
        self.generation = Some(reset_id);
        self
    }

    /// Begins a new generation, before the other changes.
    pub fn reset(&mut self, reset_id: u32, preserve: Preserve) -> &mut Self {
        self.reset = Some((reset_id, preserve));
        self
    }

    /// Bytes of its header data.
    pub fn set_header(&mut self, offset: u32, data: &[u8]) -> &mut Self {
        self.header.push(Patch {
            offset,
            data: data.to_vec(),
        });
        self
    }

    /// Its bytes of a message; what is missing at the end is zero.
    pub fn set_record(&mut self, uid: u32, data: &[u8]) -> &mut Self {
        self.records.insert(uid, data.to_vec());
        self
    }

    /// Adds to its number of a message; out of range is refused.
    pub fn increment(&mut self, uid: u32, by: i32) -> &mut Self {
        let sum = self.increments.entry(uid).or_default();
        *sum = sum.saturating_add(by);
        self
    }

    /// Its intro for an index in this state, and the reset id that counts after it. `None`: the index
    /// has another generation by now, nothing of this counts.
    pub(super) fn intro(&self, state: &State) -> Option<ExtIntro> {
        let known = state.extension_id(&self.name);
        let extension = state.extension(&self.name);
        let wanted = self.generation.unwrap_or(0);
        let reset_id = extension.map_or(wanted, |e| e.reset_id);
        if self.reset.is_none() && self.generation.is_some_and(|wanted| wanted != reset_id) {
            return None;
        }
        let of_known = extension.map_or((0, 0, 0), |e| {
            (
                crate::bytes::low32(e.header.len()),
                e.record_size,
                e.record_align,
            )
        });
        let record_size = self.record_size.max(of_known.1);
        Some(ExtIntro {
            ext_id: known.map(crate::bytes::low32),
            reset_id,
            header_size: self.header_size.max(of_known.0),
            record_size,
            record_align: if record_size == 0 {
                0
            } else {
                self.record_align.max(of_known.2)
            },
            flags: 1,
            name: match known {
                Some(_) => String::new(),
                None => self.name.clone(),
            },
        })
    }
}
