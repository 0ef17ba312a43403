//! Directories of one mdbox storage, and what is in them. FORMATS.md §2.1.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use dbox::{Place, Places};
use mailbox::Error;
use sys::fs::{EntryKind, Fs, FsResult, found, join};

use crate::number::FileId;

/// Mailboxes are not nested deeper.
const MAX_DEPTH: usize = 64;

/// Where a storage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// `<root>/storage`: the mail files.
    pub mail: PathBuf,
    /// `<alt>/storage`, with `ALT=`.
    pub alt: Option<PathBuf>,
    /// Holds `dovecot.map.index*`: `storage` of the root, or of the directory of `INDEX=`.
    pub map: PathBuf,
    /// Every index of a mailbox that refers to this storage is below it: `mailboxes` of the root, or of
    /// the directory of `INDEX=`.
    pub mailboxes: PathBuf,
}

impl Dirs {
    /// Of a root directory, without `ALT=` and `INDEX=`.
    #[must_use]
    pub fn in_root(root: &Path) -> Self {
        let mail = root.join("storage");
        Self {
            map: mail.clone(),
            mail,
            alt: None,
            mailboxes: root.join("mailboxes"),
        }
    }

    pub(crate) fn places(&self) -> Places {
        Places::new(self.mail.clone(), self.alt.clone())
    }

    /// All mail files and where they are; one that is in both places is told as primary.
    ///
    /// # Errors
    /// A directory cannot be read. That it is not there is fine.
    pub fn files(&self, fs: &Fs) -> Result<BTreeMap<FileId, Place>, Error> {
        let mut files = BTreeMap::new();
        for (place, dir) in self.places().dirs() {
            let listed = fs.read_dir(dir, &mut |name, kind| {
                if kind != EntryKind::Directory
                    && let Some(id) = FileId::from_file_name(name)
                {
                    files.entry(id).or_insert(place);
                }
            });
            found(listed)?;
        }
        Ok(files)
    }

    /// All directories that hold an index of a mailbox. Looks until two looks give the same: a mailbox that
    /// is renamed meanwhile is not missed.
    ///
    /// # Errors
    /// A directory cannot be read, or names change all the time.
    pub fn indexes(&self, fs: &Fs) -> Result<Vec<PathBuf>, Error> {
        let mut before = self.look(fs)?;
        for _ in 0..16 {
            let now = self.look(fs)?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
        Err(Error::Locked {
            path: self.mailboxes.clone(),
        })
    }

    fn look(&self, fs: &Fs) -> FsResult<Vec<PathBuf>> {
        let mut walk = Walk {
            fs,
            seen: HashSet::new(),
            indexes: Vec::new(),
        };
        walk.visit(&self.mailboxes, 0)?;
        walk.indexes.sort_unstable();
        Ok(walk.indexes)
    }
}

struct Walk<'f> {
    fs: &'f Fs,
    /// Symbolic links may lead to the same directory, or round in circles.
    seen: HashSet<(u64, u64)>,
    indexes: Vec<PathBuf>,
}

impl Walk<'_> {
    fn visit(&mut self, dir: &Path, depth: usize) -> FsResult<()> {
        let Some(stat) = self.fs.stat_opt(dir)? else {
            return Ok(());
        };
        if !stat.is_dir() || depth > MAX_DEPTH || !self.seen.insert((stat.dev, stat.ino)) {
            return Ok(());
        }
        let (mut has_index, mut children) = (false, Vec::new());
        let listed = self.fs.read_dir(dir, &mut |name, kind| match kind {
            EntryKind::Directory | EntryKind::Symlink | EntryKind::Unknown
                if !is_index(name) && !name.starts_with(b".temp") =>
            {
                children.push(name.to_vec());
            }
            _ => has_index |= is_index(name),
        });
        if found(listed)?.is_none() {
            return Ok(());
        }
        if has_index {
            self.indexes.push(dir.to_owned());
        }
        children
            .iter()
            .try_for_each(|name| self.visit(&join(dir, name), depth + 1))
    }
}

fn is_index(name: &[u8]) -> bool {
    matches!(
        name,
        b"dovecot.index" | b"dovecot.index.log" | b"dovecot.index.log.2"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_files_and_indexes() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        for dir in [
            "storage",
            "alt/storage",
            "mailboxes/INBOX/dbox-Mails",
            "mailboxes/a/b/dbox-Mails",
            "mailboxes/gone",
        ] {
            std::fs::create_dir_all(root.join(dir)).unwrap();
        }
        for file in [
            "storage/m.2",
            "storage/m.10.broken",
            "alt/storage/m.2",
            "alt/storage/m.3",
            "mailboxes/INBOX/dbox-Mails/dovecot.index.log",
            "mailboxes/a/b/dbox-Mails/dovecot.index",
            "mailboxes/gone/dovecot-acl",
        ] {
            std::fs::write(root.join(file), b"").unwrap();
        }
        // Round in circles, and a mailbox that lives elsewhere.
        std::os::unix::fs::symlink("..", root.join("mailboxes/a/up")).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("dovecot.index.log"), b"").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.join("mailboxes/linked")).unwrap();
        let dirs = Dirs {
            alt: Some(root.join("alt/storage")),
            ..Dirs::in_root(root)
        };
        let files: Vec<_> = dirs.files(&Fs::real()).unwrap().into_iter().collect();
        assert_eq!(
            files,
            [(FileId(2), Place::Primary), (FileId(3), Place::Alt)]
        );
        let indexes = dirs.indexes(&Fs::real()).unwrap();
        let expected = ["INBOX/dbox-Mails", "a/b/dbox-Mails", "linked"];
        assert_eq!(
            indexes,
            expected.map(|dir| root.join("mailboxes").join(dir))
        );
        let nothing = Dirs::in_root(&root.join("nothing"));
        assert!(nothing.indexes(&Fs::real()).unwrap().is_empty());
        assert!(nothing.files(&Fs::real()).unwrap().is_empty());
    }
}
