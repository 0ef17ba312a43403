//! A field table of the cache file. Adding fields writes a new, longer table; each one points to
//! the next, and the last one counts. FORMATS.md §1.12.
//!
//! ```text
//! offset    size  field
//!      0       4  next_offset   encoded; 0: this is the last table
//!      4       4  size          of the table without its padding
//!      8       4  count
//!     12   4 × n  last_used     UNIX seconds, exact to a day; overwritten in place
//!          4 × n  field_size    0xffffffff: each value is preceded by its length
//!              n  type
//!              n  decision      overwritten in place
//!                 names         NUL-terminated; zeros up to a multiple of 4
//! ```

use super::codec::{Damage, Input, pad};
use super::field::{FieldType, Policy};
use crate::size;

/// The largest table that is read: 1 MiB holds tens of thousands of fields.
const MAX_SIZE: u32 = 1 << 20;
/// Bytes of the three numbers before the columns.
pub(super) const HEAD_SIZE: usize = 12;
/// Bytes per field in the columns.
const COLUMNS_SIZE: usize = 10;

/// The first numbers of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableHead {
    /// Where the next table is; 0: this is the last one.
    pub next_offset: u32,
    /// Bytes without padding, at most 1 MiB.
    pub size: u32,
    count: usize,
}

/// One field as it stands in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// `size.virtual`, `hdr.Subject`, …; compared without regard to case.
    pub name: Vec<u8>,
    /// Framing of the values.
    pub kind: FieldType,
    /// Bytes of each value, `u32::MAX` if they differ.
    pub size: u32,
    /// Whether it is cached.
    pub policy: Policy,
    /// When it was last asked for, UNIX seconds; 0: never.
    pub last_used: u32,
}

/// A whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Where the next table is; 0: this is the last one.
    pub next_offset: u32,
    /// The fields; records refer to them by place.
    pub entries: Vec<TableEntry>,
}

impl TableHead {
    /// Decodes the first 12 bytes of a table.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        const OUTSIDE: Damage = Damage("header field next_offset points outside file");
        let mut input = Input(bytes);
        let next_offset = size::decode(input.array().ok_or(OUTSIDE)?).unwrap_or_default();
        let size = input.u32().ok_or(OUTSIDE)?;
        let count = input.u32().ok_or(OUTSIDE)?;
        let fits = usize::try_from(count)
            .ok()
            .filter(|count| *count <= size as usize / COLUMNS_SIZE)
            .filter(|count| HEAD_SIZE + count * COLUMNS_SIZE <= size as usize);
        match fits {
            Some(count) if size <= MAX_SIZE => Ok(Self {
                next_offset,
                size,
                count,
            }),
            _ => Err(Damage("invalid field header size")),
        }
    }
}

impl Table {
    /// Decodes a table from its first byte on; what follows it is ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let head = TableHead::decode(bytes)?;
        let outside = Damage("header field size outside file");
        let mut input = Input(bytes.get(HEAD_SIZE..head.size as usize).ok_or(outside)?);
        let mut column = |width: usize| input.take(width * head.count).ok_or(outside);
        let (last_used, sizes) = (column(4)?, column(4)?);
        let (kinds, policies) = (column(1)?, column(1)?);
        let mut entries = Vec::with_capacity(head.count);
        let columns = numbers(last_used)
            .zip(numbers(sizes))
            .zip(kinds)
            .zip(policies);
        for (((last_used, size), kind), policy) in columns {
            entries.push(TableEntry {
                name: take_name(&mut input)?,
                kind: FieldType::decode(*kind).ok_or(Damage("field type corrupted"))?,
                size,
                policy: Policy::decode(*policy).ok_or(Damage("field decision type corrupted"))?,
                last_used,
            });
        }
        Ok(Self {
            next_offset: head.next_offset,
            entries,
        })
    }

    /// As it is written, with its padding. A `next_offset` that cannot be encoded is written as 0.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let next_offset = match self.next_offset {
            0 => [0; 4],
            offset => size::encode(offset).unwrap_or_default(),
        };
        bytes.extend(next_offset);
        bytes.extend([0; 4]);
        bytes.extend(narrow(self.entries.len()).to_le_bytes());
        bytes.extend(self.last_used_column());
        bytes.extend(self.entries.iter().flat_map(|e| e.size.to_le_bytes()));
        bytes.extend(self.entries.iter().map(|e| e.kind.encode()));
        bytes.extend(self.policy_column());
        for entry in &self.entries {
            bytes.extend(&entry.name);
            bytes.push(0);
        }
        let size = narrow(bytes.len()).to_le_bytes();
        if let Some(place) = bytes.get_mut(4..8) {
            place.copy_from_slice(&size);
        }
        pad(&mut bytes);
        bytes
    }

    /// The column at [`HEAD_SIZE`].
    pub(super) fn last_used_column(&self) -> Vec<u8> {
        let numbers = self.entries.iter().map(|entry| entry.last_used);
        numbers.flat_map(u32::to_le_bytes).collect()
    }

    /// The column at [`Table::policy_place`].
    pub(super) fn policy_column(&self) -> Vec<u8> {
        self.entries.iter().map(|e| e.policy.encode()).collect()
    }

    /// Where the decisions begin, from the first byte of the table on.
    pub(super) fn policy_place(&self) -> usize {
        HEAD_SIZE + (COLUMNS_SIZE - 1) * self.entries.len()
    }
}

/// Tables that we write are far below 4 GiB.
fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn numbers(column: &[u8]) -> impl Iterator<Item = u32> {
    column
        .as_chunks()
        .0
        .iter()
        .map(|bytes| u32::from_le_bytes(*bytes))
}

fn take_name(input: &mut Input<'_>) -> Result<Vec<u8>, Damage> {
    let end = input.0.iter().position(|byte| *byte == 0);
    let name = end.and_then(|end| input.take(end));
    match name {
        Some(name) if !name.is_empty() => {
            input.take(1);
            Ok(name.to_vec())
        }
        _ => Err(Damage("field header names corrupted")),
    }
}
