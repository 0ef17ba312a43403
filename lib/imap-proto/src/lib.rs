//! IMAP grammar without I/O: bytes in, values out; values in, bytes out. RFC 3501 §9.
//!
//! ```text
//! bytes ─▶ Decoder ─▶ Command ─▶ Head { tag, name, args } ─▶ fetch::items(&mut args), search::program(&mut args) …
//! values ─▶ write::* ─▶ bytes
//! ```
//!
//! *Invariant:* nothing here allocates more than a small multiple of the caller's [`Limits`], whatever the client sends.
//! *Invariant:* the decoder never asks for a literal that it is not ready to take, and never reads the bytes of a refused
//! non-synchronising literal as commands.

pub mod append;
mod args;
mod command;
pub mod date;
pub mod fetch;
pub mod flag;
mod frame;
pub mod id;
pub mod list;
mod literal;
pub mod mutf7;
pub mod search;
mod sequence;
pub mod status;
pub mod store;
pub mod write;

pub use args::{Args, MAX_PARENTHESES, SyntaxError};
pub use command::{Command, Head, HeadError, Tag};
pub use frame::{Decoder, Event, Limits, Messages, Refusal};
pub use literal::Sync;
pub use sequence::{SequenceSet, Span};
