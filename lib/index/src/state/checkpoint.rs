//! A state as the file `dovecot.index`: base header, extension headers, records. FORMATS.md §1.1.

use std::sync::Arc;

use super::records::Records;
use super::{Deletion, Extension, Header, LogPlace, State, field, modseq};
use crate::Corruption;
use crate::bytes::{align, low16, low32, put, slice, u32_at, u64_at};

impl State {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// The first broken rule. Bytes behind the records do not matter.
    pub fn decode(file: &[u8]) -> Result<Self, Corruption> {
        let mut header = Header::decode(file)?;
        let size = usize_at(file, 4)?;
        let extensions_at = align(header.bytes().len(), 8);
        let head = slice(file, 0, size).ok_or(Corruption::new(4, "header reaches past the end"))?;
        let extensions = decode_extensions(head, extensions_at)?;
        let record_size = usize_at(file, 8)?;
        check_layout(record_size, &extensions)?;
        let count = usize_at(file, field::MESSAGES)?;
        let records = count
            .checked_mul(record_size)
            .and_then(|size_of_all| slice(file, size, size_of_all))
            .ok_or(Corruption::new(
                field::MESSAGES,
                "records reach past the end",
            ))?;
        let records = Records::from_bytes(record_size, records);
        let next_uid = check_uids(&records, size)?.max(header.next_uid());
        header.set(field::NEXT_UID, next_uid);
        let mut state = Self {
            place: LogPlace {
                file_seq: header.get(field::LOG_SEQ),
                head: header.get(field::LOG_HEAD).into(),
                tail: header.get(field::LOG_TAIL).into(),
            },
            header,
            extensions,
            records,
            keywords: Arc::default(),
            highest_modseq: 0,
            deletion: Deletion::Not,
        };
        let told = state.ext_header(modseq::NAME).and_then(|h| u64_at(h, 0));
        state.highest_modseq = told.unwrap_or(0);
        state
            .read_keywords()
            .map_err(|what| Corruption::new(extensions_at, what))?;
        Ok(state)
    }

    /// The file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        for extension in &self.extensions {
            self.checkpointed(extension).encode(&mut extensions);
        }
        let start = align(self.header.bytes().len(), 8);
        let mut header = self.header.clone();
        for (at, value) in [
            (4, low32(start + extensions.len())),
            (8, low32(self.records.record_size())),
            (field::MESSAGES, self.records.len()),
            (field::LOG_SEQ, self.place.file_seq),
            (field::LOG_TAIL, low_offset(self.place.tail)),
            (field::LOG_HEAD, low_offset(self.place.head)),
        ] {
            header.set(at, value);
        }
        let mut file = header.bytes().to_vec();
        file.resize(start, 0);
        file.extend(extensions);
        for chunk in self.records.chunks() {
            file.extend(chunk);
        }
        file
    }

    /// "modseq" tells up to where this file has it.
    fn checkpointed(&self, extension: &Extension) -> Extension {
        let mut extension = extension.clone();
        if extension.name == modseq::NAME && self.place.file_seq > 0 {
            let place = self.place;
            let header = self
                .highest_modseq()
                .to_le_bytes()
                .into_iter()
                .chain(place.file_seq.to_le_bytes())
                .chain(low_offset(place.head).to_le_bytes());
            let header: Vec<u8> = header.collect();
            // An extension that is smaller is not Dovecot's.
            let _ = put(&mut extension.header, 0, &header);
        }
        extension
    }
}

fn low_offset(offset: u64) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn usize_at(file: &[u8], at: usize) -> Result<usize, Corruption> {
    u32_at(file, at)
        .and_then(|value| usize::try_from(value).ok())
        .ok_or(Corruption::new(at, "index header is cut short"))
}

fn decode_extensions(head: &[u8], mut at: usize) -> Result<Vec<Arc<Extension>>, Corruption> {
    let mut extensions: Vec<Arc<Extension>> = Vec::new();
    while at < head.len() {
        let (extension, next) = Extension::decode(head, at)?;
        if extensions.iter().any(|other| other.name == extension.name) {
            return Err(Corruption::new(at, "two extensions of one name"));
        }
        extensions.push(Arc::new(extension));
        at = next;
    }
    Ok(extensions)
}

/// Every extension inside the record, none over another.
fn check_layout(record_size: usize, extensions: &[Arc<Extension>]) -> Result<(), Corruption> {
    let wrong = Corruption::new(8, "record layout is impossible");
    if !(8..=usize::from(low16(usize::MAX))).contains(&record_size) {
        return Err(wrong);
    }
    let mut used = vec![false; record_size];
    let of_records = extensions.iter().filter(|e| e.record_size > 0);
    for extension in of_records {
        let from = usize::from(extension.record_offset);
        if !from.is_multiple_of(usize::from(extension.record_align.max(1))) || from < 5 {
            return Err(wrong);
        }
        let place = used
            .get_mut(from..from + usize::from(extension.record_size))
            .ok_or(wrong)?;
        if place.contains(&true) {
            return Err(wrong);
        }
        place.fill(true);
    }
    Ok(())
}

/// UIDs ascend; one more than the last.
fn check_uids(records: &Records, start: usize) -> Result<u32, Corruption> {
    let mut last = 0;
    let mut at = start;
    for record in records.iter() {
        if record.uid() <= last {
            return Err(Corruption::new(at, "UIDs do not ascend"));
        }
        last = record.uid();
        at += records.record_size();
    }
    last.checked_add(1)
        .ok_or(Corruption::new(start, "no UID is left"))
}
