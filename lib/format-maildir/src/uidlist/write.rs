//! Writing `dovecot-uidlist` and `dovecot-keywords`: append, or a new file in the place of the old one. The caller
//! holds the uidlist's dotlock.

use std::path::{Path, PathBuf};

use sys::fs::{Fs, FsError, FsFile, FsResult, How, Time};

use super::load::Stamp;
use mailbox::Durability;

/// What is there now.
pub type Written = (Stamp, FsFile);

/// How a new file is made.
#[derive(Clone, Copy, Debug)]
pub struct Making {
    /// Its permissions.
    pub mode: u32,
    /// Whether it is synced.
    pub durability: Durability,
    /// Its modification time is in a later second than this.
    pub later_than: Option<Time>,
}

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
    making: Making,
    content: impl Iterator<Item = Vec<u8>>,
) -> FsResult<Written> {
    let temporary = temporary(path);
    let written = write_new(fs, &temporary, making, content).and_then(|written| {
        fs.rename(&temporary, path)?;
        Ok(written)
    });
    if written.is_err() {
        let _ = fs.unlink(&temporary);
    }
    let written = written?;
    if let Some(dir) = path.parent() {
        making.durability.sync_dir(fs, dir)?;
    }
    Ok(written)
}

fn write_new(
    fs: &Fs,
    temporary: &Path,
    making: Making,
    content: impl Iterator<Item = Vec<u8>>,
) -> FsResult<Written> {
    let file = match fs.open(temporary, How::CreateNew, making.mode) {
        // Left behind by a writer that was killed: only the owner of the lock makes one.
        Err(FsError { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            fs.unlink_if_exists(temporary)?;
            fs.open(temporary, How::CreateNew, making.mode)?
        }
        other => other?,
    };
    for piece in content {
        file.append(&piece)?;
    }
    if let Some(old) = making.later_than
        && file.stat()?.mtime.sec <= old.sec
    {
        let (sec, nsec) = (old.sec.saturating_add(1), 0);
        file.set_mtime(Time { sec, nsec })?;
    }
    making.durability.sync_data(&file)?;
    Ok((Stamp::of(&file.stat()?), file))
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_of_a_later_second() {
        let dir = tempfile::tempdir().unwrap();
        let (fs, path) = (Fs::real(), dir.path().join("file"));
        let (sec, nsec) = (1 << 33, 999_999_999);
        let mut making = Making {
            mode: 0o600,
            durability: Durability::Unsynced,
            later_than: Some(Time { sec, nsec }),
        };
        let make = |making| {
            let content = [b"one".to_vec(), b"two".to_vec()].into_iter();
            replace(&fs, &path, making, content).unwrap().0.mtime
        };
        assert_eq!(make(making).sec, sec + 1);
        making.later_than = Some(Time { sec: 1, nsec });
        assert!((2..sec).contains(&make(making).sec));
        assert_eq!(std::fs::read(&path).unwrap(), b"onetwo");
    }
}
