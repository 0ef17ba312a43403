//! mdbox on disk, as Dovecot keeps it: many messages in a file, a map of where they are, references
//! from mailboxes' indexes to the map. FORMATS.md §2.
//!
//! *Invariant:* counts of references are never lower than what mailboxes hold, wherever a writer is
//! killed; a count that is too high costs room until the next purge.
//! *Invariant:* locks are taken in the order mail file (never waited for), map, mailbox, cache.
//! *Invariant:* nothing here knows a user, a namespace or a layout.

mod batch;
mod change;
mod copy;
mod dirs;
mod files;
pub mod guid;
mod mail;
mod mailbox_ext;
pub mod map;
mod mdbox;
pub mod number;
mod output;
pub mod purge;
pub mod rebuild;
pub mod record;
mod recount;
mod save;
pub mod settings;
mod storage;

pub use dirs::Dirs;
pub use mdbox::{Mdbox, Naming};
pub use settings::Settings;
pub use storage::Storage;
