//! Purge: gives back the room of messages that nobody refers to, and moves messages between primary and
//! ALT storage. FORMATS.md §2.6, §2.7.
//!
//! For each file: locked → messages that stay are written elsewhere and synced → map locked → what was
//! garbage must still be → map tells the new places and forgets the garbage → map unlocked → the file
//! goes. Whoever is killed before the map knows leaves a copy that nobody knows; after it, a file that
//! nobody knows.

pub mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dbox::{AttachmentDir, DboxFile, ExternalRef, Message, Place as Where, scan, temp};
use mailbox::Error;
use sys::fs::{FsFile, How, found};

use crate::map::locked::Failed;
use crate::map::{LockedMap, Picture};
use crate::number::{FileId, MapUid};
use crate::output::{Outputs, Written};
use crate::purge::plan::{Plan, Stored, Unmapped};
use crate::record::Place;
use crate::recount::Counts;
use crate::storage::Storage;

/// What a purge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Files that went.
    pub files: u32,
    /// Messages that went.
    pub messages: u32,
    /// Messages that were written elsewhere.
    pub moved: u32,
    /// Files that were passed over: in use, or damaged.
    pub skipped: u32,
}

/// A file at work.
struct Work {
    id: FileId,
    path: PathBuf,
    place: Where,
    /// Holds the lock.
    _lock: FsFile,
    file: DboxFile,
    plan: Plan,
}

/// What was read and written for it.
struct Moved {
    outputs: Vec<Outputs>,
    /// Which message, by which of the outputs.
    written: Vec<(Stored, usize, Written)>,
    /// Attachments of the garbage.
    attachments: Vec<ExternalRef>,
}

impl Storage {
    /// Purges the whole storage. `told` is called before each file with the number done and to do.
    ///
    /// # Errors
    /// Something cannot be read or written; what was done stays, and is right.
    pub fn purge(self: &Arc<Self>, told: &mut dyn FnMut(usize, usize)) -> Result<Purged, Error> {
        let (mut picture, mut counts) = self.count_all()?;
        let is_known = |map_uid: &MapUid| picture.stored(*map_uid).is_some();
        if !counts.keys().all(is_known) {
            // What a mailbox refers to and the map does not know may be in a file that nobody knows.
            self.relink("mailboxes refer to messages that are not in the map")?;
            (picture, counts) = self.count_all()?;
        }
        let work = self.files_to_purge(&picture, &counts)?;
        let mut purged = Purged::default();
        for (done, &id) in work.iter().enumerate() {
            told(done, work.len());
            self.purge_file(id, &counts, &mut purged)?;
        }
        self.set_strangers_aside(&picture)?;
        for (_, dir) in self.dirs.places().dirs() {
            found(temp::clean(&self.fs, dir))?;
        }
        Ok(purged)
    }

    fn count_all(self: &Arc<Self>) -> Result<(Picture, Counts), Error> {
        let mut map = self.lock_map()?;
        let counts = self.recount(&mut map)?;
        let picture = map.picture();
        map.finish()?;
        Ok((picture, counts))
    }

    /// Files with garbage, or with messages that belong in the other place.
    fn files_to_purge(
        &self,
        picture: &Picture,
        counts: &Counts,
    ) -> Result<BTreeSet<FileId>, Error> {
        let files = self.dirs.files(&self.fs)?;
        let mut work = BTreeSet::new();
        for stored in picture.all() {
            let file = stored.place.file;
            let here = files.get(&file).copied().unwrap_or(Where::Primary);
            if stored.references == 0 || self.belongs(&stored, counts, here) != here {
                work.insert(file);
            }
        }
        Ok(work)
    }

    /// Where a message is to be: in ALT storage when all who refer to it say so.
    fn belongs(&self, stored: &Stored, counts: &Counts, here: Where) -> Where {
        let Some(count) = counts
            .get(&stored.map_uid)
            .filter(|_| self.dirs.alt.is_some())
        else {
            return here;
        };
        match count.alt {
            0 => Where::Primary,
            alt if alt == count.all => Where::Alt,
            _ => here,
        }
    }

