//! The map: which message is where, and how many refer to it. FORMATS.md §2.3.

pub mod choose;
