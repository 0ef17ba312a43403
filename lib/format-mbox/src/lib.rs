//! mbox on disk, as Dovecot keeps it: one file of messages, each with a `From_` line and managed
//! headers. FORMATS.md §5.
//!
//! *Invariant:* what is acknowledged is on disk; a file half rewritten is completed by who opens it next.
//! *Invariant:* nothing here knows a user, a namespace or a layout: a mailbox is a [`mailbox::Place`].

pub mod compose;
pub mod digest;
pub mod field;
pub mod from_line;
pub mod keywords;
pub mod marks;
pub mod rewrite;
pub mod scan;
mod window;

pub use window::Source;
