//! Carries a plan out, and completes those that somebody died over.
//!
//! Order: plan into the journal → (file grows, with zeros) → for each step: what it writes into the journal
//! → into the file → … → (file shrinks) → journal emptied → the index is told → journal removed. With
//! `mail_fsync=never` the order is the same and nothing is synced. All of it under the file's write lock.
//!
//! As long as there is a journal, even an empty one, nobody believes what the index says of the file: size and
//! time in seconds may be what they were before.

use std::path::PathBuf;

use mailbox::Durability;
use sys::fs::{Fs, FsFile, FsResult, How, found};

use super::plan::{Origin, Piece, Plan, Splice};
use super::record::{self, Order, SLOT, STEP, Step, Sum, TAIL};

/// No plan is larger, bytes.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// What was found of an earlier rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing.
    None,
    /// It had not begun: the file is as it was before.
    Dropped,
    /// It was half done, and is done now.
    Completed,
}

/// The journal of one mbox file.
pub struct Journal {
    /// Where it is, if it is.
    pub path: PathBuf,
    /// All file operations.
    pub fs: Fs,
    /// What is synced.
    pub durability: Durability,
}

/// A rewrite under way.
struct Run<'r> {
    journal: &'r Journal,
    file: &'r FsFile,
    plan: &'r Plan,
    pieces: Vec<Piece>,
    /// The open journal, and where its slots begin.
    log: FsFile,
    slots: u64,
    /// Steps taken, and bytes written by them.
    steps: u64,
    done: u64,
}

impl Journal {
    /// Is there one?
    ///
    /// # Errors
    /// The failed call.
    pub fn exists(&self) -> FsResult<bool> {
        Ok(self.fs.stat_opt(&self.path)?.is_some())
    }

    /// Changes `file`, which is locked for writing and of the length that the plan says. The journal stays,
    /// empty, until the index is told and [`Journal::remove`] is called.
    ///
    /// # Errors
    /// The file is as it was, or the journal remains and whoever locks it next completes the rewrite.
    pub fn run(&self, file: &FsFile, plan: &Plan) -> FsResult<()> {
        if plan.is_empty() {
            return Ok(());
        }
        let new = self.path.with_extension("new");
        self.fs.unlink_if_exists(&new)?;
        let log = self.fs.open(&new, How::CreateNew, 0o600)?;
        let begun = self.begin(log, file, plan).and_then(|run| {
            self.fs.rename(&new, &self.path)?;
            self.sync_dir()?;
            Ok(run)
        });
        let mut run = match begun {
            Ok(run) => run,
            Err(error) => {
                // Nothing has moved yet.
                let _ = self.fs.unlink_if_exists(&new);
                let _ = self.fs.unlink_if_exists(&self.path);
                return Err(error);
            }
        };
        if let Err(error) = run.grow() {
            let _ = file.truncate(plan.old_len());
            let _ = self.fs.unlink(&self.path);
            return Err(error);
        }
        run.go_on()?;
        run.finish(plan.new_len())
    }

