//! Saves of several sessions in one transaction: whoever gets the uidlist's lock takes along all that wait
//! for it, so that they share its syncs. FORMATS.md §4.4: rename → sync of the directory → uidlist → log.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use index::cache::FieldId;
use index::log::record::Toggle;
use index::{Learnt, State, Transaction};
use mailbox::{Appended, Error, Flags, Keyword, Uid, UidSet, UidValidity};
use sys::fs::dotlock::Dotlock;

use crate::ext::{ListTimes, SyncHeader};
use crate::files::Files;
use crate::maildir::Maildir;
use crate::name::{self, Letters};
use crate::open::Opened;
use crate::record::{Place, Record};
use crate::scan;
use crate::stamp::OwnChange;
use crate::uidlist::load::Stamp;
use crate::unique;

/// A message that waits in `tmp/` for the commit.
pub(crate) struct Pending {
    pub tmp: PathBuf,
    /// Without info; may be taken in this mailbox.
    pub base: Vec<u8>,
    /// A copied message keeps it, whatever its name.
    pub guid: Option<Vec<u8>>,
    pub flags: Flags,
    pub keywords: Vec<Keyword>,
    /// What the cache may want to know.
    pub known: Vec<(FieldId, Vec<u8>)>,
}

/// Those that wait.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Vec<Arc<Job>>>,
    /// Whoever has it commits for all that wait.
    leader: Mutex<()>,
}

/// One session's messages.
struct Job {
    messages: Mutex<Vec<Pending>>,
    outcome: Mutex<Option<Result<Appended, Error>>>,
}

/// What new messages follow.
struct Base {
    uid_validity: UidValidity,
    next_uid: u64,
    /// Of the list, bytes.
    size: u64,
}

/// Where a pending message goes.
struct Placed {
    tmp: PathBuf,
    to: PathBuf,
    record: Record,
    /// What has no letter is the index's alone.
    keywords: Vec<Keyword>,
    known: Vec<(FieldId, Vec<u8>)>,
}

impl Maildir {
    /// Makes messages visible and durable, all or none. What stays in `tmp/` goes.
    pub(crate) fn commit(&self, messages: Vec<Pending>) -> Result<Appended, Error> {
        let job = Arc::new(Job {
            messages: Mutex::new(messages),
            outcome: Mutex::default(),
        });
        locked(&self.queue.waiting).push(Arc::clone(&job));
        let _leading = locked(&self.queue.leader);
        if let Some(outcome) = locked(&job.outcome).take() {
            return outcome;
        }
        let batch = std::mem::take(&mut *locked(&self.queue.waiting));
        self.lead(&batch);
        let outcome = locked(&job.outcome).take();
        outcome.unwrap_or_else(|| Err(self.corrupted("a save that nobody committed")))
    }

    fn lead(&self, batch: &[Arc<Job>]) {
        match self.commit_batch(batch) {
            Ok(committed) => {
                for (job, committed) in batch.iter().zip(committed) {
                    *locked(&job.outcome) = Some(Ok(committed));
                }
            }
            Err(error) => match batch {
                [job] => *locked(&job.outcome) = Some(Err(error)),
                // One may have spoilt it for the others.
                _ => batch.chunks(1).for_each(|one| self.lead(one)),
            },
        }
    }

    fn commit_batch(&self, batch: &[Arc<Job>]) -> Result<Vec<Appended>, Error> {
        let jobs: Vec<_> = batch.iter().map(|job| locked(&job.messages)).collect();
        let mut files = self.files();
        let lock = self.lock()?;
        self.return_to_disk();
        let all: Vec<&Pending> = jobs.iter().flat_map(|job| job.iter()).collect();
        let (state, base) = self.with_index(|opened| {
            // Only copies bring names along, which may be taken.
            let copies = all.iter().any(|pending| pending.guid.is_some());
            let base = self.base(&mut files, (opened, &lock), (all.len(), copies))?;
            let placed = self.place_all(&mut files, &base, (&all, &lock))?;
            let state = self.publish(&mut files, opened, (&base, placed))?;
            Ok((state, base))
        })?;
        drop(lock);
        if let Some(state) = state {
            self.tell(&mut files, &state);
        }
        let mut uids = (base.next_uid..).filter_map(|uid| Uid::new(u32::try_from(uid).ok()?));
        let told = jobs.iter().map(|job| Appended {
            uid_validity: base.uid_validity,
            uids: uids.by_ref().take(job.len()).collect(),
        });
        Ok(told.collect())
    }

