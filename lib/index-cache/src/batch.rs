//! The bytes of one append.

use std::collections::HashMap;

use mailbox::Uid;

use super::append::NewRecord;
use super::field::{Decision, FieldId, Policy};
use super::header::Header;
use super::record::{self, RecordWriter};
use super::registry::Registry;

/// What one append writes.
pub(super) struct Batch {
    /// The new field table, if there are new fields; it comes first.
    pub table: Option<Vec<u8>>,
    records: Vec<Option<Encoded>>,
}

struct Encoded {
    uid: Uid,
    link: Option<u32>,
    /// With `prev_offset` 0.
    bytes: Vec<u8>,
}

impl Batch {
    pub fn new(registry: &mut Registry, records: &[NewRecord], limit: u64) -> Self {
        let allowed = |registry: &Registry, id: FieldId, value: &[u8]| {
            registry.get(id).is_some_and(|field| {
                let fits = field
                    .fixed_size()
                    .is_none_or(|size| size as usize == value.len());
                fits && field.policy != Policy::forced(Decision::No)
            })
        };
        for (id, value) in records.iter().flat_map(|record| &record.values) {
            if allowed(registry, *id, value)
                && let Some(field) = registry.get_mut(*id)
            {
                field.used = true;
            }
        }
        let places = registry.places();
        let encode = |record: &NewRecord| {
            let mut writer = RecordWriter::new(0);
            for (id, value) in &record.values {
                if let (Some(place), true) = (places.get(id), allowed(registry, *id, value)) {
                    let fixed_size = registry.get(*id).and_then(|field| field.fixed_size());
                    writer.add(*place, fixed_size, value);
                }
            }
            let fits = !writer.is_empty() && writer.len() as u64 <= limit;
            fits.then(|| Encoded {
                uid: record.uid,
                link: record.link,
                bytes: writer.finish(),
            })
        };
        Self {
            records: records.iter().map(encode).collect(),
            table: registry.has_new().then(|| registry.table().encode()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.records.iter().all(Option::is_none)
    }

    /// The bytes that stand at `start`, and where each record is.
    pub fn place(&self, start: u64) -> (Vec<u8>, Vec<Option<u32>>) {
        let mut bytes = self.table.clone().unwrap_or_default();
        let mut offsets = Vec::with_capacity(self.records.len());
        let mut newest: HashMap<Uid, u32> = HashMap::new();
        for record in &self.records {
            let Some(record) = record else {
                offsets.push(None);
                continue;
            };
            let end = start.saturating_add(bytes.len() as u64);
            let offset = record::place(end, record.bytes.len() as u64);
            let gap = usize::try_from(offset - end).unwrap_or_default();
            bytes.resize(bytes.len() + gap, 0);
            let offset = u32::try_from(offset).unwrap_or(u32::MAX);
            let prev_offset = newest.insert(record.uid, offset).or(record.link);
            bytes.extend(prev_offset.unwrap_or_default().to_le_bytes());
            bytes.extend(record.bytes.get(4..).unwrap_or_default());
            offsets.push(Some(offset));
        }
        (bytes, offsets)
    }

    pub fn count_in(&self, mut header: Header) -> Header {
        let mut seen = HashMap::new();
        for record in self.records.iter().flatten() {
            let again = seen.insert(record.uid, ()).is_some();
            let count = match again || record.link.is_some() {
                true => &mut header.continued_records,
                false => &mut header.records,
            };
            *count = count.saturating_add(1);
        }
        header
    }
}
