//! The transaction log, `dovecot.index.log`: its header, its records, and how to walk them.

mod header;
pub mod size;

pub use header::LogHeader;