    /// As long as the index knows the list, nobody has to read it.
    fn base(
        &self,
        files: &mut Files,
        (opened, lock): (&Opened, &Dotlock),
        (count, copies): (usize, bool),
    ) -> Result<Base, Error> {
        let state = self.refresh(opened)?;
        scan::stale(self, files, &state).map_err(|error| self.gone(error))?;
        let list = self.fs.stat_opt(&self.list_path())?;
        let next_uid = u64::from(state.header().next_uid());
        if let (Some(list), Some(uid_validity)) =
            (list, UidValidity::new(state.header().uid_validity()))
            && SyncHeader::of(&state).list.is_of(&list)
            && next_uid + (count as u64) < u64::from(u32::MAX)
            && !copies
            && files
                .list_stamp
                .is_none_or(|stamp| stamp == Stamp::of(&list))
        {
            return Ok(Base {
                uid_validity,
                next_uid,
                size: list.size,
            });
        }
        self.read_list(files, &state)?;
        if files.rewrite.is_some() || files.next_uid > next_uid || files.uid_validity.is_none() {
            self.settle(files, (opened, Ok(lock)))?;
            self.read_list(files, &state)?;
        }
        self.make_room(files, count)?;
        if files.rewrite.is_some() {
            self.scan(files, (&state, scan::Stale::Both))?;
            files.forget_dirs();
            self.rewrite(files, files.next_uid, crate::assign::Keep::WithFiles)?;
        }
        let (Some(uid_validity), Some(stamp)) = (files.uid_validity, files.list_stamp) else {
            return Err(self.corrupted("no uidvalidity"));
        };
        Ok(Base {
            uid_validity,
            next_uid: files.next_uid,
            size: stamp.size,
        })
    }

    fn place_all(
        &self,
        files: &mut Files,
        base: &Base,
        (all, lock): (&[&Pending], &Dotlock),
    ) -> Result<Vec<Placed>, Error> {
        let mut placed = Vec::with_capacity(all.len());
        let mut taken: HashSet<Vec<u8>> = HashSet::new();
        if all.iter().any(|pending| pending.guid.is_some()) {
            taken.extend(files.records.iter().map(|record| record.base().to_vec()));
        }
        for (uid, pending) in (base.next_uid..).zip(all) {
            let (letters, left_out) = self.letters_that_fit(files, &pending.keywords, lock)?;
            if left_out {
                let dir = self.dir().display();
                tracing::debug!("{dir}: keywords without letters are in the index alone");
            }
            let record = record(uid, pending, letters, &taken);
            taken.insert(record.base().to_vec());
            placed.push(Placed {
                tmp: pending.tmp.clone(),
                to: record.path(self.dir()).unwrap_or_default(),
                record,
                keywords: pending.keywords.clone(),
                known: pending.known.clone(),
            });
        }
        Ok(placed)
    }

    /// From `tmp/` into the mailbox, or back where something fails. The state that knows them, if the index
    /// could be written.
    fn publish(
        &self,
        files: &mut Files,
        opened: &Opened,
        (base, placed): (&Base, Vec<Placed>),
    ) -> Result<Option<Arc<State>>, Error> {
        let places = placed.iter().filter_map(|placed| placed.record.file());
        let places: Vec<Place> = places.map(|file| file.place).collect();
        let own = OwnChange::begin(self, files, places)?;
        let mut moved = Vec::new();
        let mut result = Ok(());
        for placed in &placed {
            // Counted as moved before it is tried: what fails may have happened.
            moved.push(&placed.to);
            let renamed = self.move_file(&placed.tmp, &placed.to);
            result = renamed.map_err(|error| self.gone(error));
            if result.is_err() {
                break;
            }
        }
        let records: Vec<Record> = placed.iter().map(|placed| placed.record.clone()).collect();
        let written = result
            .and_then(|()| self.sync_dirs(&records))
            .and_then(|()| self.append_lines(files, base.size, &records));
        if written.is_err() {
            // Nothing was acknowledged: leave nothing that the next scan would take for new mail.
            for path in moved {
                if let Err(error) = self.fs.unlink_if_exists(path) {
                    tracing::error!("{error}; the message will appear though its save failed");
                }
            }
        }
        own.end(self, files);
        let list = written?;
        if files.list_stamp.is_some() {
            files.next_uid = base.next_uid + records.len() as u64;
            files.records.extend(records);
        }
        // It is there now. An index that cannot be written hears of it at the next look.
        let logged = self.log_saved(files, opened, (base, placed, list));
        Ok(logged
            .inspect_err(|error| tracing::warn!("{error}"))
            .ok()
            .flatten())
    }

