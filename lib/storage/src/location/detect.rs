//! What is there, where the setting does not say: as Dovecot looks, but for mdbox, whose directory has
//! all that sdbox's has.

use std::path::{Path, PathBuf};

use mailbox::Error;
use sys::fs::{Fs, FsResult};

use super::Format;

/// Directories of a home, in the order in which they are tried.
const HOMES: [(&str, Format); 5] = [
    ("sdbox", Format::Sdbox),
    ("mdbox", Format::Mdbox),
    ("Maildir", Format::Maildir),
    ("mail", Format::Mbox),
    ("Mail", Format::Mbox),
];

/// The mail in a home; `None`: there is none yet.
///
/// # Errors
/// The failed call.
pub fn in_home(fs: &Fs, home: &Path) -> Result<Option<(Format, PathBuf)>, Error> {
    for (name, format) in HOMES {
        let root = home.join(name);
        if has(fs, &root, format)? {
            return Ok(Some((format, root)));
        }
    }
    Ok(None)
}

/// What a directory holds; `None`: nothing that we know.
///
/// # Errors
/// The failed call.
pub fn of_root(fs: &Fs, root: &Path) -> Result<Option<Format>, Error> {
    for format in [Format::Mdbox, Format::Sdbox, Format::Maildir, Format::Mbox] {
        if has(fs, root, format)? {
            return Ok(Some(format));
        }
    }
    Ok(None)
}

fn has(fs: &Fs, root: &Path, format: Format) -> FsResult<bool> {
    let exists = |name: &str| Ok(fs.stat_opt(&root.join(name))?.is_some());
    let is_dir = |name: &str| {
        let stat = fs.stat_opt(&root.join(name))?;
        Ok(stat.is_some_and(|stat| stat.is_dir()))
    };
    match format {
        Format::Mdbox => is_dir("storage"),
        Format::Sdbox => is_dir("mailboxes"),
        Format::Maildir => is_dir("cur"),
        Format::Mbox => Ok(is_dir(super::IMAP_DIR)? || exists("inbox")? || exists("mbox")?),
    }
}
