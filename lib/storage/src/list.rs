//! The mailboxes of one location: directories, and what is beside them.

mod lock;
mod paths;
mod scan;

use std::path::{Path, PathBuf};

use sys::fs::{Fs, FsResult};

use crate::location::{Format, Layout, Location};

/// Where deleted mailboxes go until they are removed: the name that 2.3.19 gives it (strace; FORMATS.md
/// §4.1 has another one).
pub const TRASH: &str = "..DOVECOT-TRASHED";

/// Directories of one namespace.
#[derive(Clone, Debug)]
pub struct List {
    pub(crate) fs: Fs,
    pub(crate) location: Location,
    /// Is the mailbox INBOX of this list the user's INBOX?
    pub(crate) has_inbox: bool,
}

impl List {
    /// Is it the user's INBOX?
    #[must_use]
    pub fn is_inbox(&self, levels: &[String]) -> bool {
        self.has_inbox && matches!(levels, [only] if only == "INBOX")
    }

    /// Makes the directory of all mailboxes.
    ///
    /// # Errors
    /// The failed call.
    pub fn create_root(&self) -> FsResult<()> {
        let location = &self.location;
        let mut roots = vec![location.mailboxes(), location.control_root()];
        roots.push(location.subscriptions_dir().to_owned());
        roots.extend(location.index_root());
        roots.push(location.lock_dir());
        roots.dedup();
        roots
            .iter()
            .try_for_each(|root| self.fs.mkdir_all(root, 0o700))
    }

    /// Is there a mailbox at these levels that can be selected?
    ///
    /// # Errors
    /// The failed call.
    pub fn is_selectable(&self, levels: &[String]) -> FsResult<bool> {
        let mail = self.place(levels).mail;
        let is_dir = |dir: &Path| {
            let stat = self.fs.stat_opt(dir)?;
            Ok(stat.is_some_and(|stat| stat.is_dir()))
        };
        match (self.location.format, self.location.layout) {
            (Format::Mbox, _) => {
                let stat = self.fs.stat_opt(&mail)?;
                Ok(stat.is_some_and(|stat| stat.is_file()))
            }
            (Format::Sdbox | Format::Mdbox, _) => is_dir(&mail),
            // A directory that lacks cur/ is completed when it is opened.
            (Format::Maildir, Layout::MaildirPlusPlus) if !self.is_inbox(levels) => is_dir(&mail),
            (Format::Maildir, _) => is_dir(&mail.join("cur")),
        }
    }

    /// Names changed: takes Dovecot's list of them away, which it would go on believing (2.3.19 looks for
    /// other people's mailboxes once a session, and never whether a level became a mailbox). It makes
    /// a new one from the directories (FORMATS.md §0: safe to delete).
    pub fn forget_cached_names(&self) {
        let Some(root) = self.location.index_root() else {
            return;
        };
        let name = &self.location.list_index;
        for file in [name.clone(), format!("{name}.log"), format!("{name}.log.2")] {
            if let Err(error) = self.fs.unlink_if_exists(&root.join(file)) {
                tracing::warn!("{error}; Dovecot may show old mailbox names");
            }
        }
    }

    /// Where deleted mailboxes of this list are on their way out.
    #[must_use]
    pub fn trash(&self) -> PathBuf {
        self.location.root.join(TRASH)
    }
}