    fn begin<'r>(&'r self, log: FsFile, file: &'r FsFile, plan: &'r Plan) -> FsResult<Run<'r>> {
        let order = Order {
            plan: plan.clone(),
            inode: file.stat()?.ino,
            tail: tail_sum(file, plan)?,
        };
        let bytes = record::encode_order(&order);
        let run = Run {
            journal: self,
            file,
            plan,
            pieces: plan.pieces(plan.old_len()),
            slots: bytes.len() as u64,
            log,
            steps: 0,
            done: 0,
        };
        run.log.write_all_at(&bytes, 0)?;
        // The space for all slots is taken before anything moves.
        let total: u64 = run.pieces.iter().map(|piece| piece.len + 12).sum();
        let room = total.saturating_add(4096).min(2 * SLOT);
        write_zeros(&run.log, run.slots, room)?;
        run.sync(Which::Log)?;
        Ok(run)
    }

    fn sync_dir(&self) -> FsResult<()> {
        match self.path.parent() {
            Some(dir) => self.durability.sync_dir(&self.fs, dir),
            None => Ok(()),
        }
    }

    /// The index, on disk, knows the file as it is now, or knows that it does not.
    ///
    /// # Errors
    /// The failed call.
    pub fn remove(&self) -> FsResult<()> {
        self.fs.unlink_if_exists(&self.path)
    }

    /// Completes or drops what an earlier one left. `file` is locked for writing. The journal stays until
    /// [`Journal::remove`].
    ///
    /// # Errors
    /// The rewrite is not completed.
    pub fn recover(&self, file: &FsFile) -> FsResult<Outcome> {
        let Some(log) = found(self.fs.open(&self.path, How::ReadWrite, 0))? else {
            return Ok(Outcome::None);
        };
        let bytes = log.clone().read_all(LARGEST + 2 * SLOT)?;
        let now = file.stat()?;
        let decoded = record::decode_order(&bytes);
        let Some((order, slots)) = decoded.filter(|(order, _)| order.inode == now.ino) else {
            return Ok(Outcome::Dropped);
        };
        let step = newest_step(&bytes, slots);
        drop(bytes);
        let plan = &order.plan;
        let grows = plan.new_len() > plan.old_len();
        let shrinks = plan.new_len() < plan.old_len();
        let is_short = now.size < plan.old_len().max(plan.new_len());
        let is_cut_already = shrinks && (is_short || is_other_tail(file, &order)?);
        // What somebody appended since goes down with the end.
        let end = if shrinks && !is_cut_already {
            now.size
        } else {
            plan.old_len()
        };
        let pieces = plan.pieces(end);
        let mut run = Run {
            journal: self,
            file,
            plan,
            pieces,
            log,
            slots,
            steps: 0,
            done: 0,
        };
        match step {
            Some(step) if !run.has_not_begun(&step)? => {
                if (is_cut_already && !run.is_last(&step)) || (is_short && !shrinks) {
                    give_up(file);
                    return Ok(Outcome::Dropped);
                }
                run.redo(&step)?;
            }
            _ if grows => return self.drop_growing(file, plan),
            _ => return Ok(Outcome::Dropped),
        }
        run.go_on()?;
        let more = end.saturating_sub(plan.old_len());
        run.finish(if is_cut_already {
            now.size
        } else {
            plan.new_len() + more
        })?;
        Ok(Outcome::Completed)
    }

    /// Nothing of the plan is in the file, but perhaps the zeros by which it was to grow.
    fn drop_growing(&self, file: &FsFile, plan: &Plan) -> FsResult<Outcome> {
        let size = file.stat()?.size;
        let wanted = plan.new_len().min(size).saturating_sub(plan.old_len());
        let zeros = zeros_at(file, plan.old_len(), wanted)?;
        if zeros > 0 && plan.old_len() + zeros == size {
            file.truncate(plan.old_len())?;
        } else if zeros > 0 {
            // Mail came behind them.
            let mut cut = Plan::new(size);
            let _ = cut.push(Splice {
                at: plan.old_len(),
                cut: zeros,
                put: Vec::new(),
            });
            self.run(file, &cut)?;
        }
        Ok(Outcome::Dropped)
    }
}

fn give_up(file: &FsFile) {
    let path = file.path().display();
    tracing::error!("{path}: was cut short by another program while a rewrite was not finished");
}

#[derive(Clone, Copy)]
enum Which {
    Log,
    File,
}

