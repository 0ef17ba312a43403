//! Attacks that must fail: the catalog of tests/fixtures/security, in a machine with Culver.
//!
//! [`catalog::PLANS`] tells for each entry where it is tested, or why it cannot be yet. After each attack the
//! same is asked: is everybody alive, was anybody else kept waiting, is the journal clean ([`Site::calm`])?
#![allow(clippy::panic, reason = "a failed test is a panic")]

pub mod catalog;
mod effort;
mod honest;
pub mod memory;
pub mod messages;
mod site;
pub mod steps;
mod wire;

pub use effort::Effort;
pub use honest::Honest;
pub use site::Site;
pub use wire::{Wire, many};
