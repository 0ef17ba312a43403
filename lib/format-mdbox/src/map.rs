//! The map: which message is where, and how many refer to it. FORMATS.md §2.3.
//!
//! Readers take a [`Picture`]. Changes are made through [`LockedMap`], which holds the lock of the map's
//! log; a mailbox is locked after it, never before.

pub mod choose;
pub(crate) mod locked;
pub mod picture;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use dbox::temp;
use index::state::field;
use index::{Created, ExtSpec, Index, Options, Transaction};
use mailbox::{Error, Settings};
use sys::fs::Fs;

pub use locked::LockedMap;
pub use picture::Picture;

use crate::dirs::Dirs;
use crate::mailbox_ext::MDBOX_HDR;
use crate::record::BoxHeader;

/// Bit of an index header's flags: it was repaired, and somebody must look what is missing. FORMATS.md
/// §1.1.
pub(crate) const REPAIRED: u32 = 0x04;

/// Extension of files, offsets and sizes.
pub(crate) const MAP_SPEC: ExtSpec<'static> = ExtSpec {
    name: picture::MAP,
    header_size: 8,
    record_size: 12,
    record_align: 4,
};
/// Extension of references.
pub(crate) const REF_SPEC: ExtSpec<'static> = ExtSpec {
    name: picture::REF,
    header_size: 0,
    record_size: 2,
    record_align: 2,
};

/// The map of one storage, shared by all sessions of the process.
#[derive(Debug)]
pub struct Map {
    fs: Fs,
    dirs: Dirs,
    settings: Settings,
    index: OnceLock<Index>,
    opening: Mutex<()>,
    is_lost: AtomicBool,
}

impl Map {
    pub(crate) fn new(fs: Fs, dirs: Dirs, settings: Settings) -> Self {
        Self {
            fs,
            dirs,
            settings,
            index: OnceLock::new(),
            opening: Mutex::new(()),
            is_lost: AtomicBool::new(false),
        }
    }

    /// The map as it is on disk now.
    ///
    /// # Errors
    /// It cannot be read or made.
    pub fn picture(&self) -> Result<Picture, Error> {
        let index = self.index()?;
        let state = match index.refresh() {
            Err(error) if is_gone(&error) => {
                self.create()?;
                index.refresh()?
            }
            other => other?,
        };
        Ok(Picture::new(state))
    }

    /// The map as it was last read.
    ///
    /// # Errors
    /// As [`Map::picture`].
    pub fn last_picture(&self) -> Result<Picture, Error> {
        match self.index()?.state() {
            Ok(state) => Ok(Picture::new(state)),
            Err(_) => self.picture(),
        }
    }

    /// Waits for the lock, and brings the map up to date.
    ///
    /// # Errors
    /// It cannot be locked, read or made.
    pub fn lock(&self) -> Result<LockedMap<'_>, Error> {
        let index = self.index()?;
        let sync = match index.begin_sync() {
            Err(error) if is_gone(&error) => {
                self.create()?;
                index.begin_sync()?
            }
            other => other?,
        };
        Ok(LockedMap::new(sync))
    }

    /// Has the map been made anew although there are mail files, and not been rebuilt yet?
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// It has been rebuilt.
    pub(crate) fn is_found(&self) {
        self.is_lost.store(false, Ordering::Relaxed);
    }

    fn index(&self) -> Result<&Index, Error> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let _one_opens = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = match Index::open(&self.fs, &self.dirs.map, self.options()) {
            Err(error) if is_gone(&error) => self.create()?,
            other => other?,
        };
        Ok(self.index.get_or_init(|| index))
    }

    /// A new map. Where there are mail files, their messages are to be found again.
    fn create(&self) -> Result<Index, Error> {
        let mode = self.settings.dir_mode;
        self.fs.mkdir_all(&self.dirs.mail, mode)?;
        self.fs.mkdir_all(&self.dirs.map, mode)?;
        let files = self.dirs.files(&self.fs)?;
        let mut transaction = Transaction::internal();
        transaction.set_uid_validity(self.uid_validity()?);
        if let Some((highest, _)) = files.last_key_value() {
            // Whatever else: no file is overwritten. And should we be killed before the messages are found
            // again, the next one looks for them.
            let map = transaction.extension(&MAP_SPEC);
            map.set_header(0, &highest.0.to_le_bytes());
            transaction.set_header(field::FLAGS, REPAIRED);
        }
        let (index, created) =
            Index::create(&self.fs, &self.dirs.map, self.options(), &transaction)?;
        index.begin_sync()?.finish()?;
        if created == Created::Ours && !files.is_empty() {
            self.is_lost.store(true, Ordering::Relaxed);
        }
        Ok(index)
    }

    /// That of the lost map, if there are mailboxes that say it, or a new one.
    fn uid_validity(&self) -> Result<u32, Error> {
        let options = Options::mailbox(&self.settings);
        let mut said = Vec::new();
        for dir in self.dirs.indexes(&self.fs)? {
            if let Ok(index) = Index::open(&self.fs, &dir, options.clone())
                && let Ok(state) = index.state()
                && let Some(header) = state.ext_header(MDBOX_HDR).and_then(BoxHeader::decode)
                && header.map_uid_validity != 0
            {
                said.push(header.map_uid_validity);
            }
        }
        said.sort_unstable();
        said.dedup();
        match said.as_slice() {
            [all_of_them] => Ok(*all_of_them),
            _ => Ok(temp::now()),
        }
    }

    fn options(&self) -> Options {
        Options::map(&self.settings)
    }
}

fn is_gone(error: &index::Error) -> bool {
    matches!(
        error,
        index::Error::NotFound { .. } | index::Error::Deleted { .. }
    )
}
