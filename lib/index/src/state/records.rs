//! The records of all messages, in chunks that states share.
//!
//! A record is as in `dovecot.index`: u32 UID, u8 flags, then the extensions' bytes wherever each
//! says. FORMATS.md §1.1.

use std::sync::Arc;

use crate::bytes::u32_at;

/// Messages in a chunk when it is made; expunges make it smaller.
const CHUNK: usize = 256;

#[derive(Debug, Clone)]
struct Chunk {
    /// Messages in the chunks before it.
    before: u32,
    bytes: Arc<Vec<u8>>,
}

/// All records, ascending by UID.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    record_size: usize,
    count: u32,
    chunks: Vec<Chunk>,
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a>(pub(crate) &'a [u8]);

impl<'a> RecordRef<'a> {
    /// UID, at least 1.
    #[must_use]
    pub fn uid(self) -> u32 {
        u32_at(self.0, 0).unwrap_or(0)
    }

    /// All eight bits: those of FORMATS.md §1.1, with the backend's 0x40 and 0x80.
    #[must_use]
    pub fn flags(self) -> u8 {
        self.0.get(4).copied().unwrap_or(0)
    }

    /// The whole record as it is stored.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

impl Records {
    /// None yet; `record_size` is at least 8.
    pub(crate) fn new(record_size: usize) -> Self {
        Self {
            record_size: record_size.max(8),
            count: 0,
            chunks: Vec::new(),
        }
    }

    /// From bytes as in `dovecot.index`.
    pub(crate) fn from_bytes(record_size: usize, bytes: &[u8]) -> Self {
        let mut records = Self::new(record_size);
        for chunk in bytes.chunks(records.record_size * CHUNK) {
            records.push_chunk(chunk.to_vec());
        }
        records
    }

    fn push_chunk(&mut self, bytes: Vec<u8>) {
        let messages = u32::try_from(bytes.len() / self.record_size).unwrap_or(0);
        self.chunks.push(Chunk {
            before: self.count,
            bytes: Arc::new(bytes),
        });
        self.count = self.count.saturating_add(messages);
    }

    pub(crate) fn record_size(&self) -> usize {
        self.record_size
    }

    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    /// The record of message `seq`, from 1.
    pub(crate) fn get(&self, seq: u32) -> Option<RecordRef<'_>> {
        let (chunk, at) = self.place(seq)?;
        let bytes = &self.chunks.get(chunk)?.bytes;
        bytes.get(at..at + self.record_size).map(RecordRef)
    }

    /// The same to change; copies its chunk if another state shares it.
    pub(crate) fn get_mut(&mut self, seq: u32) -> Option<&mut [u8]> {
        let (chunk, at) = self.place(seq)?;
        let size = self.record_size;
        Arc::make_mut(&mut self.chunks.get_mut(chunk)?.bytes).get_mut(at..at + size)
    }

    /// Which chunk, and where in it.
    fn place(&self, seq: u32) -> Option<(usize, usize)> {
        let index = seq.checked_sub(1).filter(|index| *index < self.count)?;
        let chunk = self
            .chunks
            .partition_point(|chunk| chunk.before <= index)
            .checked_sub(1)?;
        let within = index - self.chunks.get(chunk)?.before;
        Some((chunk, usize::try_from(within).ok()? * self.record_size))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = RecordRef<'_>> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.bytes.chunks_exact(self.record_size))
            .map(RecordRef)
    }

    /// Records from message `seq` on.
    pub(crate) fn iter_from(&self, seq: u32) -> impl Iterator<Item = RecordRef<'_>> {
        let (chunk, at) = self.place(seq).unwrap_or((self.chunks.len(), 0));
        let chunks = self.chunks.get(chunk..).unwrap_or_default();
        let records = chunks
            .iter()
            .flat_map(|chunk| chunk.bytes.chunks_exact(self.record_size));
        records.skip(at / self.record_size).map(RecordRef)
    }

    /// The first message whose UID is at least `uid`; one past the last if there is none.
    pub(crate) fn seq_at_least(&self, uid: u32) -> u32 {
        let first = |chunk: &Chunk| u32_at(&chunk.bytes, 0).unwrap_or(0);
        let after = self.chunks.partition_point(|chunk| first(chunk) <= uid);
        let Some(chunk) = after.checked_sub(1).and_then(|at| self.chunks.get(at)) else {
            return 1;
        };
        let (mut low, mut high) = (0, chunk.bytes.len() / self.record_size);
        while low < high {
            let middle = low + (high - low) / 2;
            let there = u32_at(&chunk.bytes, middle * self.record_size).unwrap_or(0);
            if there < uid {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        chunk.before + u32::try_from(low).unwrap_or(0) + 1
    }

    /// Which message has this UID.
    pub(crate) fn seq_of(&self, uid: u32) -> Option<u32> {
        let seq = self.seq_at_least(uid);
        (self.get(seq)?.uid() == uid).then_some(seq)
    }

    /// A new message, with zeros for the extensions. Its UID is higher than any before.
    pub(crate) fn push(&mut self, uid: u32, flags: u8) {
        let mut record = vec![0; self.record_size];
        let head = uid.to_le_bytes().into_iter().chain([flags]);
        for (to, from) in record.iter_mut().zip(head) {
            *to = from;
        }
        let full = CHUNK * self.record_size;
        match self.chunks.last_mut() {
            Some(chunk) if chunk.bytes.len() < full => {
                Arc::make_mut(&mut chunk.bytes).extend(record);
                self.count += 1;
            }
            _ => self.push_chunk(record),
        }
    }

    /// Takes out these messages: UIDs, ascending. Those that are not there are passed over.
    pub(crate) fn remove(&mut self, uids: &[u32]) {
        let gone: Vec<u32> = uids.iter().filter_map(|uid| self.seq_of(*uid)).collect();
        let size = self.record_size;
        let mut gone = gone.as_slice();
        for chunk in &mut self.chunks {
            let messages = u32::try_from(chunk.bytes.len() / size).unwrap_or(0);
            let here = gone.partition_point(|seq| *seq <= chunk.before + messages);
            let (now, later) = gone.split_at(here);
            gone = later;
            if now.is_empty() {
                continue;
            }
            let kept = (chunk.before + 1..).zip(chunk.bytes.chunks_exact(size));
            let kept = kept.filter(|(seq, _)| now.binary_search(seq).is_err());
            chunk.bytes = Arc::new(kept.flat_map(|(_, bytes)| bytes).copied().collect());
        }
        self.chunks.retain(|chunk| !chunk.bytes.is_empty());
        self.renumber();
    }

    fn renumber(&mut self) {
        self.count = 0;
        for chunk in &mut self.chunks {
            chunk.before = self.count;
            self.count += u32::try_from(chunk.bytes.len() / self.record_size).unwrap_or(0);
        }
    }

    /// Makes each record anew, of another size; `fill` copies from the old one into zeros.
    pub(crate) fn relayout(&mut self, record_size: usize, fill: impl Fn(&[u8], &mut [u8])) {
        let mut records = Self::new(record_size);
        for chunk in &self.chunks {
            let mut bytes = vec![0; chunk.bytes.len() / self.record_size * records.record_size];
            let old = chunk.bytes.chunks_exact(self.record_size);
            for (old, new) in old.zip(bytes.chunks_exact_mut(records.record_size)) {
                fill(old, new);
            }
            records.push_chunk(bytes);
        }
        *self = records;
    }

    /// Puts records of other states back in, whole and ascending by UID; none of them is here.
    pub(crate) fn insert(&mut self, records: &[Vec<u8>]) {
        let mut merged = Self::new(self.record_size);
        let mut bytes = Vec::with_capacity(CHUNK * self.record_size);
        let mut more = records.iter().map(Vec::as_slice).peekable();
        let full = CHUNK * self.record_size;
        let mut put = |record: &[u8], bytes: &mut Vec<u8>| {
            bytes.extend(record);
            if bytes.len() >= full {
                merged.push_chunk(std::mem::take(bytes));
            }
        };
        for record in self.iter() {
            while let Some(other) = more.next_if(|other| RecordRef(other).uid() < record.uid()) {
                put(other, &mut bytes);
            }
            put(record.0, &mut bytes);
        }
        more.for_each(|other| put(other, &mut bytes));
        if !bytes.is_empty() {
            merged.push_chunk(bytes);
        }
        *self = merged;
    }

    /// Their bytes in pieces.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().map(|chunk| chunk.bytes.as_slice())
    }
}

/// A place between two records, to go through them once.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    records: &'a Records,
    chunk: usize,
    at: usize,
    seq: u32,
}

