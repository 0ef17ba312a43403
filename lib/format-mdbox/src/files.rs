//! Reading messages out of mail files, primary or ALT. A few files stay open.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use dbox::{DboxFile, Message, Places};
use mailbox::Error;
use sys::fs::Fs;

use crate::number::FileId;
use crate::record::Place;

/// So many files stay open for the next message.
const MAX_OPEN: usize = 8;

/// All mail files of a storage.
#[derive(Debug)]
pub struct Files {
    fs: Fs,
    places: Places,
    /// Last opened last.
    open: Mutex<Vec<(FileId, DboxFile)>>,
}

impl Files {
    pub(crate) fn new(fs: Fs, places: Places) -> Self {
        Self {
            fs,
            places,
            open: Mutex::default(),
        }
    }

    /// A message whose frame is whole and as large as the map says; `None`: the file is not there.
    ///
    /// # Errors
    /// The file cannot be read; [`Error::Corrupted`]: no such message is at this place.
    pub fn message(&self, place: Place) -> Result<Option<(DboxFile, Message)>, Error> {
        let Some(mut file) = self.open(place.file)? else {
            return Ok(None);
        };
        let message = file.message(place.offset.into())?;
        if message.size() != u64::from(place.size) {
            return Err(size_differs(file.path(), place));
        }
        Ok(Some((file, message)))
    }

    /// A file; `None`: it is nowhere.
    ///
    /// # Errors
    /// It cannot be read, or its header is damaged.
    pub fn open(&self, id: FileId) -> Result<Option<DboxFile>, Error> {
        if let Some(known) = self.known(id) {
            return Ok(Some(known));
        }
        let Some((file, _)) = self.places.open(&self.fs, &id.file_name())? else {
            return Ok(None);
        };
        self.keep(id, file.fresh());
        Ok(Some(file))
    }

    fn known(&self, id: FileId) -> Option<DboxFile> {
        let open = self.open_files();
        let known = open.iter().find(|(known, _)| *known == id);
        known.map(|(_, file)| file.fresh())
    }

    /// A file was replaced or is gone.
    pub(crate) fn forget(&self, id: FileId) {
        self.open_files().retain(|(known, _)| *known != id);
    }

    fn keep(&self, id: FileId, file: DboxFile) {
        let mut open = self.open_files();
        open.retain(|(known, _)| *known != id);
        if open.len() >= MAX_OPEN {
            open.remove(0);
        }
        open.push((id, file));
    }

    fn open_files(&self) -> std::sync::MutexGuard<'_, Vec<(FileId, DboxFile)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size_differs(path: &Path, place: Place) -> Error {
    Error::Corrupted {
        path: path.to_owned(),
        offset: place.offset.into(),
        what: format!("a message of {} bytes", place.size),
    }
}
