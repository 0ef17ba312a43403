//! What is in the mail files, whatever the map says.

use dbox::scan::{Piece, pieces};
use dbox::{DboxFile, Key, Message, Place as Where};
use mailbox::Error;
use sys::fs::{Fs, FsFile, found};

use crate::dirs::Dirs;
use crate::guid;
use crate::number::FileId;
use crate::rebuild::plan::Found;
use crate::record::Place;

/// A message that can be made whole again by writing it anew.
#[derive(Debug, Clone)]
pub struct Salvaged {
    /// Which file.
    pub file: FileId,
    /// Where in it, and what is left of its metadata.
    pub message: Message,
}

/// Bytes of a file that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Garbage {
    /// Which file.
    pub file: FileId,
    /// Where they begin.
    pub from: u64,
    /// Where they end.
    pub to: u64,
}

/// Everything in the mail files.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Whole messages, in the order of files and offsets.
    pub found: Vec<Found>,
    /// Messages whose frame is damaged.
    pub salvaged: Vec<Salvaged>,
    /// The rest.
    pub garbage: Vec<Garbage>,
    /// Files that somebody writes to.
    pub busy: Vec<FileId>,
    /// Files of ALT storage whose number a file of the primary one has, too: nobody reads them.
    pub hidden: Vec<FileId>,
    /// No file has a higher number.
    pub highest_file: u32,
}

/// Reads the frame of every message in every file.
///
/// # Errors
/// A file or directory cannot be read: nothing can be said about what is in it.
pub fn scan(fs: &Fs, dirs: &Dirs) -> Result<Scan, Error> {
    let mut scan = Scan::default();
    let places = dirs.places();
    for (id, place) in dirs.files(fs)? {
        scan.highest_file = scan.highest_file.max(id.0);
        if place == Where::Primary
            && let Some(alt) = places.dir(Where::Alt)
            && fs.stat_opt(&alt.join(id.file_name()))?.is_some()
        {
            scan.hidden.push(id);
        }
        let Some(dir) = places.dir(place) else {
            continue;
        };
        if let Some(file) = found(fs.open_read(&dir.join(id.file_name())))? {
            // Held until the file is read: whoever comes later is behind what was seen.
            let lock = fs.open_read(file.path())?;
            if lock.try_flock().is_err() {
                scan.busy.push(id);
            }
            scan.file(id, file)?;
        }
    }
    Ok(scan)
}

impl Scan {
    fn file(&mut self, id: FileId, file: FsFile) -> Result<(), Error> {
        let (mut file, damage) = DboxFile::from_damaged(file)?;
        for piece in pieces(&mut file)? {
            match piece {
                Piece::Whole(message) if damage.is_none() => match found_at(id, &message) {
                    Some(found) => self.found.push(found),
                    None => self.salvaged.push(Salvaged { file: id, message }),
                },
                Piece::Whole(message) | Piece::Salvaged(message) => {
                    self.salvaged.push(Salvaged { file: id, message });
                }
                Piece::Garbage { from, to } => self.garbage.push(Garbage { file: id, from, to }),
            }
        }
        Ok(())
    }
}

/// A message as the map could know it: with a GUID, and within what 32 bits can tell.
fn found_at(file: FileId, message: &Message) -> Option<Found> {
    Some(Found {
        place: place_of(file, message)?,
        guid: guid::from_text(message.guid()?),
    })
}

/// Where a message is, as the map says it; `None`: too far behind or too large.
pub(crate) fn place_of(file: FileId, message: &Message) -> Option<Place> {
    Some(Place {
        file,
        offset: u32::try_from(message.offset).ok()?,
        size: u32::try_from(message.size()).ok()?,
    })
}

/// The mailbox that a message was saved to, in storage's encoding.
pub(crate) fn first_mailbox(message: &Message) -> Option<String> {
    let name = message.metadata.get(Key::MAILBOX)?;
    Some(std::str::from_utf8(name).ok()?.to_owned())
}