impl<'a> Cursor<'a> {
    /// Before the first.
    pub(crate) fn new(records: &'a Records) -> Self {
        Self {
            records,
            chunk: 0,
            at: 0,
            seq: 1,
        }
    }

    /// The number of the next one.
    pub(crate) fn seq(&self) -> u32 {
        self.seq
    }

    /// The next one.
    pub(crate) fn record(&self) -> Option<RecordRef<'a>> {
        let bytes = &self.records.chunks.get(self.chunk)?.bytes;
        bytes
            .get(self.at..self.at + self.records.record_size)
            .map(RecordRef)
    }

    /// Passes over the next one.
    pub(crate) fn step(&mut self) {
        self.seq = self.seq.saturating_add(1);
        self.at += self.records.record_size;
        let chunk = self.records.chunks.get(self.chunk);
        if chunk.is_some_and(|chunk| self.at >= chunk.bytes.len()) {
            self.chunk += 1;
            self.at = 0;
        }
    }

    /// Passes over the chunks that both share from here on.
    pub(crate) fn skip_shared(&mut self, other: &mut Self) {
        if self.records.record_size != other.records.record_size {
            return;
        }
        while let (0, 0, Some(one), Some(two)) = (
            self.at,
            other.at,
            self.records.chunks.get(self.chunk),
            other.records.chunks.get(other.chunk),
        ) {
            if !Arc::ptr_eq(&one.bytes, &two.bytes) {
                return;
            }
            let messages = one.bytes.len() / self.records.record_size;
            for cursor in [&mut *self, &mut *other] {
                cursor.chunk += 1;
                cursor.seq += u32::try_from(messages).unwrap_or(0);
            }
        }
    }
}
