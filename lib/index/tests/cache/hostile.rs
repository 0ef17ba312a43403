//! Bytes that nobody should have written: no panic, no endless chain, and the file can be made
//! good again. A value that is found after a truncation is the one that was there before.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use index::cache::parts::{Part, PartFlags, decode_parts, encode_parts};
use index::cache::{
    CachedMail, FieldId, Header, HeaderLines, NewRecord, Picture, SentDate, Table, TableHead,
};
use mailbox::Uid;
use proptest::prelude::*;
use testkit::Fixture;

use crate::support::{FIXTURES, Links, cache_dirs, cache_of, facts, open, uid};

/// What a file says about its messages.
type Values = BTreeMap<Uid, Vec<(FieldId, Vec<u8>)>>;

fn values(path: &Path, links: &Links) -> Values {
    let cache = open(path, links.index_id);
    let Some(mut reader) = cache.reader(links.reset_id) else {
        return Values::new();
    };
    let mut mail = CachedMail::default();
    let mut values = Values::new();
    for (uid, link) in links.pairs() {
        reader.read(Some(link), &mut mail);
        let fields = mail.iter().map(|(id, value)| (id, value.to_vec()));
        values.insert(uid, fields.collect());
    }
    values
}

/// Whatever the file is, what is stored next is found.
fn is_repaired(path: &Path, links: &Links) {
    let cache = open(path, links.index_id);
    let picture = Picture {
        reset_id: links.reset_id,
        facts: facts(10),
        links: &|| links.pairs(),
    };
    let record = NewRecord {
        uid: uid(9999),
        link: None,
        values: vec![(FieldId::GUID, b"new".to_vec())],
    };
    let stored = cache.store(&picture, &[record]).unwrap();
    let mut reader = cache.reader(stored.appended.file_seq).unwrap();
    let link = stored.appended.offsets[0];
    assert_eq!(reader.field(link, FieldId::GUID).unwrap(), b"new");
    // A purge reads everything that is there.
    let picture = Picture {
        reset_id: stored.appended.file_seq,
        ..picture
    };
    cache.purge(&picture).unwrap();
}

/// Small caches of all formats, and one large one.
fn samples() -> Vec<(Vec<u8>, Links)> {
    let mut samples = Vec::new();
    for name in FIXTURES {
        let fixture = Fixture::unpack(name);
        for directory in cache_dirs(&fixture) {
            let bytes = fs::read(directory.join("dovecot.index.cache")).unwrap();
            let is_new = samples
                .iter()
                .all(|(known, _): &(Vec<u8>, Links)| known.len().abs_diff(bytes.len()) > 64);
            let is_small = bytes.len() < 1200 || (name == "sdbox" && bytes.len() > 12_000);
            if is_new && is_small {
                samples.push((bytes, Links::of_index(&directory)));
            }
        }
    }
    samples
}

#[test]
fn every_truncation() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    for (bytes, links) in samples() {
        fs::write(&path, &bytes).unwrap();
        let whole = values(&path, &links);
        for len in (0..bytes.len()).rev() {
            fs::write(&path, &bytes[..len]).unwrap();
            for (uid, found) in values(&path, &links) {
                assert!(found.is_empty() || found == whole[&uid], "{uid} at {len}");
            }
            if len % 5 == 0 && bytes.len() < 1200 || len % 97 == 0 {
                is_repaired(&path, &links);
            }
        }
    }
}

#[test]
fn every_flipped_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    for (bytes, links) in samples() {
        let flips: &[u8] = if bytes.len() < 600 {
            &[1, 0x80, 0xff]
        } else {
            &[0xff]
        };
        for at in 0..bytes.len() {
            for flip in flips {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                fs::write(&path, &bytes).unwrap();
                values(&path, &links);
                if at % 5 == 0 && bytes.len() < 1200 || at % 97 == 0 {
                    is_repaired(&path, &links);
                }
            }
        }
    }
}

/// A fixture's file whose bytes at some places are others.
struct Patched {
    directory: tempfile::TempDir,
    links: Links,
    bytes: Vec<u8>,
}

