//! What can be wrong with compressed bytes, and with a setting.

use std::io;

use crate::Method;

/// The compressed bytes are not what `method` writes, or not all of it is there. Comes wrapped in an
/// [`io::Error`] of kind `InvalidData` or `UnexpectedEof`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{method} data is broken at byte {offset}: {what}")]
pub struct Corrupted {
    /// By which it was read.
    pub method: Method,
    /// Compressed bytes that were read before it was found; the fault is there or before.
    pub offset: u64,
    /// Which rule, in the words of the library that knows it.
    pub what: String,
}

impl Corrupted {
    /// Is it this that an error says?
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// The method has no such level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{method} has no level {level}: it must be between {min} and {max}")]
pub struct BadLevel {
    /// The method.
    pub method: Method,
    /// What was asked for.
    pub level: u8,
    /// Its lowest level.
    pub min: u8,
    /// Its highest level.
    pub max: u8,
}
