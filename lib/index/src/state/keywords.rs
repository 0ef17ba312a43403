//! The "keywords" extension: names in its header, bits in the records. FORMATS.md §1.1.
//!
//! ```text
//! header: u32 count, count × { u32 0, u32 offset of the name }, names with a NUL each, zeros
//! record: bit k of byte k/8 is keyword k
//! ```

use std::sync::Arc;

use mailbox::KeywordSet;

use super::{RecordRef, State};
use crate::bytes::{low32, u32_at};
use crate::log::record::ExtIntro;

pub(crate) const NAME: &str = "keywords";
/// As many keywords may a mailbox have.
pub(crate) const MOST: usize = 4096;
/// A longer name is nobody's, bytes.
pub(crate) const LONGEST: usize = 1024;
/// Room for names that Dovecot leaves when it makes the header, bytes.
const ROOM: usize = 128;

/// The names in a header.
pub(crate) fn decode(header: &[u8]) -> Option<Vec<String>> {
    if header.is_empty() {
        return Some(Vec::new());
    }
    let count = usize::try_from(u32_at(header, 0)?).ok()?;
    if count > MOST || header.last() != Some(&0) {
        return None;
    }
    let names = header.get(4 + count * 8..)?;
    let name = |index: usize| {
        let at = usize::try_from(u32_at(header, 4 + index * 8 + 4)?).ok()?;
        let name = names.get(at..)?.split(|byte| *byte == 0).next()?;
        std::str::from_utf8(name)
            .ok()
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    };
    (0..count).map(name).collect()
}

/// A header with these names, at least `size` bytes.
pub(crate) fn encode(names: &[String], size: usize) -> Vec<u8> {
    let mut header = low32(names.len()).to_le_bytes().to_vec();
    let mut offset = 0;
    for name in names {
        header.extend([0; 4]);
        header.extend(low32(offset).to_le_bytes());
        offset += name.len() + 1;
    }
    for name in names {
        header.extend(name.as_bytes());
        header.push(0);
    }
    if header.len() > size {
        header.resize(crate::bytes::align(header.len() + ROOM, 4), 0);
    } else {
        header.resize(size, 0);
    }
    header
}

/// Bytes in each record for so many keywords.
fn record_size(count: usize) -> usize {
    let bytes = count.div_ceil(8).max(1);
    match bytes % 4 {
        0 => bytes,
        _ => bytes + 1,
    }
}

impl State {
    /// The number of a keyword, whatever its case.
    #[must_use]
    pub fn keyword(&self, name: &str) -> Option<usize> {
        self.keywords
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
    }

    pub(crate) fn keywords_of(&self, record: RecordRef<'_>) -> KeywordSet {
        let mut set = KeywordSet::default();
        let bits = self.extension(NAME).and_then(|e| e.bytes_of(record));
        for (at, byte) in bits.unwrap_or_default().iter().enumerate() {
            for bit in 0..8 {
                let index = at * 8 + bit;
                if byte & (1 << bit) != 0 && index < self.keywords.len() {
                    set.insert(index);
                }
            }
        }
        set
    }

    /// The number of a keyword that is made if it is not there, with its extension and its bit.
    pub(crate) fn keyword_to_change(&mut self, name: &str) -> Result<usize, &'static str> {
        let index = match self.keyword(name) {
            Some(index) => index,
            None => self.add_keyword(name)?,
        };
        let fits = self
            .extension(NAME)
            .is_some_and(|e| usize::from(e.record_size) * 8 > index);
        if !fits {
            self.fit_keywords(index + 1)?;
        }
        Ok(index)
    }

    fn add_keyword(&mut self, name: &str) -> Result<usize, &'static str> {
        if self.keywords.len() >= MOST || name.len() > LONGEST {
            return Err("too many keywords, or too long a one");
        }
        let mut names = self.keywords.to_vec();
        names.push(name.to_owned());
        self.keywords = Arc::new(names);
        self.fit_keywords(self.keywords.len())?;
        let names = Arc::clone(&self.keywords);
        let id = self.extension_id(NAME).ok_or("no keywords extension")?;
        if let Some(extension) = self.extensions.get_mut(id) {
            let extension = Arc::make_mut(extension);
            extension.header = encode(&names, extension.header.len());
        }
        Ok(names.len() - 1)
    }

    /// Makes the extension if it is not there, which takes the next id; grows its bits.
    fn fit_keywords(&mut self, count: usize) -> Result<usize, &'static str> {
        let known = self.extension(NAME).map(|e| (e.reset_id, e.record_size));
        let (reset_id, size) = known.unwrap_or_default();
        let wanted = match count.div_ceil(8) <= usize::from(size) {
            true => size,
            false => u16::try_from(record_size(count)).map_err(|_| "too many keywords")?,
        };
        self.introduce(&ExtIntro {
            ext_id: None,
            reset_id,
            header_size: 0,
            record_size: wanted,
            record_align: 1,
            flags: 1,
            name: NAME.to_owned(),
        })
    }

    /// After somebody wrote the extension's header.
    pub(crate) fn read_keywords(&mut self) -> Result<(), &'static str> {
        let header = self.ext_header(NAME).unwrap_or_default();
        let names = decode(header).ok_or("keywords header is broken")?;
        self.keywords = Arc::new(names);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let names: Vec<String> = ["$Label1", "Junk", "NonJunk"].map(String::from).to_vec();
        let header = encode(&names, 0);
        assert_eq!(decode(&header), Some(names.clone()));
        assert_eq!(encode(&names, 500).len(), 500);
        assert_eq!(decode(&encode(&names, 500)), Some(names));
        for len in 1..header.len() {
            let _ = decode(&header[..len]);
        }
    }

    #[test]
    fn sizes_are_dovecots() {
        let sizes = [1, 8, 9, 17, 25, 33].map(record_size);
        assert_eq!(sizes, [2, 2, 3, 4, 4, 6]);
    }
}
