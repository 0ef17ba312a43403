//! Rewriting a file in place so that a kill or a power cut at any moment loses nothing.
//!
//! Why in place: who waits for a lock on the open file (procmail, an MTA, a mail reader) writes to that
//! very inode once it has the lock. A new file renamed over the old one would send that mail to nowhere;
//! and in /var/mail no new file can be made at all. So parts of the file move, as with Dovecot, but
//! every step is in a journal beside the index before it is in the file, and who locks the file next
//! completes what somebody died over.
//!
//! [`Plan`]: what changes, pure. [`Journal`]: how it is done.

mod journal;
mod plan;
mod record;
#[cfg(test)]
mod tests;

pub use journal::{Journal, Outcome};
pub use plan::{Plan, Splice};
