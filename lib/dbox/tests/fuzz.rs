//! Fuzz targets for the decoders: whatever the bytes are, no panic, no memory beyond theirs, and what was
//! understood is written back as it was. `cargo test` runs each for a moment; `cargo bolero` for as long
//! as one likes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{Read, Seek, SeekFrom};

use dbox::scan::{self, Piece};
use dbox::{DboxFile, ExternalRef, FileHeader, MessageHeader, Metadata};
use sys::fs::Fs;

#[test]
fn headers_and_metadata() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok((header, size)) = FileHeader::decode(bytes) {
            assert_eq!(header.encode(), bytes[..size]);
        }
        if let Ok(header) = MessageHeader::decode(bytes) {
            assert_eq!(MessageHeader::decode(&header.encode()), Ok(header));
        }
        let mut framed = dbox::metadata::MAGIC.to_vec();
        framed.extend_from_slice(bytes);
        for bytes in [bytes, &framed] {
            if let Ok((metadata, size)) = Metadata::decode(bytes) {
                assert_eq!(metadata.encode(), bytes[..size]);
            }
        }
        if let Ok(refs) = ExternalRef::decode_all(bytes) {
            let again = ExternalRef::encode_all(&refs);
            assert_eq!(ExternalRef::decode_all(again.as_bytes()), Ok(refs));
        }
    });
}

/// A file of anything behind a header that is right.
#[test]
fn files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.1");
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut file =
            b"2 M1e C1\n\x01\x02N          0000000000000004\nbody\n\x01\x03\nGx\n\n".to_vec();
        // What is there of a message, changed at a place of the fuzzer's choice.
        let at = usize::from(bytes.first().copied().unwrap_or(0)) % file.len();
        file.splice(at.., bytes.iter().copied().skip(1));
        std::fs::write(&path, &file).unwrap();
        let Ok(mut dbox) = DboxFile::open(&Fs::real(), &path) else {
            return;
        };
        let mut at = dbox.first_message();
        for piece in scan::pieces(&mut dbox).unwrap() {
            let message = match piece {
                Piece::Whole(message) | Piece::Salvaged(message) => message,
                Piece::Garbage { from, to } => {
                    assert!(from == at && to > from);
                    at = to;
                    continue;
                }
            };
            assert!(message.offset == at && message.end > at);
            at = message.end;
            if let Ok(mut body) = dbox.body(&message, None) {
                let mut whole = Vec::new();
                if body.read_to_end(&mut whole).is_ok() && !whole.is_empty() {
                    body.seek(SeekFrom::Start(whole.len() as u64 / 2)).unwrap();
                    let mut rest = Vec::new();
                    body.read_to_end(&mut rest).unwrap();
                    assert_eq!(rest, whole[whole.len() / 2..]);
                }
            }
        }
        assert_eq!(at, (file.len() as u64).max(dbox.first_message()));
    });
}
