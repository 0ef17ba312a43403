//! Dovecot's index of a mailbox: `dovecot.index`, its transaction log and cache, the list index
//! and the mailbox log. FORMATS.md §1, §6.2.
//!
//! The log is the truth, `dovecot.index` a checkpoint of it. Every change is one write to the log
//! under its lock; readers take no lock.
//!
//! *Invariant:* nothing in here knows a mailbox format, and nothing that it does not understand is
//! lost when it writes.

mod bytes;
mod cached;
mod clock;
mod error;
pub mod list;
pub mod log;
pub mod mailbox_log;
pub mod state;
mod store;
mod transaction;

pub use cached::{CacheEntry, CacheView, Cached, Failed as CacheFailed, Learnt, SaveWatch, Staged};
pub use error::{Corruption, Error};
pub use index_cache as cache;
pub use state::{Changes, ExtSpec, Extension, RecordRef, State};
pub use store::{Backup, Created, Index, IndexSync, Options, Request, Requests, Tail, Thresholds};
pub use transaction::{ExtChange, Preserve, Transaction};
