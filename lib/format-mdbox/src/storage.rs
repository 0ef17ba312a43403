//! One mdbox storage: the map and the mail files, which its mailboxes share.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dbox::{AttachmentDir, DboxFile, Message};
use mailbox::{Error, Guid};
use sys::fs::{Fs, FsFile};

use crate::dirs::Dirs;
use crate::files::Files;
use crate::guid;
use crate::map::{LockedMap, Map};
use crate::number::{FileId, MapUid};
use crate::rebuild::{Extent, Run};
use crate::settings::Settings;

/// Shared by all mailboxes of a user that are in one place, and all sessions of the process.
#[derive(Debug)]
pub struct Storage {
    pub(crate) fs: Fs,
    pub(crate) dirs: Dirs,
    pub(crate) settings: Settings,
    pub(crate) map: Map,
    pub(crate) files: Files,
    /// Messages that a rebuild did not find.
    missing: Mutex<HashSet<MapUid>>,
}

impl Storage {
    /// Nothing is read before it is asked for.
    #[must_use]
    pub fn new(fs: Fs, dirs: Dirs, settings: Settings) -> Self {
        Self {
            map: Map::new(fs.clone(), dirs.clone(), settings.common),
            files: Files::new(fs.clone(), dirs.places()),
            missing: Mutex::default(),
            fs,
            dirs,
            settings,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn dirs(&self) -> &Dirs {
        &self.dirs
    }

    /// The map.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// Locks a mail file against whoever appends to it or purges it. `false`: somebody does, or the file
    /// is no longer the one at its path.
    pub(crate) fn lock_file(&self, file: &FsFile, path: &Path) -> Result<bool, Error> {
        match file.try_flock() {
            Ok(()) => {}
            Err(error) if error.source.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let (ours, there) = (file.stat()?, self.fs.stat_opt(path)?);
        Ok(there.is_some_and(|there| (there.dev, there.ino) == (ours.dev, ours.ino)))
    }

    /// A file whose header may be damaged; `None`: it is nowhere.
    pub(crate) fn open_damaged(&self, id: FileId) -> Result<Option<DboxFile>, Error> {
        let Some((path, _)) = self.dirs.places().find(&self.fs, &id.file_name())? else {
            return Ok(None);
        };
        let (file, _) = DboxFile::from_damaged(self.fs.open_read(&path)?)?;
        Ok(Some(file))
    }

    pub(crate) fn attachments(&self) -> Option<&AttachmentDir> {
        self.settings.attachments.as_ref()
    }

    /// Waits for the map's lock. What others have left undone is done first.
    ///
    /// # Errors
    /// The map cannot be locked, read or repaired.
    pub(crate) fn lock_map(self: &Arc<Self>) -> Result<LockedMap<'_>, Error> {
        let mut map = self.map.lock()?;
        if self.map.is_lost() || map.picture().is_repaired() {
            map.finish()?;
            self.relink("the map is not what it was")?;
            map = self.map.lock()?;
        }
        if map.is_unfinished() {
            // Dovecot was killed between two changes.
            self.recount(&mut map)?;
        }
        Ok(map)
    }

    /// Links again what can be found.
    pub(crate) fn relink(self: &Arc<Self>, why: &str) -> Result<(), Error> {
        let map = self.dirs.map.display();
        tracing::warn!("{map}: {why}: rebuilding");
        for finding in self.rebuild(Extent::Relink, Run::Real)? {
            tracing::warn!("{map}: {finding}");
        }
        Ok(())
    }

    /// A message is not where it should be: looks for it, once.
    pub(crate) fn relink_once(self: &Arc<Self>, map_uid: MapUid) -> Result<(), Error> {
        let missing = || self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if !missing().insert(map_uid) {
            return Ok(());
        }
        self.relink("a message is not where it should be")
    }

    /// A message that the map knows. `guid`: what a mailbox calls it; another message at its place is
    /// damage.
    ///
    /// # Errors
    /// [`Error::Corrupted`]: the map does not know it, or it is not where the map says.
    pub(crate) fn read(
        &self,
        map_uid: MapUid,
        guid: Option<Guid>,
    ) -> Result<(DboxFile, Message), Error> {
        let mut stored = self.map.last_picture()?.stored(map_uid);
        let mut failed = None;
        loop {
            if let Some(stored) = stored {
                match self.files.message(stored.place) {
                    Ok(Some(read)) if is_named(&read.1, guid) => return Ok(read),
                    Ok(Some(_)) => failed = Some(self.damaged(map_uid, "another message's GUID")),
                    Ok(None) => failed = Some(self.damaged(map_uid, "no such mail file")),
                    Err(error) => failed = Some(error),
                }
                self.files.forget(stored.place.file);
            }
            // A purge may have moved it.
            let now = self.map.picture()?.stored(map_uid);
            let moved = now.map(|now| now.place) != stored.map(|stored| stored.place);
            if !moved {
                let unknown = || self.damaged(map_uid, "no such message in the map");
                return Err(failed.unwrap_or_else(unknown));
            }
            stored = now;
        }
    }

    fn damaged(&self, map_uid: MapUid, what: &str) -> Error {
        Error::Corrupted {
            path: self.dirs.map.join("dovecot.map.index"),
            offset: 0,
            what: format!("map uid {map_uid}: {what}"),
        }
    }
}

/// Ancient messages have no GUID.
fn is_named(message: &Message, expected: Option<Guid>) -> bool {
    match (message.guid(), expected) {
        (Some(text), Some(expected)) => guid::from_text(text) == expected,
        _ => true,
    }
}
