//! Purge: gives back the room of messages that nobody refers to. FORMATS.md §2.6.

pub mod plan;
