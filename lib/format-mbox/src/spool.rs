//! A message that is complete before the mailbox is locked for it: in memory, or in a file without a name.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use sys::fs::{Fs, FsFile, FsResult, How};

/// More than this goes to disk, bytes.
const IN_MEMORY: usize = 256 * 1024;

/// Bytes that can be read again.
pub struct Spool {
    fs: Fs,
    dir: PathBuf,
    memory: Vec<u8>,
    /// What was spilled, and how much.
    file: Option<(FsFile, u64)>,
}

impl Spool {
    /// Empty; a file would be made in `dir`.
    #[must_use]
    pub fn new(fs: &Fs, dir: PathBuf) -> Self {
        Self {
            fs: fs.clone(),
            dir,
            memory: Vec::new(),
            file: None,
        }
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.file.as_ref().map_or(0, |(_, len)| *len) + self.memory.len() as u64
    }

    /// Adds at the end.
    ///
    /// # Errors
    /// The failed call; the spool is of no more use.
    pub fn append(&mut self, bytes: &[u8]) -> FsResult<()> {
        self.memory.extend_from_slice(bytes);
        if self.memory.len() <= IN_MEMORY {
            return Ok(());
        }
        let (file, len) = match &mut self.file {
            Some(file) => file,
            none => none.insert((nameless(&self.fs, &self.dir)?, 0)),
        };
        file.append(&self.memory)?;
        *len += self.memory.len() as u64;
        self.memory.clear();
        Ok(())
    }

    /// Gives the bytes from `from` to `to` out again, in pieces.
    ///
    /// # Errors
    /// The failed call, here or in `put`.
    pub fn read(
        &self,
        (from, to): (u64, u64),
        put: &mut dyn FnMut(&[u8]) -> FsResult<()>,
    ) -> FsResult<()> {
        let spilled = self.file.as_ref().map_or(0, |(_, len)| *len);
        let mut at = from;
        if let Some((file, _)) = &self.file {
            let mut chunk = vec![0; 64 * 1024];
            while at < to.min(spilled) {
                let want = usize::try_from(to.min(spilled) - at)
                    .unwrap_or(usize::MAX)
                    .min(chunk.len());
                let read = file.read_at(chunk.get_mut(..want).unwrap_or_default(), at)?;
                if read == 0 {
                    break;
                }
                put(chunk.get(..read).unwrap_or_default())?;
                at += read as u64;
            }
        }
        let place = |at: u64| usize::try_from(at.saturating_sub(spilled)).unwrap_or(usize::MAX);
        let rest = self.memory.get(place(at)..place(to).min(self.memory.len()));
        match rest {
            Some(rest) if to > spilled && !rest.is_empty() => put(rest),
            _ => Ok(()),
        }
    }
}

fn nameless(fs: &Fs, dir: &std::path::Path) -> FsResult<FsFile> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!(".temp.culver.{}.{number}", std::process::id()));
        match fs.open(&path, How::CreateNew, 0o600) {
            Ok(file) => {
                fs.unlink(&path)?;
                return Ok(file);
            }
            // Of a process that had our number.
            Err(error) if error.is_exists() => fs.unlink_if_exists(&path)?,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out() {
        for size in [0, 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY + 5] {
            let dir = tempfile::tempdir().unwrap();
            let mut spool = Spool::new(&Fs::real(), dir.path().to_owned());
            let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
            for piece in bytes.chunks(10_007) {
                spool.append(piece).unwrap();
            }
            assert_eq!(spool.len(), size as u64);
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
            for (from, to) in [
                (0, size),
                (size / 3, size),
                (size / 2, size - size / 4),
                (size, size),
            ] {
                let mut out = Vec::new();
                let mut put = |piece: &[u8]| {
                    out.extend_from_slice(piece);
                    Ok(())
                };
                spool.read((from as u64, to as u64), &mut put).unwrap();
                assert!(out == bytes[from..to], "{size} {from} {to}");
            }
        }
    }
}
