//! Writing `dovecot-uidlist`: append, or a new file in its place. The caller holds the dotlock.

use std::path::{Path, PathBuf};

use sys::fs::{Fs, FsError, FsFile, FsResult, How};

use super::load::Stamp;
use mailbox::Durability;

/// What is there now.
pub type Written = (Stamp, FsFile);

/// Adds whole lines at the end of a file of `size` bytes. Where that fails, the file is as it was;
/// where even taking the lines back fails, it is torn, which the next reader repairs.
///
/// # Errors
/// The failed call. After a failed sync nothing that is known of the file may be trusted.
pub fn append(
    fs: &Fs,
    path: &Path,
    size: u64,
    lines: &[u8],
    durability: Durability,
) -> FsResult<Written> {
    let file = fs.open(path, How::Append, 0)?;
    let written = file
        .append(lines)
        .and_then(|()| durability.sync_data(&file));
    match written.and_then(|()| file.stat()) {
        Ok(stat) => Ok((Stamp::of(&stat), file)),
        Err(error) => {
            take_back(&file, size);
            Err(error)
        }
    }
}

fn take_back(file: &FsFile, size: u64) {
    if let Err(error) = file.truncate(size) {
        tracing::error!("{error}; the list is repaired when it is next opened");
    }
}

/// Puts a new file with this content, which comes in pieces, into the place of the old one.
///
/// # Errors
/// The failed call; the old file is still there.
pub fn replace(
    fs: &Fs,
    path: &Path,
    mode: u32,
    content: impl Iterator<Item = Vec<u8>>,
    durability: Durability,
) -> FsResult<Written> {
    let temporary = temporary(path);
    let written = write_new(fs, &temporary, mode, content, durability).and_then(|written| {
        fs.rename(&temporary, path)?;
        Ok(written)
    });
    if written.is_err() {
        let _ = fs.unlink(&temporary);
    }
    let written = written?;
    if let Some(dir) = path.parent() {
        durability.sync_dir(fs, dir)?;
    }
    Ok(written)
}

fn write_new(
    fs: &Fs,
    temporary: &Path,
    mode: u32,
    content: impl Iterator<Item = Vec<u8>>,
    durability: Durability,
) -> FsResult<Written> {
    let file = match fs.open(temporary, How::CreateNew, mode) {
        // Left behind by a writer that was killed: only the owner of the lock makes one.
        Err(FsError { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            fs.unlink_if_exists(temporary)?;
            fs.open(temporary, How::CreateNew, mode)?
        }
        other => other?,
    };
    for piece in content {
        file.append(&piece)?;
    }
    durability.sync_data(&file)?;
    Ok((Stamp::of(&file.stat()?), file))
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}
