//! Primary and ALT storage: the same file name in either of two directories. FORMATS.md §2.7, §3.1.

use std::path::{Path, PathBuf};

use mailbox::Error;
use sys::fs::{Fs, found};

use crate::file::DboxFile;

/// Where a file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where new mail goes.
    Primary,
    /// `ALT=`, on slower disks.
    Alt,
}

/// The two directories of some dbox files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    primary: PathBuf,
    alt: Option<PathBuf>,
}

impl Places {
    /// `alt`: `None` without `ALT=`.
    #[must_use]
    pub fn new(primary: PathBuf, alt: Option<PathBuf>) -> Self {
        Self { primary, alt }
    }

    /// One of the directories; `None`: there is no ALT storage.
    #[must_use]
    pub fn dir(&self, place: Place) -> Option<&Path> {
        match place {
            Place::Primary => Some(&self.primary),
            Place::Alt => self.alt.as_deref(),
        }
    }

    /// Both directories, primary first, or primary alone.
    pub fn dirs(&self) -> impl Iterator<Item = (Place, &Path)> {
        let primary = Some((Place::Primary, self.primary.as_path()));
        let alt = self.alt.as_deref().map(|alt| (Place::Alt, alt));
        primary.into_iter().chain(alt)
    }

    /// Opens a file wherever it is, primary first; `None`: nowhere. A file may move from one place to
    /// the other between two looks, so the first is asked again.
    ///
    /// # Errors
    /// It cannot be read, or its header is damaged.
    pub fn open(&self, fs: &Fs, name: &str) -> Result<Option<(DboxFile, Place)>, Error> {
        let again = self
            .alt
            .is_some()
            .then_some((Place::Primary, &*self.primary));
        for (place, dir) in self.dirs().chain(again) {
            if let Some(file) = found(fs.open_read(&dir.join(name)))? {
                return Ok(Some((DboxFile::from_file(file)?, place)));
            }
        }
        Ok(None)
    }

    /// Where a file is, primary first.
    ///
    /// # Errors
    /// A directory cannot be looked at.
    pub fn find(&self, fs: &Fs, name: &str) -> Result<Option<(PathBuf, Place)>, Error> {
        let again = self
            .alt
            .is_some()
            .then_some((Place::Primary, &*self.primary));
        for (place, dir) in self.dirs().chain(again) {
            let path = dir.join(name);
            if fs.stat_opt(&path)?.is_some() {
                return Ok(Some((path, place)));
            }
        }
        Ok(None)
    }
}
