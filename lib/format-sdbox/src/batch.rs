//! Saves of several sessions in one transaction: whoever gets the log's lock takes along all that wait
//! for it, so that they share its `fdatasync`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use index::{Index, IndexSync, Learnt, State, Transaction};
use index_view::change;
use mailbox::{Appended, Error, Uid, UidValidity};

use crate::placed::{Outcome, Pending};
use crate::sdbox::{Opened, Sdbox};

/// Those that wait.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Vec<Arc<Job>>>,
    /// Whoever has it commits for all that wait.
    leader: Mutex<()>,
}

/// One session's messages.
#[derive(Default)]
struct Job {
    messages: Mutex<Vec<Pending>>,
    outcome: Mutex<Option<Result<Committed, Error>>>,
}

/// What became of a job.
pub(crate) struct Committed {
    pub appended: Appended,
    /// UIDs in the order of the messages; `None` for a copy whose original is gone.
    pub uids: Vec<Option<Uid>>,
}

/// One message of a batch, and where it was put.
struct Place {
    job: usize,
    message: usize,
    uid: Uid,
}

impl Sdbox {
    /// Makes messages visible and durable, all or none.
    pub(crate) fn commit(&self, messages: Vec<Pending>) -> Result<Committed, Error> {
        let job = Arc::new(Job {
            messages: Mutex::new(messages),
            outcome: Mutex::default(),
        });
        lock(&self.queue.waiting).push(Arc::clone(&job));
        let _leading = lock(&self.queue.leader);
        if let Some(outcome) = lock(&job.outcome).take() {
            return outcome;
        }
        let batch = std::mem::take(&mut *lock(&self.queue.waiting));
        self.lead(&batch);
        let outcome = lock(&job.outcome).take();
        outcome.unwrap_or_else(|| Err(self.corrupted("a save that nobody committed")))
    }

    fn lead(&self, batch: &[Arc<Job>]) {
        match self.commit_batch(batch) {
            Ok(committed) => {
                for (job, committed) in batch.iter().zip(committed) {
                    *lock(&job.outcome) = Some(Ok(committed));
                }
            }
            Err(Failed::Undone(error)) => match batch {
                [job] => *lock(&job.outcome) = Some(Err(error)),
                // One may have spoilt it for the others.
                _ => batch.chunks(1).for_each(|one| self.lead(one)),
            },
            Err(Failed::Unknown(error)) => {
                let text = error.to_string();
                for job in batch.iter().skip(1) {
                    *lock(&job.outcome) = Some(Err(self.corrupted(&text)));
                }
                if let Some(first) = batch.first() {
                    *lock(&first.outcome) = Some(Err(error));
                }
            }
        }
    }

    fn commit_batch(&self, batch: &[Arc<Job>]) -> Result<Vec<Committed>, Failed> {
        let mut jobs: Vec<_> = batch.iter().map(|job| lock(&job.messages)).collect();
        let mut jobs: Vec<&mut Vec<Pending>> = jobs.iter_mut().map(|job| &mut **job).collect();
        let Opened { index, cached } = self.index_and_cache().map_err(Failed::Undone)?;
        let begun = index.begin_sync();
        let mut sync = begun.map_err(|error| Failed::Undone(self.told(error)))?;
        let mut places = Vec::new();
        let placed = self.place_all(&sync, &mut jobs, &mut places);
        let written = placed.map_err(Failed::Undone).and_then(|mut transaction| {
            let learnt = learnt(&mut jobs, &places);
            cached.stage(&sync, &mut transaction, &learnt);
            self.write(&mut sync, &transaction)
        });
        match written {
            Ok(()) => {}
            Err(Failed::Undone(error)) => {
                self.take_back(sync.state(), &mut jobs, &places);
                return Err(Failed::Undone(error));
            }
            Err(Failed::Unknown(error)) => {
                drop(sync);
                if let Err(also) = self.withdraw(&index, &mut jobs, &places) {
                    tracing::error!("{also}; messages that were refused are there");
                }
                return Err(Failed::Unknown(error));
            }
        }
        let committed = self.told_each(&sync, &jobs, &places);
        // The messages are there: what else was to be done is done by the next one.
        if let Err(error) = self.finish(sync) {
            tracing::error!("{error}");
        }
        Ok(committed)
    }

