//! The mailboxes of one location: directories, and what is beside them.

mod by_index;
pub mod index;
mod lock;
mod noted;
mod paths;
mod scan;

use std::path::{Path, PathBuf};

use mailbox::{Error, Place};
use sys::fs::{Fs, FsResult};

use crate::location::{Format, Layout, Location};

pub use noted::{Indexed, Keeper, Trust};

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
    /// What remembers names and numbers; `None`: nothing does (`mailbox_list_index = no`, `INDEX=MEMORY`).
    pub(crate) indexed: Option<Indexed>,
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
    pub fn is_selectable(&self, levels: &[String]) -> Result<bool, Error> {
        if self.location.layout == Layout::Index {
            return Ok(self.guid(levels)?.is_some());
        }
        let Some(Place { mail, .. }) = self.place(levels)? else {
            return Ok(false);
        };
        let is_dir = |dir: &Path| -> FsResult<bool> {
            let stat = self.fs.stat_opt(dir)?;
            Ok(stat.is_some_and(|stat| stat.is_dir()))
        };
        match (self.location.format, self.location.layout) {
            (Format::Mbox, _) => {
                let stat = self.fs.stat_opt(&mail)?;
                Ok(stat.is_some_and(|stat| stat.is_file()))
            }
            (Format::Sdbox | Format::Mdbox, _) => Ok(is_dir(&mail)?),
            // A directory that lacks cur/ is completed when it is opened.
            (Format::Maildir, Layout::MaildirPlusPlus) if !self.is_inbox(levels) => {
                Ok(is_dir(&mail)?)
            }
            (Format::Maildir, _) => Ok(is_dir(&mail.join("cur"))?),
        }
    }

    /// Where deleted mailboxes of this list are on their way out.
    #[must_use]
    pub fn trash(&self) -> PathBuf {
        self.location.root.join(TRASH)
    }
}
