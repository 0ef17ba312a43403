//! What the configuration says about a Maildir alone.

/// How hard COPY tries to share files: `maildir_copy_with_hardlinks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Copies {
    /// Hard links.
    #[default]
    Linked,
    /// A file for each.
    Whole,
}

/// When `cur/` is listed: `maildir_very_dirty_syncs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Syncs {
    /// Whenever somebody else may have changed it.
    #[default]
    Sure,
    /// When its time tells that somebody has changed it, or a message is not found.
    VeryDirty,
}

/// Of one mailbox, beside [`mailbox::Settings`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Of copied messages.
    pub copies: Copies,
    /// Of listings.
    pub syncs: Syncs,
}
