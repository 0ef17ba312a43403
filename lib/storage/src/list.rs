//! The mailboxes of one location: directories, and what is beside them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mailbox::{Error, Place};
use sys::fs::{EntryKind, Fs, FsFile, FsResult, How, Lock, found, join};

use crate::location::{Index, Layout, Location};

/// Where deleted mailboxes go until they are removed: the name that 2.3.19 gives it (strace; FORMATS.md
/// §4.1 has another one).
pub const TRASH: &str = "..DOVECOT-TRASHED";

/// How long CREATE, DELETE and RENAME wait for each other.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// Deepest directory that is looked into.
const MAX_DEPTH: usize = 32;

/// A directory that has the shape of a mailbox or of a level above one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In storage encoding.
    pub levels: Vec<String>,
    /// Holds mail.
    pub selectable: bool,
}

/// Directories of one namespace.
#[derive(Clone, Debug)]
pub struct List {
    pub(crate) fs: Fs,
    pub(crate) location: Location,
    /// Is the mailbox INBOX of this list the user's INBOX?
    pub(crate) has_inbox: bool,
}

impl List {
    /// Where a mailbox is or would be.
    #[must_use]
    pub fn place(&self, levels: &[String]) -> Place {
        let dir = match &self.location.inbox {
            _ if !self.is_inbox(levels) => self.location.root.join(self.relative(levels)),
            Some(inbox) => inbox.clone(),
            None => self.location.root.clone(),
        };
        let control = match &self.location.control {
            Some(control) => control.join(self.relative(levels)),
            None => dir.clone(),
        };
        let index = match &self.location.index {
            Index::Beside => Some(dir.clone()),
            Index::Under(index) => Some(index.join(self.relative(levels))),
            Index::Memory => None,
        };
        Place {
            mail: dir,
            control,
            index,
            alt: None,
        }
    }

    /// Is it the user's INBOX?
    #[must_use]
    pub fn is_inbox(&self, levels: &[String]) -> bool {
        self.has_inbox && matches!(levels, [only] if only == "INBOX")
    }

    /// Holds subscriptions and the uidvalidity counter.
    #[must_use]
    pub fn control_root(&self) -> &Path {
        self.location
            .control
            .as_deref()
            .unwrap_or(&self.location.root)
    }

    /// Holds `dovecot.mailbox.log`; `None` where index files are nowhere.
    #[must_use]
    pub fn index_root(&self) -> Option<&Path> {
        match &self.location.index {
            Index::Beside => Some(&self.location.root),
            Index::Under(index) => Some(index),
            Index::Memory => None,
        }
    }

    /// Name of a mailbox's directory below any of the roots.
    fn relative(&self, levels: &[String]) -> String {
        match self.location.layout {
            Layout::MaildirPlusPlus => format!(".{}", levels.join(".")),
            Layout::Fs => levels.join("/"),
        }
    }

    /// Makes the directory of all mailboxes.
    ///
    /// # Errors
    /// The failed call.
    pub fn create_root(&self) -> FsResult<()> {
        self.fs.mkdir_all(&self.location.root, 0o700)?;
        self.fs.mkdir_all(self.control_root(), 0o700)?;
        match self.index_root() {
            Some(root) => self.fs.mkdir_all(root, 0o700),
            None => Ok(()),
        }
    }

