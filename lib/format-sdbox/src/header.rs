//! The extension "dbox-hdr" of an sdbox's index. FORMATS.md §1.10.
//!
//! ```text
//! offset size field
//!      0    4 rebuild_count
//!      4   16 mailbox GUID
//!     20    1 flags
//!     21    3 unused
//! ```

use index::state::{ExtSpec, State};
use mailbox::Guid;

/// Its name and size.
pub(crate) const SPEC: ExtSpec<'static> = ExtSpec {
    name: "dbox-hdr",
    header_size: 24,
    record_size: 0,
    record_align: 0,
};

/// See the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DboxHeader {
    /// How often the index was made anew from the files.
    pub rebuild_count: u32,
    /// Identity of the mailbox.
    pub guid: Guid,
    /// Flags and what we do not know.
    rest: [u8; 4],
}

impl DboxHeader {
    /// Of a new mailbox.
    pub fn new(guid: Guid) -> Self {
        Self {
            rebuild_count: 0,
            guid,
            rest: [0; 4],
        }
    }

    /// Of a mailbox as it is; `None`: it has none, or one without a GUID.
    pub fn of(state: &State) -> Option<Self> {
        Self::decode(state.ext_header(SPEC.name)?)
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk()?;
        let (guid, rest) = rest.split_first_chunk()?;
        let header = Self {
            rebuild_count: u32::from_le_bytes(*count),
            guid: Guid(*guid),
            // Old versions wrote no flags.
            rest: rest.first_chunk().copied().unwrap_or_default(),
        };
        (header.guid != Guid([0; 16])).then_some(header)
    }

    pub fn encode(self) -> Vec<u8> {
        let mut bytes = self.rebuild_count.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.guid.0);
        bytes.extend_from_slice(&self.rest);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_both_ways() {
        let bytes: Vec<u8> = (1..=24).collect();
        let header = DboxHeader::decode(&bytes).unwrap();
        assert_eq!(header.rebuild_count, 0x0403_0201);
        assert_eq!(header.guid.0[0], 5);
        assert_eq!(header.encode(), bytes);
        for len in 0..20 {
            assert!(DboxHeader::decode(&bytes[..len]).is_none());
        }
        assert!(DboxHeader::decode(&bytes[..20]).is_some());
        assert!(DboxHeader::decode(&[0; 24]).is_none());
    }
}
