//! What `dovecot.list.index` says: an index like any other, whose messages are names. FORMATS.md §1.11.
//!
//! Each message is a node of the tree of names; its UID identifies the name. Decoding and encoding are
//! here, reading and writing are [`crate::Index`]'s.
//!
//! ```text
//! "list" header:  u8 refresh (1: rescan), then packed { u32 name id, name, NUL } …, name id 0 ends it
//! "list" record:  u32 name id, u32 parent's UID (0: root), 16 bytes GUID, u32 uidvalidity
//! "msgs" record:  u32 messages, u32 unseen, u32 recent, u32 uidnext
//! "hmodseq":      u64
//! "index sync":   u32 size, u32 mtime of the mailbox's log
//! "maildir":      u32 mtime of new/, u32 mtime of cur/
//! "mbox":         u32 mtime, u32 size of the file
//! "subs" header:  u32 counts changes of the subscriptions; at least the time of the last one
//! ```
//! Numbers count only while all of a mailbox's marks (the last three records) are what `stat()` says.

mod names;
mod status;
mod tree;

use mailbox::Guid;

pub use names::Names;
pub use status::{INDEX_SYNC, low_bits, seconds, stamp};
pub use tree::{Node, Tree};

use crate::state::ExtSpec;

/// Names and their nodes. The header is as large as the names need.
pub const LIST: ExtSpec<'static> = ExtSpec {
    name: "list",
    header_size: 1,
    record_size: 28,
    record_align: 4,
};
/// Numbers of the mailbox.
pub const MSGS: ExtSpec<'static> = ExtSpec {
    name: "msgs",
    header_size: 0,
    record_size: 16,
    record_align: 4,
};
/// Highest modseq of the mailbox.
pub const HMODSEQ: ExtSpec<'static> = ExtSpec {
    name: "hmodseq",
    header_size: 0,
    record_size: 8,
    record_align: 8,
};

/// Tells sessions that wait for changes of subscriptions.
pub const SUBS: ExtSpec<'static> = ExtSpec {
    name: "subs",
    header_size: 4,
    record_size: 0,
    record_align: 4,
};

/// Bits of a node's record. FORMATS.md §1.11.
pub mod flag {
    /// There is no mailbox of this name, but of names below it.
    pub const NONEXISTENT: u8 = 0x04;
    /// It cannot be selected.
    pub const NOSELECT: u8 = 0x10;
    /// There can be no names below it.
    pub const NOINFERIORS: u8 = 0x01;
    /// The name was damaged and made up.
    pub const CORRUPTED_NAME: u8 = 0x08;
    /// Somebody is scanning.
    pub const SYNC_MARK: u8 = 0x02;
    /// All of them.
    pub(crate) const ALL: u8 = 0x1f;
}

/// No GUID is known.
pub(crate) const NO_GUID: Guid = Guid([0; 16]);
