//! What files tell of a mailbox without opening it.

/// Two numbers about files of a mailbox: sizes and times. The list index keeps them in a record of this
/// name, u32 each, beside the mailbox's STATUS. FORMATS.md §1.11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Name of the list index's extension: `index sync`, `maildir`, `mbox`.
    pub name: &'static str,
    /// Never both 0.
    pub numbers: [u32; 2],
}

/// How a mailbox looked from outside. As long as it looks the same, its [`crate::Status`] is the same.
///
/// | format | marks |
/// |---|---|
/// | all on an index | `index sync`: size and mtime of `dovecot.index.log` (`index::list::stamp`) |
/// | Maildir besides | `maildir`: mtime of `new/`, mtime of `cur/` |
/// | mbox besides | `mbox`: mtime and size of the file |
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamp {
    /// In the order in which they are looked at.
    pub marks: Vec<Mark>,
}