impl Patched {
    fn new() -> Self {
        let fixture = Fixture::unpack("maildir");
        let directory = fixture.home().join("Maildir/.Sub.Deep.Leaf");
        Self {
            directory: tempfile::tempdir().unwrap(),
            links: Links::of_index(&directory),
            bytes: fs::read(directory.join("dovecot.index.cache")).unwrap(),
        }
    }

    fn put(&mut self, at: usize, number: u32) {
        self.bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    fn fields_of(&self, number: u32) -> usize {
        let path = self.directory.path().join("dovecot.index.cache");
        fs::write(&path, &self.bytes).unwrap();
        let cache = cache_of(self.directory.path(), &self.links);
        let Some(mut reader) = cache.reader(self.links.reset_id) else {
            return 0;
        };
        let mut mail = CachedMail::default();
        reader.read(self.links.of.get(&number).copied(), &mut mail);
        mail.iter().count()
    }
}

#[test]
fn chains_and_sizes_that_make_no_sense() {
    // The newest records of messages 1..3 are at 768, 792, 816, and go on at 388, 452, 516.
    let good = Patched::new();
    assert_eq!(
        (1..=3).map(|n| good.fields_of(n)).collect::<Vec<_>>(),
        [4, 4, 4]
    );
    for (at, number) in [
        (768, 768),
        (768, 792),
        (768, 32),
        (768, 767),
        (768, u32::MAX - 3),
        (388, 388),
        (388, 768),
        (772, 0),
        (772, 4),
        (772, u32::MAX),
        (772, 0x4000_0000),
        (776, 99),
        (776, u32::MAX),
        (392, 400),
    ] {
        let mut bad = Patched::new();
        bad.put(at, number);
        assert_eq!(bad.fields_of(1), 0, "{number} at {at}");
        assert_eq!(bad.fields_of(3), 4, "{number} at {at}");
    }
    for (at, number) in [
        (28, 0),
        (28, 0x8880_8080 + 0x0100_0000),
        (28, 0xffff_ffff),
        (32, 0x8880_8080),
        (32, 0xffff_ffff),
        (36, 11),
        (36, u32::MAX),
        (40, 17),
        (40, u32::MAX),
        (8, 0),
        (4, 7),
        (0, 0x0001_0902),
    ] {
        let mut bad = Patched::new();
        bad.put(at, number);
        assert_eq!(bad.fields_of(1), 0, "{number} at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Header::decode_any(&bytes);
        let _ = TableHead::decode(&bytes);
        if let Ok(table) = Table::decode(&bytes) {
            prop_assert_eq!(Table::decode(&table.encode()).unwrap(), table);
        }
        if let Ok(parts) = decode_parts(&bytes) {
            prop_assert_eq!(encode_parts(&parts), &bytes[..]);
        }
        if let Ok(lines) = HeaderLines::decode(&bytes) {
            prop_assert_eq!(lines.encode(), &bytes[..]);
        }
        if let Some(date) = SentDate::decode(&bytes) {
            prop_assert_eq!(&date.encode()[..], &bytes[..]);
        }
    }
}

#[test]
fn truncated_parts_are_refused() {
    let root = Part {
        flags: PartFlags::MULTIPART.with(PartFlags::IS_MIME),
        header_physical: 10,
        header_virtual: 12,
        body_physical: 100,
        body_virtual: 110,
        children: 2,
        ..Part::default()
    };
    let child = |position| Part {
        flags: PartFlags::TEXT,
        position,
        header_physical: 5,
        header_virtual: 6,
        body_physical: 20,
        body_virtual: 20,
        lines: 3,
        children: 0,
    };
    let bytes = encode_parts(&[root, child(12), child(40)]);
    assert_eq!(decode_parts(&bytes).unwrap().len(), 3);
    for len in 0..bytes.len() {
        decode_parts(&bytes[..len]).unwrap_err();
    }
    for bad in [
        vec![root, child(12), child(20)],
        vec![root, child(12), child(100)],
        vec![root, child(9), child(40)],
        vec![root, child(12), child(u64::MAX - 3)],
        vec![root, child(12), child(40), child(70)],
    ] {
        decode_parts(&encode_parts(&bad)).unwrap_err();
    }
}
