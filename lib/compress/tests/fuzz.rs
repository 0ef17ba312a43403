//! Fuzz target: whatever is compressed, reading it is an answer or an error, in bounded memory.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::io::{Cursor, Read, Seek, SeekFrom};

use compress::{Method, Reader};

/// More of one input says nothing new, bytes.
const ENOUGH: u64 = 1 << 18;

#[test]
fn any_compressed_bytes() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let recognised = Method::recognise(bytes);
        for method in recognised.into_iter().chain(Method::ALL) {
            let Ok(mut reader) = Reader::new(method, Cursor::new(bytes)) else {
                continue;
            };
            let mut plain = Vec::new();
            if reader
                .by_ref()
                .take(ENOUGH)
                .read_to_end(&mut plain)
                .is_err()
            {
                continue;
            }
            // The same from the middle.
            let middle = plain.len() / 2;
            reader.seek(SeekFrom::Start(middle as u64)).unwrap();
            let mut rest = Vec::new();
            let left = ENOUGH - middle as u64;
            reader.take(left).read_to_end(&mut rest).unwrap();
            assert_eq!(rest, plain[middle..]);
        }
    });
}
