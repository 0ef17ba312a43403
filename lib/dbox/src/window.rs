//! Small reads of one file, served from the last piece that was read: a small message costs one call.

use std::path::Path;

use mailbox::Error;
use sys::fs::FsFile;

/// Bytes read at once.
const PIECE: usize = 8 * 1024;

/// An open file and its last piece.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    file: FsFile,
    start: u64,
    piece: Vec<u8>,
    /// The piece ended with the file.
    is_last: bool,
}

impl Window {
    pub(crate) fn new(file: FsFile) -> Self {
        Self {
            file,
            start: 0,
            piece: Vec::new(),
            is_last: false,
        }
    }

    pub(crate) fn file(&self) -> &FsFile {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The bytes from `at` on: `len` of them, or more, or what there is up to the end of the file.
    pub(crate) fn get(&mut self, at: u64, len: usize) -> Result<&[u8], Error> {
        let held = self.held(at).len();
        // Behind the last piece others may have written since.
        if held < len && !(self.is_last && held > 0) {
            self.fill(at, len)?;
        }
        Ok(self.held(at))
    }

    /// What of the piece lies at `at` and behind.
    pub(crate) fn held(&self, at: u64) -> &[u8] {
        let skip = at.checked_sub(self.start);
        skip.and_then(|skip| usize::try_from(skip).ok())
            .and_then(|skip| self.piece.get(skip..))
            .unwrap_or_default()
    }

    /// Nothing has been read: a read that a signal cut short looks like the end of the file.
    pub(crate) fn forget(&mut self) {
        self.piece.clear();
        self.is_last = false;
    }

    fn fill(&mut self, at: u64, len: usize) -> Result<(), Error> {
        self.start = at;
        self.piece.clear();
        self.piece.resize(len.max(PIECE), 0);
        self.is_last = false;
        let mut filled = 0;
        while let Some(rest) = self.piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let asked = rest.len();
            let read = self.file.read_at(rest, at.saturating_add(filled as u64));
            let read = read.inspect_err(|_| self.piece.clear())?;
            filled += read;
            // A regular file gives less than was asked for only at its end.
            self.is_last = read < asked;
            if self.is_last || filled >= len {
                break;
            }
        }
        self.piece.truncate(filled);
        Ok(())
    }
}