    /// Every mailbox and level but INBOX, in the file system's order. No root: none.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn scan(&self) -> FsResult<Vec<Found>> {
        let mut all = Vec::new();
        match self.location.layout {
            Layout::MaildirPlusPlus => self.scan_flat(&mut all)?,
            Layout::Fs => {
                self.scan_tree(&self.location.root, &mut Vec::new(), &mut all)?;
            }
        }
        all.retain(|found| !self.is_inbox(&found.levels));
        Ok(all)
    }

    fn scan_flat(&self, all: &mut Vec<Found>) -> FsResult<()> {
        for name in self
            .directories(&self.location.root, |name| name.starts_with(b"."))?
            .0
        {
            let levels = name.strip_prefix('.').unwrap_or_default().split('.');
            let levels: Vec<String> = levels.map(str::to_owned).collect();
            if levels.iter().all(|level| !level.is_empty()) {
                all.push(Found {
                    levels,
                    selectable: true,
                });
            }
        }
        Ok(())
    }

    /// Tells whether `dir` itself holds mail.
    fn scan_tree(
        &self,
        dir: &Path,
        above: &mut Vec<String>,
        all: &mut Vec<Found>,
    ) -> FsResult<bool> {
        let (names, has_cur) = self.directories(dir, |name| !name.starts_with(b"."))?;
        if above.len() >= MAX_DEPTH {
            return Ok(has_cur);
        }
        for name in names {
            if matches!(name.as_str(), "cur" | "new" | "tmp") {
                continue;
            }
            let child = dir.join(&name);
            above.push(name);
            let at = all.len();
            all.push(Found {
                levels: above.clone(),
                selectable: false,
            });
            let selectable = self.scan_tree(&child, above, all)?;
            if let Some(found) = all.get_mut(at) {
                found.selectable = selectable;
            }
            above.pop();
        }
        Ok(has_cur)
    }

    /// Names of directories, and whether `cur` is among them. Others than UTF-8 lead to no mailbox.
    fn directories(
        &self,
        dir: &Path,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> FsResult<(Vec<String>, bool)> {
        let mut names = Vec::new();
        let mut unsure = Vec::new();
        let listed = self.fs.read_dir(dir, &mut |name, kind| match kind {
            _ if !wanted(name) => {}
            EntryKind::Directory => names.extend(String::from_utf8(name.to_vec())),
            EntryKind::Symlink | EntryKind::Unknown => unsure.push(name.to_vec()),
            EntryKind::File | EntryKind::Other => {}
        });
        found(listed)?;
        for name in unsure {
            if self
                .fs
                .stat_opt(&join(dir, &name))?
                .is_some_and(|stat| stat.is_dir())
            {
                names.extend(String::from_utf8(name));
            }
        }
        let has_cur = names.iter().any(|name| name == "cur");
        Ok((names, has_cur))
    }

    /// Is there a mailbox at these levels that can be selected?
    ///
    /// # Errors
    /// The failed call.
    pub fn is_selectable(&self, levels: &[String]) -> FsResult<bool> {
        let dir = self.place(levels).mail;
        let wanted = match self.location.layout {
            // A directory that lacks cur/ is completed when it is opened.
            Layout::MaildirPlusPlus if !self.is_inbox(levels) => dir,
            _ => dir.join("cur"),
        };
        Ok(self.fs.stat_opt(&wanted)?.is_some_and(|stat| stat.is_dir()))
    }

    /// Names changed: takes Dovecot's list of them away, which it would go on believing (2.3.19 looks for
    /// other people's mailboxes once a session, and never whether a level became a mailbox). It makes
    /// a new one from the directories (FORMATS.md §0: safe to delete).
    pub fn forget_cached_names(&self) {
        let Some(root) = self.index_root() else {
            return;
        };
        for file in [
            "dovecot.list.index",
            "dovecot.list.index.log",
            "dovecot.list.index.log.2",
        ] {
            if let Err(error) = self.fs.unlink_if_exists(&root.join(file)) {
                tracing::warn!("{error}; Dovecot may show old mailbox names");
            }
        }
    }

    /// The lock of CREATE, DELETE and RENAME: `mailboxes.lock`. FORMATS.md §6.7.
    ///
    /// # Errors
    /// [`Error::Locked`]; the failed call.
    pub fn lock(&self) -> Result<ListLock, Error> {
        let root = self.index_root().unwrap_or(&self.location.root);
        let path = root.join("mailboxes.lock");
        let started = Instant::now();
        loop {
            let file = self.fs.open(&path, How::AppendCreate, 0o600)?;
            match file.try_lock(Lock::Exclusive) {
                Ok(()) => {
                    let ours = file.stat()?;
                    let now = self.fs.stat_opt(&path)?;
                    // Its last owner removed it while we waited: then it locks nobody out.
                    if now.is_some_and(|now| (now.dev, now.ino) == (ours.dev, ours.ino)) {
                        return Ok(ListLock {
                            fs: self.fs.clone(),
                            path,
                            _file: file,
                        });
                    }
                }
                Err(error) if error.source.kind() == std::io::ErrorKind::WouldBlock => {
                    if started.elapsed() > LOCK_TIMEOUT {
                        return Err(Error::Locked { path });
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Held until it is dropped.
#[derive(Debug)]
pub struct ListLock {
    fs: Fs,
    path: PathBuf,
    _file: FsFile,
}

impl Drop for ListLock {
    fn drop(&mut self) {
        // Removed while it is still locked, as Dovecot does. If it stays, it locks nobody out.
        let _ = self.fs.unlink_if_exists(&self.path);
    }
}
