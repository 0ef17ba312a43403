//! Random bytes: no panic, and what decodes is written back as it was.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::fs;

use index_cache::parts::{decode_parts, encode_parts};
use index_cache::record::{Fields, RecordHead, Shape};
use index_cache::{
    Cache, CachedMail, FieldId, Header, HeaderLines, Place, SentDate, Settings, Sync, Table,
    TableHead, size,
};
use sys::fs::Fs;

#[test]
fn any_piece() {
    bolero::check!()
        .with_iterations(20_000)
        .for_each(|bytes: &[u8]| {
            if let Ok(header) = Header::decode_any(bytes) {
                // All but an unused byte and an offset that says nothing.
                let again = Header::decode_any(&header.encode());
                assert_eq!(again, Ok(header));
            }
            let _ = TableHead::decode(bytes);
            if let Ok(table) = Table::decode(bytes) {
                assert_eq!(Table::decode(&table.encode()), Ok(table));
            }
            let _ = RecordHead::decode(bytes);
            let shapes = [None, Some(4), Some(u32::MAX)].map(|fixed_size| Shape {
                id: FieldId::GUID,
                fixed_size,
            });
            for (_, range) in Fields::of(bytes, &shapes).map_while(Result::ok) {
                assert!(range.end <= bytes.len());
            }
            if let Ok(parts) = decode_parts(bytes) {
                assert_eq!(encode_parts(&parts), bytes);
            }
            if let Ok(lines) = HeaderLines::decode(bytes) {
                assert_eq!(lines.encode(), bytes);
            }
            if let Some(date) = SentDate::decode(bytes) {
                assert_eq!(date.encode(), bytes);
            }
            if let Some(bytes) = bytes.first_chunk()
                && let Some(value) = size::decode(*bytes)
            {
                assert_eq!(size::encode(value).as_ref(), Some(bytes));
            }
        });
}

/// A file with a good beginning, and links to anywhere.
#[test]
fn any_file() {
    const INDEX_ID: u32 = 7;
    const FILE_SEQ: u32 = 9;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dovecot.index.cache");
    let header = Header {
        minor_version: 1,
        index_id: INDEX_ID,
        file_seq: FILE_SEQ,
        continued_records: 0,
        records: 0,
        used_size: 0,
        deleted_records: 0,
        fields_offset: 32,
    };
    bolero::check!()
        .with_iterations(5_000)
        .for_each(|bytes: &[u8]| {
            let mut file = header.encode().to_vec();
            // An empty table, or whatever the first bytes say.
            if bytes.first().is_some_and(|byte| byte % 2 == 0) {
                file.extend([0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0]);
            }
            file.extend(bytes);
            fs::write(&path, &file).unwrap();
            let place = Place {
                fs: Fs::real(),
                path: path.clone(),
                index_id: INDEX_ID,
                mode: 0o600,
            };
            let cache = Cache::new(place, Settings::default(), Sync::Never);
            let mut mail = CachedMail::default();
            for link in (0..u32::try_from(file.len()).unwrap() + 8).step_by(4) {
                if let Some(mut reader) = cache.reader(FILE_SEQ) {
                    reader.read(Some(link), &mut mail);
                }
            }
        });
}
