//! The transaction log, `dovecot.index.log`: its header, its records, and how to walk them.

mod header;
pub mod record;
mod walk;

pub use header::LogHeader;
pub use index_cache::size;
pub use record::{Body, Origin, RawRecord};
pub use walk::Walk;