    /// Messages that are in the log, but nobody knows whether for good, are refused: they go again.
    fn withdraw(
        &self,
        index: &Index,
        jobs: &mut [&mut Vec<Pending>],
        places: &[Place],
    ) -> Result<(), Error> {
        let mut sync = index.begin_sync().map_err(|error| self.told(error))?;
        let mut transaction = Transaction::external();
        for place in places {
            transaction.expunge(place.uid.get(), [0; 16]);
        }
        let done = sync.commit(&transaction);
        done.map_err(|error| self.told(error))?;
        self.take_back(sync.state(), jobs, places);
        Ok(())
    }

    fn place_all(
        &self,
        sync: &IndexSync<'_>,
        jobs: &mut [&mut Vec<Pending>],
        places: &mut Vec<Place>,
    ) -> Result<Transaction, Error> {
        let state = sync.state();
        let mut transaction = Transaction::external();
        let mut next = state.header().next_uid();
        for (job, messages) in jobs.iter_mut().enumerate() {
            for (message, pending) in messages.iter_mut().enumerate() {
                let uid = Uid::new(next)
                    .filter(|_| next < u32::MAX)
                    .ok_or(Error::Limit {
                        what: "Too many messages in the mailbox",
                    })?;
                places.push(Place { job, message, uid });
                let outcome = match self.share_attachments(state, pending, uid) {
                    Ok(()) => self.place(pending, uid)?,
                    Err(Error::Expunged) => Outcome::Vanished,
                    Err(error) => return Err(error),
                };
                if outcome == Outcome::Vanished {
                    places.pop();
                    continue;
                }
                transaction.append(next, pending.flags.index_bits());
                change::add_keywords(&mut transaction, &pending.keywords, uid);
                next += 1;
            }
        }
        if !places.is_empty() {
            let settings = &self.context.settings;
            settings
                .durability
                .sync_dir(&self.context.fs, &self.context.place.mail)?;
        }
        transaction.make_durable();
        Ok(transaction)
    }

    fn write(&self, sync: &mut IndexSync<'_>, transaction: &Transaction) -> Result<(), Failed> {
        if transaction.is_empty() {
            return Ok(());
        }
        match sync.commit(transaction) {
            Ok(_) => Ok(()),
            Err(error @ index::Error::NotDurable(_)) => Err(Failed::Unknown(self.told(error))),
            Err(error) => Err(Failed::Undone(self.told(error))),
        }
    }

    fn take_back(&self, state: &State, jobs: &mut [&mut Vec<Pending>], places: &[Place]) {
        for place in places.iter().rev() {
            let Some(pending) = message_of(jobs, place) else {
                continue;
            };
            self.unplace(pending, place.uid);
            self.unshare_attachments(state, pending, place.uid);
        }
    }

    fn told_each(
        &self,
        sync: &IndexSync<'_>,
        jobs: &[&mut Vec<Pending>],
        places: &[Place],
    ) -> Vec<Committed> {
        let validity = UidValidity::new(sync.state().header().uid_validity());
        let mut places = places.iter().peekable();
        let told = jobs.iter().enumerate().map(|(job, messages)| {
            let uids: Vec<Option<Uid>> = (0..messages.len())
                .map(|message| {
                    let is_this = |place: &&Place| place.job == job && place.message == message;
                    places.next_if(is_this).map(|place| place.uid)
                })
                .collect();
            Committed {
                appended: Appended {
                    uid_validity: validity.unwrap_or(UidValidity::MIN),
                    uids: uids.iter().flatten().copied().collect(),
                },
                uids,
            }
        });
        told.collect()
    }
}

fn message_of<'j>(jobs: &'j mut [&mut Vec<Pending>], place: &Place) -> Option<&'j mut Pending> {
    jobs.get_mut(place.job)?.get_mut(place.message)
}

/// What is to be cached about new messages.
fn learnt(jobs: &mut [&mut Vec<Pending>], places: &[Place]) -> Vec<Learnt> {
    let learnt = places.iter().filter_map(|place| {
        Some(Learnt {
            uid: place.uid,
            values: std::mem::take(&mut message_of(jobs, place)?.known),
        })
    });
    learnt.filter(|learnt| !learnt.values.is_empty()).collect()
}

/// Why a batch is not there, or may not be.
enum Failed {
    /// Everything is as it was.
    Undone(Error),
    /// It is in the log, but may not survive a power failure.
    Unknown(Error),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here is half done when a thread panics, but the files, which nobody was told of.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
