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
}

impl Window {
    pub(crate) fn new(file: FsFile) -> Self {
        Self {
            file,
            start: 0,
            piece: Vec::new(),
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
        if self.held(at).len() < len {
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

    fn fill(&mut self, at: u64, len: usize) -> Result<(), Error> {
        self.start = at;
        self.piece.clear();
        self.piece.resize(len.max(PIECE), 0);
        let mut filled = 0;
        while let Some(rest) = self.piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let read = self.file.read_at(rest, at.saturating_add(filled as u64));
            let read = read.inspect_err(|_| self.piece.clear())?;
            filled += read;
            // Whoever wants more than this piece asks for more.
            if read == 0 || filled >= len {
                break;
            }
        }
        self.piece.truncate(filled);
        Ok(())
    }
}
