//! The transaction log, `dovecot.index.log`: its header, its records, and how to walk them.

mod header;
pub mod record;
pub mod size;
mod walk;

pub use header::LogHeader;
pub use record::{Body, Origin, RawRecord};
pub use walk::Walk;