    fn log_saved(
        &self,
        files: &mut Files,
        opened: &Opened,
        (base, placed, list): (&Base, Vec<Placed>, Stamp),
    ) -> Result<Option<Arc<State>>, Error> {
        let begun = opened.index.begin_sync();
        let mut sync = begun.map_err(|error| self.told(error))?;
        let state = Arc::clone(sync.state());
        let header = state.header();
        if (header.uid_validity(), u64::from(header.next_uid()))
            != (base.uid_validity.get(), base.next_uid)
        {
            // It has yet to hear of others.
            return Ok(None);
        }
        let mut transaction = Transaction::external();
        for placed in &placed {
            append(&mut transaction, placed);
        }
        let letters =
            |placed: &Placed| placed.record.file().map(|file| file.letters.iter().count());
        if placed
            .iter()
            .any(|p| letters(p).unwrap_or(0) < p.keywords.len())
        {
            transaction.make_durable();
        }
        let mut header = files.header(&state, None);
        header.list = ListTimes::of(list.mtime, list.size);
        header.put(&state, &mut transaction);
        let learnt = learnt(opened, &state, placed);
        let staged = opened.cached.stage(&sync, &mut transaction, &learnt);
        if let Err(error) = sync.commit(&transaction) {
            staged.undo();
            return Err(self.told(error));
        }
        if sync.requests().is_empty() {
            return sync.finish().map(Some).map_err(|error| self.told(error));
        }
        Ok(Some(Arc::clone(sync.state())))
    }

    fn sync_dirs(&self, records: &[Record]) -> Result<(), Error> {
        for place in Place::ALL {
            let used = |record: &Record| record.file().is_some_and(|file| file.place == place);
            if records.iter().any(used) {
                self.settings
                    .durability
                    .sync_dir(&self.fs, &self.dir().join(place.dir()))?;
            }
        }
        Ok(())
    }
}

fn append(transaction: &mut Transaction, placed: &Placed) {
    let flags = placed.record.file().map(|file| file.flags);
    transaction.append(placed.record.uid, flags.unwrap_or_default().index_bits());
    let uids: UidSet = Uid::new(placed.record.uid).into_iter().collect();
    for keyword in &placed.keywords {
        transaction.update_keyword(Toggle::Add, keyword.as_str(), &uids);
    }
}

/// What the cache wants to know about new messages.
fn learnt(opened: &Opened, state: &State, placed: Vec<Placed>) -> Vec<Learnt> {
    let first = placed.first().and_then(|first| Uid::new(first.record.uid));
    let Some(first) = first else {
        return Vec::new();
    };
    let wanted = opened.cached.wanted(state, first);
    let learnt = placed.into_iter().filter_map(|placed| {
        let values = placed.known.into_iter();
        Some(Learnt {
            uid: Uid::new(placed.record.uid)?,
            values: values.filter(|(id, _)| wanted.contains(id)).collect(),
        })
    });
    learnt.filter(|learnt| !learnt.values.is_empty()).collect()
}

/// The line of a message about to be placed; its base name is one that this mailbox never had.
fn record(uid: u64, pending: &Pending, letters: Letters, taken: &HashSet<Vec<u8>>) -> Record {
    let taken = pending.guid.is_some() && taken.contains(&pending.base);
    let mut base = pending.base.clone();
    if taken {
        base = unique::base_name().into_bytes();
        let sizes = memchr::memchr(b',', &pending.base);
        base.extend_from_slice(
            sizes
                .and_then(|at| pending.base.get(at..))
                .unwrap_or_default(),
        );
    }
    let mut extra = Vec::new();
    if let Some(guid) = &pending.guid
        && *guid != base
    {
        crate::uidlist::set_value(&mut extra, b'G', guid);
    }
    let plain = pending.flags == Flags::empty() && letters == Letters::default();
    let (place, file_name) = if plain && pending.guid.is_none() {
        (Place::New, base.clone())
    } else {
        (Place::Cur, name::with_flags(&base, pending.flags, letters))
    };
    // The caller made room: it fits.
    let uid = u32::try_from(uid).unwrap_or(u32::MAX);
    let mut record = Record::of_file(uid, place, file_name.into());
    record.set_extra(&extra);
    record
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here is half done when a thread panics, but the files, which nobody was told of.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