    fn purge_file(
        self: &Arc<Self>,
        id: FileId,
        counts: &Counts,
        purged: &mut Purged,
    ) -> Result<(), Error> {
        let Some((path, place)) = self.dirs.places().find(&self.fs, &id.file_name())? else {
            return self.forget_file(id, purged);
        };
        let Some(work) = self.begin_file(id, (&path, place))? else {
            purged.skipped += 1;
            return Ok(());
        };
        let moved = match self.move_messages(&work, counts) {
            Err(error @ Error::Corrupted { .. }) => {
                tracing::warn!("not purged: {error}");
                purged.skipped += 1;
                return Ok(());
            }
            other => other?,
        };
        let (kept, dropped) = (work.plan.keep.len(), work.plan.drop.len());
        if self.tell_map(&work, moved)? {
            purged.files += 1;
            purged.moved += u32::try_from(kept).unwrap_or(u32::MAX);
            purged.messages += u32::try_from(dropped).unwrap_or(u32::MAX);
        } else {
            purged.skipped += 1;
        }
        Ok(())
    }

    /// The file is nowhere: garbage that was in it is no more.
    fn forget_file(self: &Arc<Self>, id: FileId, purged: &mut Purged) -> Result<(), Error> {
        let mut map = self.lock_map()?;
        if self
            .dirs
            .places()
            .find(&self.fs, &id.file_name())?
            .is_none()
        {
            let picture = map.picture();
            let garbage = picture
                .all()
                .filter(|s| s.place.file == id && s.references == 0);
            let garbage: Vec<MapUid> = garbage.map(|stored| stored.map_uid).collect();
            map.relocate(&[], &garbage).map_err(Failed::into_error)?;
            purged.messages += u32::try_from(garbage.len()).unwrap_or(u32::MAX);
        }
        map.finish()
    }

    /// `None`: somebody writes to the file, or it is not what the map says.
    fn begin_file(&self, id: FileId, (path, place): (&Path, Where)) -> Result<Option<Work>, Error> {
        let Some(lock) = found(self.fs.open(path, How::ReadWrite, 0))? else {
            return Ok(None);
        };
        if !self.lock_file(&lock, path)? {
            return Ok(None);
        }
        // Nobody adds to the file from now on.
        let picture = self.map.picture()?;
        let stored = picture.all().filter(|stored| stored.place.file == id);
        let size = lock.stat()?.size;
        let file = match DboxFile::from_file(lock.clone()) {
            Err(error @ Error::Corrupted { .. }) => {
                tracing::warn!("not purged: {error}");
                return Ok(None);
            }
            other => other?,
        };
        match plan::plan(stored.collect(), file.first_message(), size) {
            Ok(plan) => Ok(Some(Work {
                id,
                path: path.to_owned(),
                place,
                _lock: lock,
                file,
                plan,
            })),
            Err(error) => {
                tracing::warn!("{}: not purged: {error}", path.display());
                Ok(None)
            }
        }
    }

    fn move_messages(self: &Arc<Self>, work: &Work, counts: &Counts) -> Result<Moved, Error> {
        let mut moved = Moved {
            outputs: Vec::new(),
            written: Vec::new(),
            attachments: Vec::new(),
        };
        let mut targets: Vec<Where> = Vec::new();
        let mut file = work.file.fresh();
        for stored in &work.plan.keep {
            let message = read_at(&mut file, stored.place)?;
            let target = self.belongs(stored, counts, work.place);
            let at = targets.iter().position(|known| *known == target);
            let at = at.unwrap_or_else(|| {
                let dir = self.dirs.places().dir(target).map(Path::to_owned);
                let dir = dir.unwrap_or_else(|| self.dirs.mail.clone());
                moved.outputs.push(Outputs::in_dir(self, &dir));
                targets.push(target);
                targets.len() - 1
            });
            if let Some(outputs) = moved.outputs.get_mut(at) {
                let size = stored.place.size.into();
                let written = outputs.write(size, Some(work.id), &mut |writer| {
                    writer.copy(&file, &message, &message.metadata)
                })?;
                moved.written.push((*stored, at, written));
            }
        }
        if self.attachments().is_some() {
            self.find_attachments(work, &mut moved)?;
        }
        moved.outputs.iter().try_for_each(Outputs::sync)?;
        Ok(moved)
    }

    fn find_attachments(&self, work: &Work, moved: &mut Moved) -> Result<(), Error> {
        let picture = self.map.last_picture()?;
        let mut file = work.file.fresh();
        for &map_uid in &work.plan.drop {
            let Some(stored) = picture.stored(map_uid) else {
                continue;
            };
            let message = file.try_message(stored.place.offset.into())?;
            let refs = message.and_then(|message| message.attachments());
            moved.attachments.extend(refs.unwrap_or_default());
        }
        Ok(())
    }

