//! Writing `dovecot.index`, and deciding when. FORMATS.md §1.7.

use sys::fs::{FsResult, How};

use super::reader::{Checkpoint, Reader};
use super::rotate::Older;
use super::{Backup, Index, IndexSync};
use crate::bytes::u32_at;
use crate::state::{Header, LogPlace, State, field};
use crate::transaction::Transaction;
use crate::{Error, clock};

/// What a log asks for.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Checkpoint,
    Rotation,
}

impl IndexSync<'_> {
    /// Checkpoint and rotation, when it is time.
    pub(super) fn housekeep(&mut self) -> Result<(), Error> {
        let Some(reader) = self.index().reader().clone() else {
            return Ok(());
        };
        match self.due(&reader) {
            Due::Nothing => return Ok(()),
            Due::Checkpoint => {
                let current = self.index().checkpoint_on_disk();
                if self.is_recent(&reader, current) {
                    // Another process was faster.
                    let reader = Reader {
                        checkpoint: current,
                        read_at_open: 0,
                        ..reader
                    };
                    self.replace(reader);
                    return Ok(());
                }
                let reader = self.index().write_checkpoint(reader)?;
                self.replace(reader);
            }
            Due::Rotation => drop(self.rotate(Older::Kept)?),
        }
        self.drop_old_log()
    }

    fn due(&self, reader: &Reader) -> Due {
        let limits = self.index().options.thresholds;
        let place = reader.place();
        let header = &reader.log.header;
        let age = clock::now().saturating_sub(header.created);
        let large = place.head >= limits.rotate_max;
        let old = place.head >= limits.rotate_min && age >= limits.rotate_age;
        if reader.requests.is_empty() && (large || old) {
            return Due::Rotation;
        }
        let known = reader.checkpoint.place;
        let unknown = match known.file_seq == place.file_seq {
            true => place.head.saturating_sub(known.head),
            false => place.head,
        };
        let behind = known.file_seq != 0 && known.file_seq != place.file_seq;
        if unknown > limits.rewrite_max || reader.read_at_open > limits.rewrite_min || behind {
            return Due::Checkpoint;
        }
        Due::Nothing
    }

    fn is_recent(&self, reader: &Reader, current: Checkpoint) -> bool {
        let (there, here) = (current.place, reader.place());
        let limits = self.index().options.thresholds;
        current != reader.checkpoint
            && there.file_seq == here.file_seq
            && here.head.saturating_sub(there.head) <= limits.rewrite_max.min(limits.rewrite_min)
    }

    /// `.log.2` goes when it is old and the checkpoint no longer needs it.
    fn drop_old_log(&mut self) -> Result<(), Error> {
        let index = self.index();
        let state = self.state().clone();
        let limits = index.options.thresholds;
        let rotated = state.header().log2_rotate_time().filter(|time| *time > 0);
        let needed = index.checkpoint_on_disk().place.file_seq != state.place().file_seq;
        let Some(rotated) = rotated.filter(|_| !needed) else {
            return Ok(());
        };
        if clock::now().saturating_sub(rotated) < limits.log2_age {
            return Ok(());
        }
        index.fs.unlink_if_exists(&index.paths.log2)?;
        let mut transaction = Transaction::external();
        transaction.set_header(field::LOG2_ROTATE_TIME, u32::MAX);
        self.commit(&transaction)?;
        Ok(())
    }
}

impl Index {
    /// Writes the reader's state as `dovecot.index`; the lock is held.
    pub(super) fn write_checkpoint(&self, reader: Reader) -> Result<Reader, Error> {
        let mut state = State::clone(&reader.state);
        state.recount();
        if reader.requests.is_empty() {
            let place = state.place_mut();
            place.tail = place.head;
        }
        let place = state.place();
        // After a power cut it must not know more of the log than there is.
        self.options.durability.sync_data(&reader.log.file)?;
        let written = self.replace_index(&state.encode());
        if written.is_err() {
            let _ = self.fs.unlink_if_exists(&self.paths.temporary);
        }
        written?;
        Ok(Reader {
            checkpoint: Checkpoint {
                place,
                ..self.checkpoint_on_disk()
            },
            read_at_open: 0,
            ..reader
        })
    }

    fn replace_index(&self, bytes: &[u8]) -> FsResult<()> {
        let mode = self.options.file_mode;
        let temporary = &self.paths.temporary;
        // Only who holds the log's lock makes it: what is there was left by a crash.
        self.fs.unlink_if_exists(temporary)?;
        let file = self.fs.open(temporary, How::CreateNew, mode)?;
        file.append(bytes)?;
        self.options.durability.sync_data(&file)?;
        if self.options.backup == Backup::Keep {
            self.keep_backup()?;
        }
        self.fs.rename(temporary, &self.paths.index)
    }

    fn keep_backup(&self) -> FsResult<()> {
        // What is damaged must not take the place of what is not.
        if !self.is_whole()? {
            return Ok(());
        }
        self.fs.unlink_if_exists(&self.paths.new_backup)?;
        self.fs.link(&self.paths.index, &self.paths.new_backup)?;
        self.fs.rename(&self.paths.new_backup, &self.paths.backup)
    }

    /// Does `dovecot.index` look like one, by its header and size?
    fn is_whole(&self) -> FsResult<bool> {
        let Some(file) = sys::fs::found(self.fs.open_read(&self.paths.index))? else {
            return Ok(false);
        };
        let size = file.stat()?.size;
        let mut head = [0; Header::SIZE];
        file.read_at(&mut head, 0)?;
        let number = |at| u64::from(u32_at(&head, at).unwrap_or(0));
        let wanted = number(4) + number(8) * number(field::MESSAGES);
        Ok(Header::decode(&head).is_ok() && size >= wanted)
    }

    /// Where `dovecot.index` stands now; nowhere if it cannot be read.
    pub(super) fn checkpoint_on_disk(&self) -> Checkpoint {
        let read = || -> FsResult<Checkpoint> {
            let file = self.fs.open_read(&self.paths.index)?;
            let stat = file.stat()?;
            let mut head = [0; Header::SIZE];
            file.read_at(&mut head, 0)?;
            let number = |at| u32_at(&head, at).unwrap_or(0);
            Ok(Checkpoint {
                id: Some((&stat).into()),
                place: LogPlace {
                    file_seq: number(field::LOG_SEQ),
                    head: number(field::LOG_HEAD).into(),
                    tail: number(field::LOG_TAIL).into(),
                },
            })
        };
        read().unwrap_or_default()
    }
}
