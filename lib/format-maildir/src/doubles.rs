//! Two files with one base name: the name says that they are one message, and one UID would have to do
//! for both.

use std::path::PathBuf;

use mailbox::Error;
use sys::fs::join;

use crate::maildir::Maildir;
use crate::name;
use crate::record::Place;
use crate::scan::Double;
use crate::unique;

impl Maildir {
    /// The same file twice loses one of its names; of two different messages one gets a name, and with
    /// it a UID, of its own. Tells whether anything was done.
    pub(crate) fn part_doubles(&self, doubles: &[Double]) -> Result<bool, Error> {
        let mut parted = false;
        for Double { keep, other } in doubles {
            parted |= self.part(keep, other)?;
        }
        Ok(parted)
    }

    fn part(&self, keep: &(Place, Box<[u8]>), other: &(Place, Box<[u8]>)) -> Result<bool, Error> {
        let (kept, moved) = (self.path_of(keep), self.path_of(other));
        let stats = (self.fs.stat_opt(&kept)?, self.fs.stat_opt(&moved)?);
        // One of them is gone: it was renamed while we listed.
        let (Some(a), Some(b)) = stats else {
            return Ok(false);
        };
        if (a.dev, a.ino) == (b.dev, b.ino) {
            tracing::warn!("{} and {} are one file", kept.display(), moved.display());
            self.fs.unlink_if_exists(&moved)?;
            return Ok(true);
        }
        let (place, file_name) = other;
        let info = file_name
            .get(name::base(file_name).len()..)
            .unwrap_or_default();
        let own = [unique::base_name().as_bytes(), info].concat();
        let own = self.path_of(&(*place, own.into()));
        tracing::warn!(
            "{} and {} have one name; the second becomes {}",
            kept.display(),
            moved.display(),
            own.display()
        );
        self.fs.rename(&moved, &own)?;
        Ok(true)
    }

    fn path_of(&self, (place, file_name): &(Place, Box<[u8]>)) -> PathBuf {
        join(&self.dir().join(place.dir()), file_name)
    }
}
