//! Rebuild: makes map and references anew from what the mail files and mailboxes say. FORMATS.md §2.8.

pub mod plan;