    /// `false`: somebody has taken garbage back meanwhile; everything stays as it was.
    fn tell_map(self: &Arc<Self>, work: &Work, mut moved: Moved) -> Result<bool, Error> {
        let mut map = self.lock_map()?;
        if !is_as_planned(&map.picture(), work) {
            drop(moved);
            map.finish()?;
            return Ok(false);
        }
        let told = relocate(&mut map, work, &mut moved);
        if !matches!(told, Err(Failed::Nothing(_))) {
            moved.outputs.iter_mut().for_each(Outputs::keep);
        }
        told.map_err(Failed::into_error)?;
        drop(moved.outputs);
        map.finish()?;
        self.remove_file(work)?;
        if let Some(attachments) = self.attachments() {
            remove_attachments(attachments, &moved.attachments);
        }
        Ok(true)
    }

    /// Whole messages that the map did not know are set aside, not removed.
    fn remove_file(&self, work: &Work) -> Result<(), Error> {
        self.files.forget(work.id);
        let mut file = work.file.fresh();
        let mut has_strangers = false;
        for Unmapped { offset, .. } in &work.plan.unmapped {
            has_strangers |= file.try_message(*offset)?.is_ok();
        }
        match has_strangers {
            true => self.set_aside(&work.path),
            false => Ok(self.fs.unlink_if_exists(&work.path)?),
        }
    }

    /// Files that no record of the map names: left by writers that were killed.
    fn set_strangers_aside(self: &Arc<Self>, before: &Picture) -> Result<(), Error> {
        let known: BTreeSet<FileId> = before.all().map(|stored| stored.place.file).collect();
        let highest = before.header().highest_file;
        for (&id, &place) in &self.dirs.files(&self.fs)? {
            let dir = self.dirs.places();
            let Some(dir) = dir
                .dir(place)
                .filter(|_| id.0 <= highest && !known.contains(&id))
            else {
                continue;
            };
            let path = dir.join(id.file_name());
            let Some(lock) = found(self.fs.open(&path, How::ReadWrite, 0))? else {
                continue;
            };
            if !self.lock_file(&lock, &path)? {
                continue;
            }
            let map = self.lock_map()?;
            let is_known = map.picture().all().any(|stored| stored.place.file == id);
            map.finish()?;
            if is_known {
                continue;
            }
            let (mut file, _) = DboxFile::from_damaged(lock)?;
            let whole = |piece: &scan::Piece| !matches!(piece, scan::Piece::Garbage { .. });
            match scan::pieces(&mut file)?.iter().any(whole) {
                true => self.set_aside(&path)?,
                false => self.fs.unlink_if_exists(&path)?,
            }
        }
        Ok(())
    }

    /// Under a name that nobody reads.
    fn set_aside(&self, path: &Path) -> Result<(), Error> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".broken");
        tracing::warn!(
            "{}: has messages that nobody knows: set aside",
            path.display()
        );
        Ok(self.fs.rename(path, Path::new(&aside))?)
    }
}

fn read_at(file: &mut DboxFile, place: Place) -> Result<Message, Error> {
    let message = file.message(place.offset.into())?;
    match message.size() == u64::from(place.size) {
        true => Ok(message),
        false => Err(Error::Corrupted {
            path: file.path().to_owned(),
            offset: place.offset.into(),
            what: format!("a message of {} bytes", place.size),
        }),
    }
}

/// Is what stays where it was, and what goes still garbage?
fn is_as_planned(picture: &Picture, work: &Work) -> bool {
    let same = |kept: &Stored| {
        let now = picture.stored(kept.map_uid);
        now.is_some_and(|now| now.place == kept.place)
    };
    let garbage = |map_uid: &MapUid| {
        let now = picture.stored(*map_uid);
        now.is_some_and(|now| now.references == 0 && now.place.file == work.id)
    };
    work.plan.keep.iter().all(same) && work.plan.drop.iter().all(garbage)
}

fn relocate(map: &mut LockedMap<'_>, work: &Work, moved: &mut Moved) -> Result<(), Failed> {
    let mut places: BTreeMap<MapUid, Place> = BTreeMap::new();
    for (at, outputs) in moved.outputs.iter_mut().enumerate() {
        let ours = moved.written.iter().filter(|(_, output, _)| *output == at);
        let (uids, written): (Vec<MapUid>, Vec<Written>) = ours
            .map(|(stored, _, written)| (stored.map_uid, *written))
            .unzip();
        places.extend(uids.into_iter().zip(outputs.place(map, &written)?));
    }
    let places: Vec<(MapUid, Place)> = places.into_iter().collect();
    map.relocate(&places, &work.plan.drop)
}

fn remove_attachments(dir: &AttachmentDir, refs: &[ExternalRef]) {
    if let Err(error) = dir.remove(refs) {
        tracing::warn!("an attachment of a purged message stays: {error}");
    }
}
