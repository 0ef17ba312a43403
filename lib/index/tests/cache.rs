//! The cache file: what Dovecot wrote, what we write, and what nobody should have written.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

#[path = "cache/dovecot.rs"]
mod dovecot;
#[path = "cache/faults.rs"]
mod faults;
#[path = "cache/files.rs"]
mod files;
#[path = "cache/fixtures.rs"]
mod fixtures;
#[path = "cache/hostile.rs"]
mod hostile;
#[path = "cache/random.rs"]
mod random;
#[path = "cache/support.rs"]
mod support;
