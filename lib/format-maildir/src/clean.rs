//! What killed writers left in `tmp/`. FORMATS.md §6.8.

use sys::fs::{EntryKind, FsResult, join};

use crate::files::Files;
use crate::maildir::Maildir;

/// Nobody writes a message for so long, seconds.
const ABANDONED: i64 = 36 * 3600;

impl Maildir {
    /// Removes old files from `tmp/`, at the first look that this process takes at the mailbox. A
    /// failure hinders nothing.
    pub(crate) fn clean_once(&self, files: &mut Files) {
        if !std::mem::replace(&mut files.cleaned, true)
            && let Err(error) = self.clean()
        {
            tracing::debug!("{error}");
        }
    }

    fn clean(&self) -> FsResult<()> {
        let tmp = self.dir().join("tmp");
        let mut names = Vec::new();
        self.fs.read_dir(&tmp, &mut |name, kind| {
            if kind != EntryKind::Directory {
                names.push(name.to_vec());
            }
        })?;
        let now = crate::unique::seconds();
        for name in names {
            let path = join(&tmp, &name);
            let stat = self.fs.lstat(&path)?;
            // Not the time that a message has (mtime): when it was last touched.
            if stat.ctime.sec < now.saturating_sub(ABANDONED) {
                self.fs.unlink_if_exists(&path)?;
            }
        }
        Ok(())
    }
}
