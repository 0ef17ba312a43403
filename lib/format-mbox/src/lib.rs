//! mbox on disk, as Dovecot keeps it: one file of messages, each with a `From_` line and managed
//! headers. FORMATS.md §5.
//!
//! *Invariant:* what is acknowledged is on disk; a file half rewritten is completed by who opens it next.
//! *Invariant:* nothing here knows a user, a namespace or a layout: a mailbox is a [`mailbox::Place`].

mod change;
mod clock;
pub mod compose;
pub mod digest;
mod ext;
pub mod field;
mod flush;
pub mod from_line;
pub mod incoming;
pub mod keywords;
pub mod lock;
mod mail;
pub mod marks;
mod mbox;
pub mod rewrite;
mod save;
pub mod scan;
mod seam;
pub mod settings;
mod spool;
mod update;
mod view;
mod window;
mod work;

pub use mbox::Mbox;
pub use settings::{LockMethod, Settings, Syncs, Writes};
pub use window::Source;
