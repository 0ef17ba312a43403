//! A session's picture of a mailbox whose messages are those of its index, whatever its format; and what a
//! client asks of flags and messages, as transactions of the index.
//!
//! *Invariant:* a picture is an `Arc<State>`: it shares its memory with those of other sessions.

pub mod change;
mod view;

pub use view::{Backend, Removal, View, Waiter, status_of};
