//! What the configuration says to every format.

use std::path::Path;

use compress::Encoding;
use sys::fs::{Fs, FsFile, FsResult};

/// `mail_fsync`: what is synced before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// `optimized`: whatever is acknowledged of messages; changes of flags within a second.
    #[default]
    Synced,
    /// `always`: whatever is acknowledged.
    Always,
    /// `never`: the kernel writes when it likes.
    Unsynced,
}

impl Durability {
    /// `fdatasync`, if it is wanted.
    ///
    /// # Errors
    /// The failed call.
    pub fn sync_data(self, file: &FsFile) -> FsResult<()> {
        match self {
            Self::Synced | Self::Always => file.sync_data(),
            Self::Unsynced => Ok(()),
        }
    }

    /// `fsync`, if it is wanted.
    ///
    /// # Errors
    /// The failed call.
    pub fn sync_all(self, file: &FsFile) -> FsResult<()> {
        match self {
            Self::Synced | Self::Always => file.sync_all(),
            Self::Unsynced => Ok(()),
        }
    }

    /// `fsync` of a directory, if it is wanted.
    ///
    /// # Errors
    /// The failed call.
    pub fn sync_dir(self, fs: &Fs, dir: &Path) -> FsResult<()> {
        match self {
            Self::Synced | Self::Always => fs.sync_dir(dir),
            Self::Unsynced => Ok(()),
        }
    }
}

/// How new messages end their lines: `mail_save_crlf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LineEnds {
    /// LF, as Dovecot does unless told otherwise.
    #[default]
    Lf,
    /// CRLF.
    Crlf,
}

/// Of one mailbox, whatever its format. A format's own settings are its constructor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is synced.
    pub durability: Durability,
    /// Of new messages.
    pub line_ends: LineEnds,
    /// How new messages are compressed: `zlib_save`.
    pub compression: Option<Encoding>,
    /// Permission bits of new files.
    pub file_mode: u32,
    /// Permission bits of new directories.
    pub dir_mode: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            line_ends: LineEnds::default(),
            compression: None,
            file_mode: 0o600,
            dir_mode: 0o700,
        }
    }
}
