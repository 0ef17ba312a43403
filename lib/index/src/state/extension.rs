//! Extensions: named pieces of header and record that some part of the server owns.
//!
//! In `dovecot.index`, FORMATS.md §1.1:
//!
//! ```text
//! offset size field
//!      0    4 header_size    bytes of its header data
//!      4    4 reset_id       updates with another one do not count
//!      8    2 record_offset  within each record
//!     10    2 record_size    below 32,768
//!     12    2 record_align   1, 2, 4, 8; 0 only without bytes in records
//!     14    2 name_size
//!     16      name, padding to 8, header data, padding to 8
//! ```

use crate::Corruption;
use crate::bytes::{align, low16, low32, slice, u16_at, u32_at};

/// Longest name, bytes.
const LONGEST_NAME: usize = 64;
/// Records of one extension are smaller, bytes.
pub(crate) const LARGEST_RECORD: u16 = 32_767;
/// Larger header data is nobody's; bytes.
pub(crate) const LARGEST_HEADER: u32 = 16 << 20;

/// What somebody wants an extension to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// Bytes of its header.
    pub header_size: u32,
    /// Bytes in each record, below 32,768.
    pub record_size: u16,
    /// Alignment of those: 1, 2, 4, 8; 0 without them.
    pub record_align: u16,
}

/// An extension as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Updates with another one do not count.
    pub reset_id: u32,
    /// Header data.
    pub header: Vec<u8>,
    /// Where in each record; 0 without bytes there.
    pub record_offset: u16,
    /// Bytes in each record.
    pub record_size: u16,
    /// Alignment of those.
    pub record_align: u16,
}

impl Extension {
    /// Bytes before the name.
    const HEAD: usize = 16;

    /// The bytes in a record, if it is as large as the index says.
    pub(crate) fn of_record<'r>(&self, record: &'r [u8]) -> Option<&'r [u8]> {
        slice(record, self.record_offset.into(), self.record_size.into())
            .filter(|bytes| !bytes.is_empty())
    }

    /// The bytes in a record, to change.
    pub(crate) fn of_record_mut<'r>(&self, record: &'r mut [u8]) -> Option<&'r mut [u8]> {
        let from = usize::from(self.record_offset);
        record
            .get_mut(from..from + usize::from(self.record_size))
            .filter(|bytes| !bytes.is_empty())
    }

    /// Reads one at `at` of the file; tells where the next begins.
    pub(crate) fn decode(file: &[u8], at: usize) -> Result<(Self, usize), Corruption> {
        let short = Corruption::new(at, "extension header is cut short");
        let size = |offset: usize| u16_at(file, at + offset).ok_or(short);
        let header_size = u32_at(file, at).ok_or(short)?;
        let name_size = usize::from(size(14)?);
        let name = slice(file, at + Self::HEAD, name_size).ok_or(short)?;
        let data_at = align(at + Self::HEAD + name_size, 8);
        let data_size = usize::try_from(header_size).map_err(|_| short)?;
        let extension = Self {
            name: checked_name(name).ok_or(Corruption::new(at + 16, "extension has no name"))?,
            reset_id: u32_at(file, at + 4).ok_or(short)?,
            header: slice(file, data_at, data_size).ok_or(short)?.to_vec(),
            record_offset: size(8)?,
            record_size: size(10)?,
            record_align: size(12)?,
        };
        if !is_layout(extension.record_size, extension.record_align) {
            return Err(Corruption::new(at + 10, "extension's record is misaligned"));
        }
        Ok((extension, align(data_at + data_size, 8)))
    }

    pub(crate) fn encode(&self, file: &mut Vec<u8>) {
        file.extend(low32(self.header.len()).to_le_bytes());
        file.extend(self.reset_id.to_le_bytes());
        for size in [
            self.record_offset,
            self.record_size,
            self.record_align,
            low16(self.name.len()),
        ] {
            file.extend(size.to_le_bytes());
        }
        file.extend(self.name.as_bytes());
        file.resize(align(file.len(), 8), 0);
        file.extend(&self.header);
        file.resize(align(file.len(), 8), 0);
    }
}

/// ASCII, not empty, not too long.
pub(crate) fn checked_name(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let good = (1..=LONGEST_NAME).contains(&name.len()) && name.is_ascii() && !name.contains('\0');
    good.then(|| name.to_owned())
}

/// Can an extension have such bytes in each record?
pub(crate) fn is_layout(size: u16, alignment: u16) -> bool {
    match size {
        0 => matches!(alignment, 0 | 1 | 2 | 4 | 8),
        _ => {
            size <= LARGEST_RECORD
                && matches!(alignment, 1 | 2 | 4 | 8)
                && size.is_multiple_of(alignment)
        }
    }
}
