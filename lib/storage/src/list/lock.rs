//! `mailboxes.lock`: CREATE, DELETE and RENAME wait for each other. FORMATS.md §6.7.

use std::time::Duration;

use mailbox::Error;

use super::List;
use crate::lock::LockFile;

/// How long they wait.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

impl List {
    /// The lock of CREATE, DELETE and RENAME.
    ///
    /// # Errors
    /// [`Error::Locked`]; the failed call.
    pub fn lock(&self) -> Result<LockFile, Error> {
        let path = self.location.lock_dir().join("mailboxes.lock");
        LockFile::acquire(&self.fs, path, LOCK_TIMEOUT)
    }
}
