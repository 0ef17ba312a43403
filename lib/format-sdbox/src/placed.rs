//! Messages on their way to their names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dbox::{AttachmentDir, ExternalRef};
use index::cache::FieldId;
use mailbox::{Error, Flags, Keyword, Uid};
use sys::fs::Fs;

use crate::name;
use crate::sdbox::Sdbox;

/// A temporary file, gone with this value unless it was put in its place.
#[derive(Debug)]
pub(crate) struct Temp {
    fs: Fs,
    path: PathBuf,
    is_placed: bool,
}

impl Temp {
    pub fn new(fs: Fs, path: PathBuf) -> Self {
        Self {
            fs,
            path,
            is_placed: false,
        }
    }

    /// Renames it.
    pub fn place(&mut self, to: &Path) -> Result<(), Error> {
        // Counted as placed before it is tried: what fails may have happened.
        self.is_placed = true;
        let moved = self.fs.rename(&self.path, to);
        self.is_placed = moved.is_ok();
        Ok(moved?)
    }

    /// From its place, if it ever got there.
    fn take_back(&mut self, from: &Path) -> Result<(), Error> {
        match self.fs.rename(from, &self.path) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        self.is_placed = false;
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.is_placed {
            // What stays is cleaned up after 36 hours.
            let _ = self.fs.unlink_if_exists(&self.path);
        }
    }
}

/// Where a new message's bytes are.
pub(crate) enum Source {
    /// In a file of its own, durable.
    Temp(Temp),
    /// In another message's file.
    Linked {
        /// Whose mailbox.
        from: Arc<Sdbox>,
        /// Which message.
        uid: Uid,
    },
}

/// A message that waits for the commit.
pub(crate) struct Pending {
    pub source: Source,
    pub flags: Flags,
    pub keywords: Vec<Keyword>,
    /// Attachments to be shared, and where the original has them.
    pub attachments: Option<(AttachmentDir, Vec<ExternalRef>)>,
    /// For the cache.
    pub known: Vec<(FieldId, Vec<u8>)>,
}

/// Did a message get its name?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is there.
    Placed,
    /// The original of a copy is gone.
    Vanished,
}

impl Sdbox {
    /// Gives a message the name of its UID, the log being locked.
    pub(crate) fn place(&self, pending: &mut Pending, uid: Uid) -> Result<Outcome, Error> {
        let to = self.context.place.mail.join(name::of_mail(uid));
        if self.move_away(&to)? {
            // It was not the only one.
            self.clear_the_way(uid.get().saturating_add(1))?;
        }
        match &mut pending.source {
            Source::Temp(temp) => {
                temp.place(&to)?;
                Ok(Outcome::Placed)
            }
            Source::Linked { from, uid } => {
                match copy_of(from, *uid, &to)? {
                    Linked::Done => Ok(Outcome::Placed),
                    Linked::Gone => Ok(Outcome::Vanished),
                    // Too many links, or a file system that has none.
                    Linked::Refused => {
                        let (from, uid) = (Arc::clone(from), *uid);
                        let mut temp = self.copy_bytes(&from, uid)?;
                        temp.place(&to)?;
                        pending.source = Source::Temp(temp);
                        Ok(Outcome::Placed)
                    }
                }
            }
        }
    }

    /// What a killed writer left under the names of the next messages: nobody was told of them.
    fn clear_the_way(&self, from: u32) -> Result<(), Error> {
        for uid in (from..u32::MAX).filter_map(Uid::new) {
            let path = self.context.place.mail.join(name::of_mail(uid));
            if !self.move_away(&path)? {
                break;
            }
        }
        Ok(())
    }

    /// Was something there?
    fn move_away(&self, path: &Path) -> Result<bool, Error> {
        if self.context.fs.stat_opt(path)?.is_none() {
            return Ok(false);
        }
        let away = name::quarantine(path);
        tracing::warn!(
            "{}: a message that was never finished; now {}",
            path.display(),
            away.display()
        );
        self.context.fs.rename(path, &away)?;
        Ok(true)
    }

    /// Takes a message back out of its place, after a failure; as far as that goes.
    pub(crate) fn unplace(&self, pending: &mut Pending, uid: Uid) {
        let path = self.context.place.mail.join(name::of_mail(uid));
        let result = match &mut pending.source {
            Source::Temp(temp) => temp.take_back(&path),
            Source::Linked { .. } => self.context.fs.unlink_if_exists(&path).map_err(Error::from),
        };
        if let Err(error) = result {
            tracing::error!("{error}; the next save moves it out of the way");
        }
    }
}

enum Linked {
    Done,
    Gone,
    Refused,
}

/// A hard link to a message's file, primary or ALT.
fn copy_of(from: &Sdbox, uid: Uid, to: &Path) -> Result<Linked, Error> {
    let fs = &from.context.fs;
    let Some((path, _)) = from.places.find(fs, &name::of_mail(uid))? else {
        return Ok(Linked::Gone);
    };
    match fs.link(&path, to) {
        Ok(()) => Ok(Linked::Done),
        Err(error) if error.is_not_found() => Ok(Linked::Gone),
        Err(error) if needs_bytes(&error.source) => Ok(Linked::Refused),
        Err(error) => Err(error.into()),
    }
}

/// Another file system, too many links, or a file system or kernel setting that forbids them.
fn needs_bytes(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::CrossesDevices
            | ErrorKind::TooManyLinks
            | ErrorKind::PermissionDenied
            | ErrorKind::Unsupported
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_never_got_its_place_is_taken_back_without_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".temp.1");
        std::fs::write(&path, b"mail").unwrap();
        let mut temp = Temp::new(Fs::real(), path.clone());
        temp.place(&dir.path().join("nowhere/u.1")).unwrap_err();
        temp.take_back(&dir.path().join("u.1")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"mail");
        drop(temp);
        assert!(!path.exists());
    }
}
