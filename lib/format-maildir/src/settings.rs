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

/// Of one mailbox, beside [`mailbox::Settings`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Of copied messages.
    pub copies: Copies,
}
