//! Mail files that messages are written to: the last ones that have room, or new ones. FORMATS.md §2.5.
//!
//! A file is locked (`flock`, never waited for) from before the first byte until the map knows what was
//! written. What is not kept is cut off again, or the new file removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dbox::{DboxFile, Extent, Writer, temp};
use mailbox::{Error, MailDate};
use sys::fs::{FsFile, How, found};

use crate::map::LockedMap;
use crate::map::choose::{Candidate, candidates, has_room};
use crate::map::locked::Failed;
use crate::number::FileId;
use crate::record::Place;
use crate::storage::Storage;

/// A file, locked, and what we wrote to it.
#[derive(Debug)]
struct Output {
    writer: Writer,
    /// Where it is now.
    path: PathBuf,
    /// `None`: a new file that has no number yet.
    id: Option<FileId>,
    /// Where we began, bytes; `None`: we made the file.
    begun: Option<u64>,
}

/// A message that was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    output: usize,
    extent: Extent,
}

/// Files that one transaction writes to.
#[derive(Debug)]
pub(crate) struct Outputs {
    storage: Arc<Storage>,
    /// Where new files go.
    dir: PathBuf,
    outputs: Vec<Output>,
    is_kept: bool,
}

impl Outputs {
    /// To the primary storage: files that have room, or new ones.
    pub fn new(storage: &Arc<Storage>) -> Self {
        Self::in_dir(storage, &storage.dirs.mail)
    }

    /// To new files in a directory, or if it is the primary one, to those that have room.
    pub fn in_dir(storage: &Arc<Storage>, dir: &Path) -> Self {
        Self {
            storage: Arc::clone(storage),
            dir: dir.to_owned(),
            outputs: Vec::new(),
            is_kept: false,
        }
    }

    /// Has a message of about `bytes` written by `write`, which may be called once. `skip`: not to this
    /// file.
    ///
    /// # Errors
    /// That of `write`; nothing of this message is in the file.
    pub fn write(
        &mut self,
        bytes: u64,
        skip: Option<FileId>,
        write: &mut dyn FnMut(&mut Writer) -> Result<Extent, Error>,
    ) -> Result<Written, Error> {
        let output = self.choose(bytes, skip)?;
        let Some(Output { writer, .. }) = self.outputs.get_mut(output) else {
            return Err(Error::NotPossible {
                why: "No mail file to write to",
            });
        };
        let end = writer.end();
        match write(writer) {
            Ok(extent) => Ok(Written { output, extent }),
            Err(error) => {
                // If this fails, too, whoever appends next cuts it off.
                if let Err(again) = writer.roll_back(end) {
                    tracing::warn!("an unfinished message stays: {again}");
                }
                Err(error)
            }
        }
    }

    fn choose(&mut self, bytes: u64, skip: Option<FileId>) -> Result<usize, Error> {
        let rotate_size = self.storage.settings.rotate_size;
        let fits = |output: &Output| has_room(output.writer.end(), bytes, rotate_size);
        if let Some(known) = self.outputs.iter().rposition(fits) {
            return Ok(known);
        }
        let output = match self.dir == self.storage.dirs.mail {
            true => self.appendable(bytes, skip)?,
            false => None,
        };
        let output = match output {
            Some(output) => output,
            None => self.create()?,
        };
        self.outputs.push(output);
        Ok(self.outputs.len() - 1)
    }

    /// One of the last files, if it has room and nobody else writes to it.
    fn appendable(&self, bytes: u64, skip: Option<FileId>) -> Result<Option<Output>, Error> {
        let picture = self.storage.map.last_picture()?;
        let rotate_size = self.storage.settings.rotate_size;
        for candidate in candidates(picture.newest_first(), bytes, rotate_size) {
            let ours = |output: &Output| output.id == Some(candidate.file);
            if Some(candidate.file) == skip || self.outputs.iter().any(ours) {
                continue;
            }
            if let Some(output) = self.append_to(candidate)?
                && has_room(output.writer.end(), bytes, rotate_size)
            {
                return Ok(Some(output));
            }
        }
        Ok(None)
    }

