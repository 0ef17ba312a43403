//! What is left of a damaged file. FORMATS.md §2.8.
//!
//! Whole messages are found by their frames. Where a frame is broken, the next header tells where the
//! damage ends, and the last metadata before it where a body ended.

use mailbox::Error;

use crate::file::{DboxFile, Message};
use crate::metadata::{self, Metadata};

/// One piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A message whose frame is whole.
    Whole(Message),
    /// A message whose body ends where its metadata begin, but whose header or metadata are damaged:
    /// [`crate::Writer::copy`] makes a whole one of it.
    Salvaged(Message),
    /// Bytes that are no message.
    Garbage {
        /// Where they begin.
        from: u64,
        /// Where they end.
        to: u64,
    },
}

/// All pieces of a file, from its first message to its end.
///
/// # Errors
/// It cannot be read.
pub fn pieces(file: &mut DboxFile) -> Result<Vec<Piece>, Error> {
    let size = file.file().stat()?.size;
    let mut at = file.first_message();
    let mut pieces = Vec::new();
    while at < size {
        match file.try_message(at)? {
            Ok(message) => {
                at = message.end;
                pieces.push(Piece::Whole(message));
            }
            Err(_) => {
                let end = next_header(file, at, size)?;
                pieces.push(salvage(file, at, end)?);
                at = end;
            }
        }
    }
    Ok(pieces)
}

/// Where the next message header begins behind `at`, or the end of the file: the bytes of a header after
/// the LF that ends metadata.
fn next_header(file: &mut DboxFile, at: u64, size: u64) -> Result<u64, Error> {
    const BEFORE: &[u8] = b"\n\n\x01\x02N ";
    let mut from = at.saturating_add(1);
    while let Some(found) = find(file, BEFORE, from, size)? {
        let header = found + 2;
        if file.try_message(header)?.is_ok() {
            return Ok(header);
        }
        from = found + 1;
    }
    Ok(size)
}

/// A message between `at` and `end`: its metadata are the last ones there.
fn salvage(file: &mut DboxFile, at: u64, end: u64) -> Result<Piece, Error> {
    let garbage = Piece::Garbage { from: at, to: end };
    let body = at.saturating_add(file.header().message_header() as u64);
    let kind = file.bytes(at, 4)?.get(..4).map(<[u8]>::to_vec);
    // Without magic bytes nobody finished writing it.
    if kind.as_deref() != Some(b"\x01\x02N ") || body > end {
        return Ok(garbage);
    }
    let (mut from, mut last) = (body, None);
    while let Some(found) = find(file, metadata::MAGIC, from, end)? {
        last = Some(found);
        from = found + 1;
    }
    let Some(found) = last else {
        return Ok(garbage);
    };
    let left = usize::try_from(end - found).unwrap_or(usize::MAX);
    let bytes = file.bytes(found, left.min(metadata::MAX_SIZE))?;
    let bytes = bytes.get(..left).unwrap_or(bytes);
    let Ok((metadata, _, _)) = Metadata::decode_some(bytes) else {
        return Ok(garbage);
    };
    Ok(Piece::Salvaged(Message {
        offset: at,
        body,
        stored: found - body,
        end,
        metadata,
    }))
}

/// The first place of `what` in `from..to`.
fn find(file: &mut DboxFile, what: &[u8], from: u64, to: u64) -> Result<Option<u64>, Error> {
    const CHUNK: usize = 64 * 1024;
    let mut at = from;
    while at < to {
        let bytes = file.bytes(at, CHUNK)?;
        let bytes = bytes.get(..CHUNK).unwrap_or(bytes);
        let found = memchr::memmem::find(bytes, what).map(|place| at + place as u64);
        if let Some(found) = found {
            return Ok((found + what.len() as u64 <= to).then_some(found));
        }
        if bytes.len() < CHUNK {
            break;
        }
        at += (CHUNK - what.len()) as u64;
    }
    Ok(None)
}
