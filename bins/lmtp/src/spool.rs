//! A message while it arrives: in memory as long as it is small, else in a file without a name.
//!
//! What comes out is a descriptor that cannot be used to change the message. It is not synced: nothing is
//! acknowledged before the message is in its mailboxes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// Largest message that stays in memory, bytes.
const IN_MEMORY: usize = 128 * 1024;
/// Bytes that are written to the file in one go.
const BLOCK: usize = 64 * 1024;

/// Takes a message piece by piece.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    /// Bytes that are not in the file.
    buffer: Vec<u8>,
    file: Option<Spooled>,
    failure: Option<io::Error>,
}

/// The same file twice, and no name that leads to it.
#[derive(Debug)]
struct Spooled {
    writer: File,
    reader: OwnedFd,
}

impl Spool {
    /// An empty message that, if it becomes large, waits in `directory`.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            buffer: Vec::new(),
            file: None,
            failure: None,
        }
    }

    /// Adds `bytes`. A failure is kept for [`Spool::finish`], and what follows it costs nothing: the
    /// client must be heard out anyway.
    pub async fn append(&mut self, bytes: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        let limit = if self.file.is_some() {
            BLOCK
        } else {
            IN_MEMORY
        };
        if self.buffer.len() > limit
            && let Err(error) = self.write_out().await
        {
            self.fail(error);
        }
    }

    /// The whole message, for reading only.
    ///
    /// # Errors
    /// It found no room, now or earlier.
    pub async fn finish(mut self) -> io::Result<OwnedFd> {
        if self.file.is_some() && self.failure.is_none() {
            self.write_out().await?;
        }
        match (self.failure, self.file) {
            (Some(error), _) => Err(error),
            (None, Some(file)) => Ok(file.reader),
            (None, None) => in_memory(&self.buffer),
        }
    }

    /// Gives the room back at once: others may need it.
    fn fail(&mut self, error: io::Error) {
        self.failure = Some(error);
        self.file = None;
        self.buffer = Vec::new();
    }

    /// Writes the buffer to the file, in a thread of its own: a slow disk delays no other connection.
    async fn write_out(&mut self) -> io::Result<()> {
        let (directory, file, mut buffer) = (
            self.directory.clone(),
            self.file.take(),
            std::mem::take(&mut self.buffer),
        );
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.map_or_else(|| nameless(&directory), Ok)?;
            file.writer.write_all(&buffer)?;
            buffer.clear();
            Ok::<_, io::Error>((file, buffer))
        });
        let (file, buffer) = written.await.map_err(io::Error::other)??;
        self.file = Some(file);
        self.buffer = buffer;
        Ok(())
    }
}

/// Makes a file and removes its name. `O_TMPFILE` could not be opened a second time, for reading only:
/// that leads through /proc, where a process that nobody may trace has no access to itself.
fn nameless(directory: &Path) -> io::Result<Spooled> {
    match nameless_in(directory) {
        // The sandbox of the unit hides the directory: there is always one of our own.
        Err(error) if is_out_of_reach(&error) => {
            nameless_in(&std::env::temp_dir()).map_err(|_| error)
        }
        done => done,
    }
}

fn is_out_of_reach(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(
        error.kind(),
        NotFound | PermissionDenied | ReadOnlyFilesystem
    )
}

fn nameless_in(directory: &Path) -> io::Result<Spooled> {
    let name = ipc::SessionId::random()?;
    let path = directory.join(format!("culver.lmtp.{name}"));
    let writer = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let reader = File::open(&path);
    std::fs::remove_file(&path)?;
    Ok(Spooled {
        writer,
        reader: reader?.into(),
    })
}

fn in_memory(message: &[u8]) -> io::Result<OwnedFd> {
    let memory = memfd_create(
        c"culver-lmtp",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?;
    let mut file = File::from(memory);
    file.write_all(message)?;
    fcntl_add_seals(
        &file,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    async fn spool(directory: &Path, size: usize) -> File {
        let mut spool = Spool::new(directory);
        let message: Vec<u8> = (0..size)
            .map(|index| b'a' + u8::try_from(index % 23).unwrap())
            .collect();
        for piece in message.chunks(10_007) {
            spool.append(piece).await;
            assert!(spool.buffer.capacity() < 4 * IN_MEMORY);
        }
        let file = File::from(spool.finish().await.unwrap());
        let mut read = vec![0; size + 1];
        assert_eq!(file.read_at(&mut read, 0).unwrap_or(0), size);
        assert_eq!(read[..size], message);
        file
    }

    #[tokio::test]
    async fn small_and_large_messages_come_back_and_cannot_be_changed() {
        let directory = tempfile::tempdir().unwrap();
        for size in [0, 1, IN_MEMORY, IN_MEMORY + 1, 1_000_000] {
            let mut file = spool(directory.path(), size).await;
            assert!(file.write_all(b"x").is_err());
            assert!(file.set_len(0).is_err() || size == 0);
        }
        assert_eq!(
            std::fs::read_dir(directory.path()).unwrap().count(),
            0,
            "no name is left"
        );
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_replaced() {
        spool(Path::new("/nonexistent"), IN_MEMORY + 1).await;
    }

    #[tokio::test]
    async fn without_room_it_fails_at_the_end() {
        let mut spool = Spool::new(Path::new("/dev/null/spool"));
        for _ in 0..100 {
            spool.append(&[b'x'; 64 * 1024]).await;
        }
        assert_eq!(spool.buffer.capacity(), 0);
        assert_eq!(
            spool.finish().await.unwrap_err().kind(),
            io::ErrorKind::NotADirectory
        );
    }
}
