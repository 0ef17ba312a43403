//! A password file on disk: its content, and how a changed one is told.

use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use super::parse::{Content, parse};

/// Largest password file, bytes.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A file in memory.
#[derive(Debug)]
pub(super) struct Loaded {
    pub stamp: Stamp,
    pub content: Arc<Content>,
    /// Somebody reads it anew; others still take the old content.
    pub reading: bool,
}

impl Stamp {
    /// The stamp of the file at `path`.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from(&metadata))
    }
}

impl From<&std::fs::Metadata> for Stamp {
    fn from(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Reads a file. The stamp is older than the content, so a change in between is read again at the next lookup.
pub(super) fn read(path: &Path) -> Result<(Stamp, Content), String> {
    let failed = |call: &'static str| {
        move |error: io::Error| format!("{call}({}) failed: {error}", path.display())
    };
    let file = std::fs::File::open(path).map_err(failed("open"))?;
    let stamp = Stamp::from(&file.metadata().map_err(failed("fstat"))?);
    let mut text = zeroize::Zeroizing::new(Vec::new());
    file.take(MAX_FILE)
        .read_to_end(&mut text)
        .map_err(failed("read"))?;
    Ok((stamp, parse(&text)))
}
