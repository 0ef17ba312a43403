//! SMTP and LMTP grammar: commands, paths, replies, end of DATA; no I/O.
//!
//! The way of the bytes of a client:
//! - [`LineDecoder`] cuts them into command lines of bounded length,
//! - [`Command::parse`] reads one line,
//! - after DATA, [`DataDecoder`] streams the message and finds its end,
//! - [`Reply`] writes the answers.
//!
//! Everything is incremental: bytes may arrive in any pieces, and nothing here waits or allocates without a bound.

#![forbid(unsafe_code)]

mod address;
mod command;
mod data;
mod line;
mod params;
mod path;
mod reply;
mod scan;

pub use address::{Address, ClientName};
pub use command::{Command, SyntaxError};
pub use data::{DataDecoder, DataStep};
pub use line::{Line, LineDecoder, LineStep};
pub use params::{Body, MailParams, ParamError, RcptParams};
pub use path::{Leniency, PathError, ReversePath};
pub use reply::{Enhanced, Reply};
