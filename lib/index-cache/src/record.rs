//! A record of the cache file: some fields of one message. FORMATS.md §1.12.
//!
//! ```text
//! offset size field
//!      0    4 prev_offset   older record of the same message, 0: none
//!      4    4 size          with these 8 bytes; a multiple of 4
//!      8      fields        u32 place in the field table, u32 length unless fixed, value, padding to 4
//! ```

use std::ops::Range;

use super::codec::{Damage, Input, pad, padded};
use super::field::FieldId;

/// What file systems write at once, or not at all, bytes.
const PAGE: u64 = 4096;

/// Where a record of `len` bytes goes when all is free from `offset` on. Nothing is synced: after a power cut
/// pages may be zeros, and a record with its head in one page and values in another would be believed.
#[must_use]
pub fn place(offset: u64, len: u64) -> u64 {
    let left = PAGE - offset % PAGE;
    if len > left && len <= PAGE {
        offset.saturating_add(left)
    } else {
        offset
    }
}

/// The first numbers of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Older record of the same message; 0: none.
    pub prev_offset: u32,
    /// Bytes with the head; at least [`RecordHead::SIZE`].
    pub size: u32,
}

impl RecordHead {
    /// Bytes on disk.
    pub const SIZE: usize = 8;

    /// Decodes the first bytes of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut input = Input(bytes);
        let numbers = input.u32().zip(input.u32());
        let (prev_offset, size) = numbers.ok_or(Damage("record points outside file"))?;
        if (size as usize) < Self::SIZE || !size.is_multiple_of(4) {
            return Err(Damage("invalid record size"));
        }
        Ok(Self { prev_offset, size })
    }

    fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let (prev_offset, size) = bytes.split_at_mut(4);
        prev_offset.copy_from_slice(&self.prev_offset.to_le_bytes());
        size.copy_from_slice(&self.size.to_le_bytes());
        bytes
    }
}

/// What a place in the field table means to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The field.
    pub id: FieldId,
    /// Bytes of each value; `None`: each is preceded by its length.
    pub fixed_size: Option<u32>,
}

/// Why the fields of a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The field table that we know is too short: there may be a newer one.
    UnknownField,
    /// The bytes make no sense.
    Damaged(Damage),
}

/// The fields in the body of a record (what follows its head): what each is, and where in the body
/// its value is. Nothing follows an error.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    body_size: usize,
    input: Input<'a>,
    shapes: &'a [Shape],
}

impl<'a> Fields<'a> {
    /// Of a body, with what the table in use says.
    #[must_use]
    pub fn of(body: &'a [u8], shapes: &'a [Shape]) -> Self {
        Self {
            body_size: body.len(),
            input: Input(body),
            shapes,
        }
    }

    fn step(&mut self) -> Result<(Shape, Range<usize>), Unreadable> {
        let invalid = Unreadable::Damaged(Damage("record has invalid size"));
        let place = self.input.u32().ok_or(invalid)?;
        let shape = self.shapes.get(place as usize).copied();
        let shape = shape.ok_or(Unreadable::UnknownField)?;
        let size = match shape.fixed_size {
            Some(size) => size,
            None => self.input.u32().ok_or(invalid)?,
        } as usize;
        let start = self.body_size - self.input.0.len();
        let outside = Damage("record continues outside its allocated size");
        match self.input.take(padded(size)) {
            Some(_) => Ok((shape, start..start + size)),
            None => Err(Unreadable::Damaged(outside)),
        }
    }
}

impl Iterator for Fields<'_> {
    type Item = Result<(Shape, Range<usize>), Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.0.is_empty() {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.input = Input(&[]);
        }
        Some(step)
    }
}

/// A record in the making.
#[derive(Clone, Debug)]
pub struct RecordWriter {
    bytes: Vec<u8>,
}

impl RecordWriter {
    /// Without fields.
    #[must_use]
    pub fn new(prev_offset: u32) -> Self {
        let head = RecordHead {
            prev_offset,
            size: 0,
        };
        Self {
            bytes: head.encode().to_vec(),
        }
    }

    /// Adds the field at `place` of the table. `fixed_size` fields have that many bytes.
    pub fn add(&mut self, place: u32, fixed_size: Option<u32>, value: &[u8]) {
        self.bytes.extend(place.to_le_bytes());
        if fixed_size.is_none() {
            let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
            self.bytes.extend(length.to_le_bytes());
        }
        self.bytes.extend(value);
        pad(&mut self.bytes);
    }

    /// Bytes so far, with the head.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Is there no field in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() <= RecordHead::SIZE
    }

    /// As it is written.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let size = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.get_mut(4..8) {
            place.copy_from_slice(&size.to_le_bytes());
        }
        self.bytes
    }
}
