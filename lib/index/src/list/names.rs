//! The table of names in the header of "list".

use std::collections::BTreeMap;

use crate::Corruption;
use crate::bytes::u32_at;

/// Ends the table: an id that is none.
const END: [u8; 4] = [0; 4];

/// Names by their id: single levels of the hierarchy, in the encoding of the storage. Like Dovecot, each
/// node brings a name of its own: two ids may have the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// 1: scan the file system before believing any of it.
    pub refresh: u8,
    names: BTreeMap<u32, Vec<u8>>,
}

impl Names {
    /// Reads the header's data.
    ///
    /// # Errors
    /// A name without an end, or ids that do not ascend.
    pub fn decode(header: &[u8]) -> Result<Self, Corruption> {
        let refresh = header.first().copied().unwrap_or(0);
        let mut names: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let mut at = 1;
        while let Some(id) = u32_at(header, at).filter(|id| *id != 0) {
            let rest = header.get(at + 4..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == 0);
            let end = end.ok_or(Corruption::new(at, "name without an end"))?;
            let name = rest.get(..end).unwrap_or_default();
            if names.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(Corruption::new(at, "ids of names do not ascend"));
            }
            names.insert(id, name.to_vec());
            at += 4 + end + 1;
        }
        Ok(Self { refresh, names })
    }

    /// The header's data, at least `size` bytes; like Dovecot's, a power of two, so that it seldom grows.
    #[must_use]
    pub fn encode(&self, size: usize) -> Vec<u8> {
        let mut header = vec![self.refresh];
        for (id, name) in &self.names {
            header.extend(id.to_le_bytes());
            header.extend(name);
            header.push(0);
        }
        // Dovecot takes one to three bytes behind the last name for damage.
        header.extend(END);
        header.resize(header.len().next_power_of_two().max(size), 0);
        header
    }

    /// The name of an id.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&[u8]> {
        self.names.get(&id).map(Vec::as_slice)
    }

    /// Puts a name in and tells its id. `None`: it is empty or has a NUL, or no id is left.
    pub fn add(&mut self, name: &[u8]) -> Option<u32> {
        if name.is_empty() || name.contains(&0) {
            return None;
        }
        let id = match self.names.last_key_value() {
            Some((last, _)) => last.checked_add(1)?,
            None => 1,
        };
        self.names.insert(id, name.to_vec());
        Some(id)
    }

    /// Forgets the names that `used` does not want.
    pub fn retain(&mut self, used: impl Fn(u32) -> bool) {
        self.names.retain(|id, _| used(*id));
    }

    /// Ids and names, ascending by id.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.names.iter().map(|(id, name)| (*id, name.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let mut names = Names::default();
        assert_eq!(names.add(b"INBOX"), Some(1));
        assert_eq!(names.add(b"Sent"), Some(2));
        assert_eq!(names.add(b"INBOX"), Some(3));
        assert_eq!(names.add(b""), None);
        let header = names.encode(64);
        assert_eq!(header.len(), 64);
        assert_eq!(&header[..11], b"\0\x01\0\0\0INBOX\0");
        assert_eq!(Names::decode(&header), Ok(names.clone()));
        for len in 0..header.len() {
            let _ = Names::decode(&header[..len]);
        }
        names.retain(|id| id == 2);
        assert_eq!(names.iter().collect::<Vec<_>>(), [(2, b"Sent".as_slice())]);
    }

    #[test]
    fn behind_the_last_name_is_an_end_or_nothing() {
        for length in 1..40 {
            let mut names = Names::default();
            names.add(&vec![b'x'; length]).unwrap();
            let header = names.encode(0);
            let end = 1 + 4 + length + 1;
            assert!(header.len().is_power_of_two() && header.len() >= end + 4);
        }
    }
}
