//! mdbox on disk, as Dovecot keeps it: many messages in a file, a map of where they are, references
//! from mailboxes' indexes to the map. FORMATS.md §2.
//!
//! *Invariant:* counts of references are never lower than what mailboxes hold, wherever a writer is
//! killed; a count that is too high costs room until the next purge.
//! *Invariant:* locks are taken in the order mail file (never waited for), map, mailbox, cache.
//! *Invariant:* nothing here knows a user, a namespace or a layout.

pub mod map;
pub mod number;
pub mod purge;
pub mod rebuild;
pub mod record;
pub mod settings;
