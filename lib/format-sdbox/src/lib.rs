//! sdbox on disk, as Dovecot keeps it: one dbox file for each message, named by its UID, and an index
//! that is the only place of UIDs, flags and keywords. FORMATS.md §3.
//!
//! *Invariant:* a message is there when the log has it; its file is durable before.
//! *Invariant:* a message goes by a durable request, then its files, then the fact: killed anywhere in
//! between, the next look does the rest.
//! *Invariant:* a file is written once: other mailboxes have it by hard links.
//! *Invariant:* nothing here knows a user, a namespace or a layout: a mailbox is a few directories.

mod alt;
mod batch;
mod copy;
mod header;
mod mail;
mod name;
mod open;
mod placed;
pub mod rebuild;
mod remove;
mod save;
mod sdbox;
mod sync;

pub use sdbox::{Options, Sdbox};
