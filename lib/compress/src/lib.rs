//! Compressed mail: gz, bz2, xz, lz4 and zstd, read and written as streams.
//!
//! [`Method::recognise`] tells by the first bytes what a mail is compressed with: nothing else on disk says
//! so (FORMATS.md §7.17). A [`Reader`] is the mail as it was, for reading and seeking; a [`Writer`] makes
//! the bytes that go to disk.
//!
//! *Invariant:* memory does not depend on what the compressed bytes say, beyond a constant per method.
//! *Invariant:* broken input is an error, whatever is broken: never a panic, never an end of the mail.

mod decoder;
mod error;
mod lz4;
mod method;
mod reader;
mod source;
mod writer;

pub use error::{BadLevel, Corrupted};
pub use method::{Encoding, Method};
pub use reader::Reader;
pub use writer::Writer;

#[cfg(test)]
mod tests;