impl Run<'_> {
    fn sync(&self, which: Which) -> FsResult<()> {
        self.journal.durability.sync_data(match which {
            Which::Log => &self.log,
            Which::File => self.file,
        })
    }

    /// Takes the space before anything moves.
    fn grow(&self) -> FsResult<()> {
        let more = self.plan.new_len().saturating_sub(self.plan.old_len());
        if more == 0 {
            return Ok(());
        }
        write_zeros(self.file, self.plan.old_len(), more)?;
        self.sync(Which::File)
    }

    /// A first step of which nothing is in the file yet.
    fn has_not_begun(&self, step: &Step) -> FsResult<bool> {
        Ok(step.number == 1 && self.old_sum(&step.writes)? == step.old)
    }

    fn is_last(&self, step: &Step) -> bool {
        step.after >= self.pieces.iter().map(|piece| piece.len).sum()
    }

    fn old_sum(&self, writes: &[(u64, Vec<u8>)]) -> FsResult<Sum> {
        let mut held = Vec::new();
        for (at, bytes) in writes {
            held.extend(read(self.file, *at, bytes.len() as u64)?);
        }
        Ok(record::sum(&held))
    }

    fn redo(&mut self, step: &Step) -> FsResult<()> {
        self.steps = step.number;
        self.apply(step)
    }

    fn go_on(&mut self) -> FsResult<()> {
        loop {
            let mut step = self.next_step()?;
            if step.writes.is_empty() {
                return Ok(());
            }
            if step.number == 1 {
                step.old = self.old_sum(&step.writes)?;
            }
            let slot = (step.number - 1) % 2 * SLOT;
            self.log.write_all_at(&step.encode(), self.slots + slot)?;
            self.sync(Which::Log)?;
            self.steps = step.number;
            self.apply(&step)?;
        }
    }

    fn apply(&mut self, step: &Step) -> FsResult<()> {
        for (at, bytes) in &step.writes {
            self.file.write_all_at(bytes, *at)?;
        }
        self.done = step.after;
        self.sync(Which::File)
    }

    fn next_step(&self) -> FsResult<Step> {
        let mut step = Step {
            number: self.steps + 1,
            before: self.done,
            ..Step::default()
        };
        let mut skip = self.done;
        let mut size = 0;
        step.after = self.done;
        for piece in &self.pieces {
            let mut done = skip.min(piece.len);
            skip -= done;
            while done < piece.len {
                let room = STEP.saturating_sub(size + 12) as u64;
                let part = piece.part(done, room);
                if part.is_empty() {
                    return Ok(step);
                }
                let count = part.end - part.start;
                let bytes = self.bytes(piece, part.clone())?;
                size += bytes.len() + 12;
                step.writes.push((piece.to + part.start, bytes));
                done += count;
                step.after += count;
            }
        }
        Ok(step)
    }

    fn bytes(&self, piece: &Piece, part: std::ops::Range<u64>) -> FsResult<Vec<u8>> {
        match piece.origin {
            Origin::Old(from) => read(self.file, from + part.start, part.end - part.start),
            Origin::Put(number) => {
                let place = |at| usize::try_from(at).unwrap_or(usize::MAX);
                let put = self
                    .plan
                    .splices()
                    .get(number)
                    .map_or(&[][..], |splice| &splice.put);
                let bytes = put.get(place(part.start)..place(part.end));
                Ok(bytes.unwrap_or_default().to_vec())
            }
        }
    }

    fn finish(self, new_len: u64) -> FsResult<()> {
        if self.file.stat()?.size > new_len && self.plan.new_len() < self.plan.old_len() {
            self.file.truncate(new_len)?;
            self.sync(Which::File)?;
        }
        // Emptied first: a name may come back after a power cut, the content does not.
        self.log.truncate(0)?;
        self.sync(Which::Log)
    }
}

fn newest_step(journal: &[u8], slots: u64) -> Option<Step> {
    let slots = usize::try_from(slots).ok()?;
    let slot = usize::try_from(SLOT).ok()?;
    let places = [slots, slots.checked_add(slot)?];
    let steps = places
        .into_iter()
        .filter_map(|at| Step::decode(journal.get(at..)?));
    steps.max_by_key(|step| step.number)
}

fn read(file: &FsFile, at: u64, count: u64) -> FsResult<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(count).unwrap_or(0)];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let read = file.read_at(rest, at + filled as u64)?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Of what the plan will cut off at the end, as the file holds it now.
fn tail_sum(file: &FsFile, plan: &Plan) -> FsResult<Sum> {
    let tail = plan.old_len().saturating_sub(plan.new_len()).min(TAIL);
    Ok(record::sum(&read(file, plan.new_len(), tail)?))
}

/// What was to be cut off is gone, and what is there came since. File systems empty the rest of a block before
/// they shorten the file: when the power went between, zeros are in the place of the tail. Mail does not
/// begin with those.
fn is_other_tail(file: &FsFile, order: &Order) -> FsResult<bool> {
    let plan = &order.plan;
    Ok(tail_sum(file, plan)? != order.tail && zeros_at(file, plan.new_len(), 1)? == 0)
}

/// How many of the `most` bytes at `at` are zero before the first that is not.
fn zeros_at(file: &FsFile, at: u64, most: u64) -> FsResult<u64> {
    let mut found = 0;
    while found < most {
        let bytes = read(file, at + found, (most - found).min(STEP as u64))?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        found += zeros as u64;
        if zeros < bytes.len() || bytes.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn write_zeros(file: &FsFile, at: u64, count: u64) -> FsResult<()> {
    const CHUNK: usize = 64 * 1024;
    let zeros = vec![0; usize::try_from(count).unwrap_or(CHUNK).min(CHUNK)];
    let mut written = 0;
    while written < count {
        let size = usize::try_from(count - written).unwrap_or(CHUNK).min(CHUNK);
        file.write_all_at(zeros.get(..size).unwrap_or(&zeros), at + written)?;
        written += size as u64;
    }
    Ok(())
}