    /// `None`: it is not there, in use, too old, or not to be appended to.
    fn append_to(&self, candidate: Candidate) -> Result<Option<Output>, Error> {
        let path = self.dir.join(candidate.file.file_name());
        let Some(file) = found(self.storage.fs.open(&path, How::ReadWrite, 0))? else {
            return Ok(None);
        };
        if !self.storage.lock_file(&file, &path)? || self.is_too_old(&file)? {
            return Ok(None);
        }
        match Writer::append_to(file, candidate.end) {
            Ok(writer) => Ok(Some(Output {
                begun: Some(writer.end()),
                writer,
                path,
                id: Some(candidate.file),
            })),
            // For a rebuild to look at; new mail goes elsewhere.
            Err(Error::Corrupted { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_too_old(&self, file: &FsFile) -> Result<bool, Error> {
        let oldest = self
            .storage
            .settings
            .oldest(MailDate::local(temp::now().into()));
        if oldest == i64::MIN {
            return Ok(false);
        }
        match DboxFile::from_file(file.clone()) {
            Ok(file) => Ok(i64::from(file.header().created()) < oldest),
            Err(Error::Corrupted { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn create(&self) -> Result<Output, Error> {
        let common = &self.storage.settings.common;
        self.storage.fs.mkdir_all(&self.dir, common.dir_mode)?;
        let writer = Writer::create(&self.storage.fs, &self.dir, common.file_mode)?;
        // Nobody else knows of it.
        let path = writer.file().path().to_owned();
        let output = Output {
            writer,
            path,
            id: None,
            begun: None,
        };
        if let Err(error) = output.writer.file().try_flock() {
            self.remove(&output);
            return Err(error.into());
        }
        Ok(output)
    }

    /// Makes everything that was written durable.
    pub fn sync(&self) -> Result<(), Error> {
        for output in &self.outputs {
            let durability = self.storage.settings.common.durability;
            durability.sync_data(output.writer.file())?;
        }
        Ok(())
    }

    /// Gives new files their numbers; tells where the messages are.
    pub fn place(
        &mut self,
        map: &mut LockedMap<'_>,
        written: &[Written],
    ) -> Result<Vec<Place>, Failed> {
        let mut renamed = false;
        for at in 0..self.outputs.len() {
            let is_used = written.iter().any(|written| written.output == at);
            let is_new = self
                .outputs
                .get(at)
                .is_some_and(|output| output.id.is_none());
            if is_used && is_new {
                self.name(at, map)?;
                renamed = true;
            }
        }
        let durability = self.storage.settings.common.durability;
        if renamed {
            let synced = durability.sync_dir(&self.storage.fs, &self.dir);
            synced.map_err(|error| Failed::Nothing(error.into()))?;
        }
        let places = written.iter().map(|written| self.place_of(written));
        places
            .collect::<Option<_>>()
            .ok_or(Failed::Nothing(Error::Limit {
                what: "Message is too large",
            }))
    }

    fn name(&mut self, at: usize, map: &mut LockedMap<'_>) -> Result<(), Failed> {
        let fs = &self.storage.fs;
        let nothing = |error: sys::fs::FsError| Failed::Nothing(error.into());
        let Some(output) = self.outputs.get_mut(at) else {
            return Ok(());
        };
        // The number is reserved before a file has it: a kill leaves a file whose number is not given out
        // again, instead of one that is in the way.
        let (id, path) = loop {
            let id = map.reserve_files(1)?;
            if self
                .storage
                .dirs
                .places()
                .find(fs, &id.file_name())
                .map_err(Failed::Nothing)?
                .is_none()
            {
                break (id, self.dir.join(id.file_name()));
            }
        };
        fs.rename(&output.path, &path).map_err(nothing)?;
        output.path = path;
        output.id = Some(id);
        Ok(())
    }

    fn place_of(&self, written: &Written) -> Option<Place> {
        Some(Place {
            file: self.outputs.get(written.output)?.id?,
            offset: u32::try_from(written.extent.offset).ok()?,
            size: u32::try_from(written.extent.size).ok()?,
        })
    }

    /// The map knows what was written, or may know it.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Gives the locks back; what is not kept goes.
    pub fn release(&mut self) {
        for output in std::mem::take(&mut self.outputs) {
            self.end(output);
        }
    }

    fn end(&self, mut output: Output) {
        match output.begun {
            _ if self.is_kept && output.id.is_some() => {}
            Some(begun) if output.writer.end() > begun => {
                if let Err(error) = output.writer.roll_back(begun) {
                    tracing::warn!("messages that nobody knows stay: {error}");
                }
            }
            Some(_) => {}
            None => self.remove(&output),
        }
    }

    fn remove(&self, output: &Output) {
        if let Err(error) = self.storage.fs.unlink_if_exists(&output.path) {
            tracing::warn!("an unused file stays: {error}");
        }
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        self.release();
    }
}
