//! What is left of a damaged file. FORMATS.md §2.8.
//!
//! Whole messages are found by their frames. Where a frame is broken, the next whole one tells where the
//! damage ends; in between, a message counts if its body ends where its size says, or is exactly as long
//! as its metadata say.

use std::io::{ErrorKind, Read};

use mailbox::Error;

use crate::file::{DboxFile, Message};
use crate::header::MessageHeader;
use crate::lines::VirtualSize;
use crate::metadata::{self, Key, Metadata};

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

/// Where the next message header begins behind `at`, or the end of the file.
fn next_header(file: &mut DboxFile, at: u64, size: u64) -> Result<u64, Error> {
    const BEFORE: &[u8] = b"\n\x01\x02N ";
    let mut from = at;
    while let Some(found) = find(file, BEFORE, from, size)? {
        let header = found + 1;
        if file.try_message(header)?.is_ok() {
            return Ok(header);
        }
        from = found + 1;
    }
    Ok(size)
}

/// What can be had of `at..end`: a message whose metadata are damaged, or one whose size is.
fn salvage(file: &mut DboxFile, at: u64, end: u64) -> Result<Piece, Error> {
    let garbage = Piece::Garbage { from: at, to: end };
    let header_size = file.header().message_header();
    let bytes = file.bytes(at, header_size)?;
    let header = bytes.get(..header_size).unwrap_or(bytes);
    // Without magic bytes nobody finished writing it.
    if !header.starts_with(b"\x01\x02N ") {
        return Ok(garbage);
    }
    let decoded = MessageHeader::decode(header);
    let body = at.saturating_add(header_size as u64);
    let told = decoded.ok().map(|header| body.saturating_add(header.size));
    if let Some(behind) = told.filter(|&behind| behind < end)
        && let Some((metadata, _)) = metadata_in(file, behind, end)?
    {
        return Ok(Piece::Salvaged(message(at, body, behind, end, metadata)));
    }
    let (mut from, mut best) = (body, None);
    while let Some(behind) = find(file, metadata::MAGIC, from, end)? {
        if let Some((metadata, true)) = metadata_in(file, behind, end)? {
            let message = message(at, body, behind, end, metadata);
            if holds_together(file, &message)? {
                best = Some(message);
            }
        }
        from = behind + 1;
    }
    Ok(best.map_or(garbage, Piece::Salvaged))
}

fn message(offset: u64, body: u64, behind: u64, end: u64, metadata: Metadata) -> Message {
    Message {
        offset,
        body,
        stored: behind.saturating_sub(body),
        end,
        metadata,
    }
}

/// What is left of the metadata at `at`, and whether they are whole and end at `end`.
fn metadata_in(file: &mut DboxFile, at: u64, end: u64) -> Result<Option<(Metadata, bool)>, Error> {
    let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
    let wanted = left.min(metadata::MAX_SIZE);
    let bytes = file.bytes(at, wanted)?;
    let bytes = bytes.get(..wanted).unwrap_or(bytes);
    if !bytes.starts_with(metadata::MAGIC) {
        return Ok(None);
    }
    Ok(Metadata::decode_some(bytes)
        .ok()
        .map(|(metadata, size, damage)| (metadata, damage.is_none() && size == left)))
}

/// Is the body as long as its metadata say? Both sizes are known unless it is compressed.
fn holds_together(file: &DboxFile, message: &Message) -> Result<bool, Error> {
    if message.guid().is_none() || message.received().is_none() {
        return Ok(false);
    }
    if message.plain_size() != message.stored {
        let has_attachments = message.metadata.get(Key::ATTACHMENTS).is_some();
        return Ok(!has_attachments || message.plain_size() > message.stored);
    }
    let Some(told) = message.virtual_size() else {
        return Ok(false);
    };
    let (mut body, mut counted) = (file.stored_body(message), VirtualSize::default());
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match body.read(&mut chunk) {
            Ok(0) => return Ok(counted.bytes == told),
            Ok(read) => counted.add(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) => {
                let path = file.path().to_owned();
                let call = "read";
                return Err(Error::Syscall { call, path, source });
            }
        }
    }
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
