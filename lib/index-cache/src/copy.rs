//! Making the new file of a purge.

use std::sync::Arc;

use mailbox::Uid;
use sys::fs::{FsFile, FsResult, How};

use super::append::Refused;
use super::chain::{CachedMail, Chains};
use super::decision::Facts;
use super::field::{FieldId, FieldType};
use super::header::{Header, MINOR};
use super::plan::{Age, Kept, Plan};
use super::record::{self, RecordWriter, Shape};
use super::table::Table;
use super::{Cache, Current, Sync};

/// What is written at once.
const CHUNK: usize = 256 * 1024;

pub(super) struct Copying<'a> {
    pub cache: &'a Cache,
    pub plan: &'a Plan,
    pub facts: &'a Facts,
    /// The old file, if the links are for it.
    pub source: Option<Current>,
    pub shapes: Arc<[Shape]>,
}

impl Copying<'_> {
    /// Makes the new file and puts it into the place of the old one; `None` if it would be too
    /// large.
    pub fn run(
        &self,
        file_seq: u32,
        links: &[(Uid, u32)],
    ) -> Result<Option<Vec<(Uid, u32)>>, Refused> {
        let place = &self.cache.place;
        let mut name = place.path.clone().into_os_string();
        name.push(".tmp");
        let temporary = std::path::PathBuf::from(name);
        let create = || place.fs.open(&temporary, How::CreateNew, place.mode);
        let file = match create() {
            // Whoever left it there is dead: the log is locked.
            Err(error) if error.is_exists() => {
                place.fs.unlink_if_exists(&temporary)?;
                create()?
            }
            other => other?,
        };
        let written = self.write(&file, file_seq, links);
        let result = match written {
            Ok(Some(links)) => place
                .fs
                .rename(&temporary, &place.path)
                .map(|()| Some(links)),
            other => other,
        };
        if !matches!(result, Ok(Some(_))) {
            let _ = place.fs.unlink_if_exists(&temporary);
        }
        Ok(result?)
    }

    fn write(
        &self,
        file: &FsFile,
        file_seq: u32,
        links: &[(Uid, u32)],
    ) -> FsResult<Option<Vec<(Uid, u32)>>> {
        let limit = self.cache.settings.file_limit();
        let mut output = Output::new(file);
        let links = self.copy_records(&mut output, links)?;
        let fields_offset = output.offset();
        let table = Table {
            next_offset: 0,
            entries: self.plan.entries.clone(),
        };
        output.push(&table.encode())?;
        let end = output.finish()?;
        if end > limit {
            return Ok(None);
        }
        let header = Header {
            minor_version: MINOR,
            index_id: self.cache.place.index_id,
            file_seq,
            continued_records: 0,
            records: u32::try_from(links.len()).unwrap_or(u32::MAX),
            used_size: u32::try_from(end).unwrap_or(u32::MAX),
            deleted_records: 0,
            fields_offset: u32::try_from(fields_offset).unwrap_or(u32::MAX),
        };
        file.write_all_at(&header.encode(), 0)?;
        if self.cache.sync == Sync::Always {
            file.sync_data()?;
        }
        Ok(Some(links))
    }

    fn copy_records(
        &self,
        output: &mut Output<'_>,
        links: &[(Uid, u32)],
    ) -> FsResult<Vec<(Uid, u32)>> {
        let mut kept = Vec::new();
        let Some(source) = &self.source else {
            return Ok(kept);
        };
        let mut chains = Chains::of(&source.generation.file);
        let mut mail = CachedMail::default();
        for (uid, link) in links {
            let is_good = *link != 0 && chains.read(*link, &self.shapes, &mut mail).is_ok();
            let record = is_good.then(|| self.merge(&mail, *uid)).flatten();
            let Some(record) = record else { continue };
            let offset = record::place(output.offset(), record.len() as u64);
            if let Ok(link) = u32::try_from(offset) {
                output.skip_to(offset);
                output.push(&record)?;
                kept.push((*uid, link));
            }
        }
        Ok(kept)
    }

    /// All records of a message as one.
    fn merge(&self, mail: &CachedMail, uid: Uid) -> Option<Vec<u8>> {
        let age = match self.facts.is_new(uid.get()) {
            true => Age::New,
            false => Age::Old,
        };
        let mut values: Vec<(FieldId, Kept, Vec<u8>)> = Vec::new();
        for (id, value) in mail.iter() {
            let Some(kept) = self.plan.keeps(id, age) else {
                continue;
            };
            match values.iter_mut().find(|(found, ..)| *found == id) {
                None => values.push((id, kept, value.to_vec())),
                Some((.., bits)) if kept.kind == FieldType::Bitmask => {
                    bits.iter_mut()
                        .zip(value)
                        .for_each(|(bit, more)| *bit |= more);
                }
                Some(_) => {}
            }
        }
        let mut writer = RecordWriter::new(0);
        for (_, kept, value) in &values {
            writer.add(kept.place, kept.fixed_size, value);
        }
        let limit = self.cache.settings.record_limit();
        let fits = !writer.is_empty() && writer.len() as u64 <= limit;
        fits.then(|| writer.finish())
    }
}

/// Bytes on their way to the end of a new file, after the place of the header.
struct Output<'a> {
    file: &'a FsFile,
    written: u64,
    bytes: Vec<u8>,
}

impl<'a> Output<'a> {
    fn new(file: &'a FsFile) -> Self {
        Self {
            file,
            written: 0,
            bytes: vec![0; Header::SIZE],
        }
    }

    fn offset(&self) -> u64 {
        self.written + self.bytes.len() as u64
    }

    /// Not backwards.
    fn skip_to(&mut self, offset: u64) {
        let gap = offset.saturating_sub(self.offset());
        let gap = usize::try_from(gap).unwrap_or_default();
        self.bytes.resize(self.bytes.len() + gap, 0);
    }

    fn push(&mut self, bytes: &[u8]) -> FsResult<()> {
        self.bytes.extend(bytes);
        if self.bytes.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> FsResult<()> {
        self.file.write_all_at(&self.bytes, self.written)?;
        self.written += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    /// Size of the file.
    fn finish(mut self) -> FsResult<u64> {
        self.flush()?;
        Ok(self.written)
    }
}
