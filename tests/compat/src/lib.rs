//! One store, ours and real Dovecot in turns.
//!
//! [`picture`] is what a server says about a store; [`ours`] takes it through our storage, [`theirs`]
//! from Dovecot over IMAP. [`game`] has both change it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "helpers of tests: they may fail loudly"
)]

pub mod game;
pub mod ours;
pub mod picture;
pub mod theirs;
