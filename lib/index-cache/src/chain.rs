//! All records of one message, from the newest back to the oldest.

use std::ops::Range;
use std::sync::Arc;

use sys::fs::FsFile;

use super::codec::Damage;
use super::field::FieldId;
use super::generation::Trouble;
use super::record::{Fields, RecordHead, Shape, Unreadable};
use super::settings::MAX_RECORD;
use super::value::MailBits;
use super::window::Window;

/// What is cached of one message. Made once, filled again and again.
#[derive(Clone, Debug, Default)]
pub struct CachedMail {
    fields: Vec<(FieldId, Range<usize>)>,
    bytes: Vec<u8>,
}

impl CachedMail {
    /// The value of a field; `None`: it is not cached.
    #[must_use]
    pub fn get(&self, id: FieldId) -> Option<&[u8]> {
        self.values(id).next()
    }

    /// Would this value tell anything new?
    #[must_use]
    pub fn has(&self, id: FieldId, value: &[u8]) -> bool {
        match (id, self.bits(), super::value::decode_u32(value)) {
            (FieldId::FLAGS, Some(bits), Some(more)) => bits.contains(MailBits(more)),
            _ => self.get(id).is_some(),
        }
    }

    /// All bits of `flags`.
    #[must_use]
    pub fn bits(&self) -> Option<MailBits> {
        let values = self.values(FieldId::FLAGS);
        let bits = values.filter_map(super::value::decode_u32).map(MailBits);
        bits.reduce(MailBits::with)
    }

    /// Every field that is cached, newest first; some may come twice, with the same value (of a
    /// bitmask: with other bits).
    pub fn iter(&self) -> impl Iterator<Item = (FieldId, &[u8])> {
        let value = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.fields
            .iter()
            .map(move |(id, range)| (*id, value(range)))
    }

    /// Is nothing cached?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    fn values(&self, id: FieldId) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(move |(found, _)| *found == id)
            .map(|(_, value)| value)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.fields.clear();
        self.bytes.clear();
    }

    fn add(&mut self, body: &[u8], shapes: &[Shape]) -> Result<(), Unreadable> {
        let base = self.bytes.len();
        self.bytes.extend(body);
        for field in Fields::of(body, shapes) {
            let (shape, range) = field?;
            let range = base + range.start..base + range.end;
            self.fields.push((shape.id, range));
        }
        Ok(())
    }
}

/// Why a message's records were not read.
#[derive(Debug)]
pub(super) enum Broken {
    UnknownField,
    Trouble(Trouble),
}

impl<T: Into<Trouble>> From<T> for Broken {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

impl From<Unreadable> for Broken {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::UnknownField => Self::UnknownField,
            Unreadable::Damaged(damage) => damage.into(),
        }
    }
}

/// The newest records of messages usually follow each other, and so do the second newest, …
const LEVELS: usize = 3;

/// Reads records of one file.
#[derive(Debug)]
pub(super) struct Chains {
    file: FsFile,
    windows: [Window; LEVELS],
}

impl Chains {
    pub fn of(file: &FsFile) -> Self {
        Self {
            file: file.clone(),
            windows: std::array::from_fn(|_| Window::new()),
        }
    }

    /// Reads the record at `newest` and all before it.
    pub fn read(
        &mut self,
        newest: u32,
        shapes: &Arc<[Shape]>,
        mail: &mut CachedMail,
    ) -> Result<(), Broken> {
        mail.clear();
        let mut offset = newest;
        let mut before = u64::MAX;
        let mut level = 0;
        while offset != 0 {
            let head = self.head(offset, level)?;
            // Records never overlap and chains only go back, so this comes to an end.
            let end = u64::from(offset) + u64::from(head.size);
            if end > before || head.prev_offset >= offset {
                return Err(Damage("record list is circular").into());
            }
            let body_size = head.size as usize - RecordHead::SIZE;
            if body_size + mail.bytes.len() > MAX_RECORD as usize {
                return Err(Damage("invalid record size").into());
            }
            let body_offset = u64::from(offset) + RecordHead::SIZE as u64;
            let body = self.bytes(body_offset, body_size, level)?;
            mail.add(body, shapes)?;
            before = u64::from(offset);
            offset = head.prev_offset;
            level = (level + 1).min(LEVELS - 1);
        }
        Ok(())
    }

    fn head(&mut self, offset: u32, level: usize) -> Result<RecordHead, Broken> {
        if !offset.is_multiple_of(4) {
            return Err(Damage("invalid record offset").into());
        }
        let bytes = self.bytes(u64::from(offset), RecordHead::SIZE, level)?;
        Ok(RecordHead::decode(bytes)?)
    }

    fn bytes(&mut self, offset: u64, len: usize, level: usize) -> Result<&[u8], Broken> {
        let outside = Damage("record points outside file");
        let window = self.windows.get_mut(level).ok_or(outside)?;
        Ok(window.get(&self.file, offset, len)?.ok_or(outside)?)
    }
}
