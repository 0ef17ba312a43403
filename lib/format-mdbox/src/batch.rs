//! Saves of several sessions to one mailbox, committed together: whoever has the locks takes along all
//! that wait for them, so that they share the syncs of map and mailbox.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailbox::{Appended, Error, Uid};

use crate::map::LockedMap;
use crate::map::locked::Failed;
use crate::mdbox::Mdbox;
use crate::output::Written;
use crate::record::Place;
use crate::save::{NewRecord, Work};

/// Those that wait.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Vec<Arc<Job>>>,
    /// Whoever has it commits for all that wait.
    leader: Mutex<()>,
}

/// One session's messages.
struct Job {
    work: Mutex<Option<Work>>,
    outcome: Mutex<Option<Result<Appended, Error>>>,
}

/// Why a batch is not there.
enum Spoilt {
    /// Before anything was told to the map: each may try alone.
    Early(Error),
    /// Nobody tries again.
    Late(Error),
}

impl Mdbox {
    /// Makes messages visible and durable, all or none.
    pub(crate) fn commit(&self, work: Work) -> Result<Appended, Error> {
        let job = Arc::new(Job {
            work: Mutex::new(Some(work)),
            outcome: Mutex::default(),
        });
        lock(&self.queue.waiting).push(Arc::clone(&job));
        let _leading = lock(&self.queue.leader);
        if let Some(outcome) = lock(&job.outcome).take() {
            return outcome;
        }
        let batch = std::mem::take(&mut *lock(&self.queue.waiting));
        let works = batch.iter().filter_map(|job| lock(&job.work).take());
        let mut works: Vec<Work> = works.collect();
        for (job, outcome) in batch.iter().zip(self.lead(&mut works)) {
            *lock(&job.outcome) = Some(outcome);
        }
        // The files of those that failed are given up before anybody is told.
        drop(works);
        let outcome = lock(&job.outcome).take();
        outcome.unwrap_or(Err(Error::Locked {
            path: self.storage.dirs.map.clone(),
        }))
    }

    fn lead(&self, works: &mut [Work]) -> Vec<Result<Appended, Error>> {
        match self.commit_all(works) {
            Ok(appended) => appended.into_iter().map(Ok).collect(),
            Err(Spoilt::Early(_)) if works.len() > 1 => {
                let alone = works.chunks_mut(1).flat_map(|one| self.lead(one));
                alone.collect()
            }
            Err(Spoilt::Early(error) | Spoilt::Late(error)) => {
                let others = works.iter().skip(1).map(|_| same(&error));
                let mut outcomes: Vec<Error> = others.collect();
                outcomes.insert(0, error);
                outcomes.into_iter().map(Err).collect()
            }
        }
    }

    fn commit_all(&self, works: &mut [Work]) -> Result<Vec<Appended>, Spoilt> {
        let mut map = self.storage.lock_map().map_err(Spoilt::Early)?;
        let sync = self.lock().map_err(Spoilt::Early)?;
        let places = place_all(&mut map, works).map_err(Spoilt::Early)?;
        let told = map.append(&places);
        if !matches!(told, Err(Failed::Nothing(_))) {
            works.iter_mut().for_each(|work| work.outputs.keep());
        }
        let map_uids = told.map_err(|failed| match failed {
            Failed::Nothing(error) => Spoilt::Early(error),
            Failed::Maybe(error) => Spoilt::Late(error),
        })?;
        let pending = works.iter().flat_map(|work| &work.pending);
        let records = map_uids.into_iter().zip(pending);
        let records: Vec<NewRecord> = records
            .map(|(map_uid, pending)| pending.record(map_uid))
            .collect();
        let appended = self.append(&mut map, sync, &records);
        let (appended, sync) = appended.map_err(Spoilt::Late)?;
        // The mail files are unlocked before the map is.
        works.iter_mut().for_each(|work| work.outputs.release());
        self.finish_both(sync, map);
        Ok(share(&appended, works))
    }
}

fn place_all(map: &mut LockedMap<'_>, works: &mut [Work]) -> Result<Vec<Place>, Error> {
    let mut places = Vec::new();
    for work in works {
        let written: Vec<Written> = work.pending.iter().map(|pending| pending.written).collect();
        let placed = work.outputs.place(map, &written);
        places.extend(placed.map_err(Failed::into_error)?);
    }
    Ok(places)
}

/// To each its own UIDs.
fn share(appended: &Appended, works: &[Work]) -> Vec<Appended> {
    let mut uids = appended.uids.iter().copied();
    let shares = works.iter().map(|work| Appended {
        uid_validity: appended.uid_validity,
        uids: uids.by_ref().take(work.pending.len()).collect::<Vec<Uid>>(),
    });
    shares.collect()
}

/// The same error for somebody else.
fn same(error: &Error) -> Error {
    match error {
        Error::Syscall { call, path, source } => Error::Syscall {
            call,
            path: path.clone(),
            source: match source.raw_os_error() {
                Some(errno) => std::io::Error::from_raw_os_error(errno),
                None => source.kind().into(),
            },
        },
        Error::NotFound { mailbox } => Error::NotFound {
            mailbox: mailbox.clone(),
        },
        Error::Locked { path } => Error::Locked { path: path.clone() },
        Error::Limit { what } => Error::Limit { what },
        other => Error::Config(other.to_string()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here is half done when a thread panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;
    use std::thread;

    use mailbox::{
        Access, Context, MailboxName, NewMail, NewUidValidity, Place, StoredMailbox, UidValidity,
    };
    use sys::fs::Fs;
    use sys::fs::faulty::{Fault, FaultyFs};

    use super::*;
    use crate::{Dirs, Naming, Settings, Storage};

    struct Always;

    impl NewUidValidity for Always {
        fn next(&self) -> Result<UidValidity, Error> {
            Ok(UidValidity::MIN)
        }
    }

    fn inbox(root: &Path, fs: Fs) -> Arc<Mdbox> {
        let storage = Storage::new(fs.clone(), Dirs::in_root(root), Settings::default());
        let mail = root.join("mailboxes/INBOX/dbox-Mails");
        let context = Context {
            fs,
            place: Place {
                control: mail.clone(),
                index: Some(mail.clone()),
                alt: None,
                mail,
            },
            name: MailboxName::new("INBOX").unwrap(),
            settings: mailbox::Settings::default(),
            uid_validities: Arc::new(Always),
        };
        let naming = Naming::Directories("INBOX".to_owned());
        Arc::new(Mdbox::new(Arc::new(storage), context, naming))
    }

    /// Sessions that wait while somebody else commits are committed together, with one sync of the map and
    /// one of the mailbox.
    #[test]
    fn who_waits_shares_the_syncs() {
        const SESSIONS: usize = 8;
        let home = tempfile::tempdir().unwrap();
        let faulty = Arc::new(FaultyFs::new(Fault::None));
        let inbox = inbox(home.path(), Fs::new(faulty.clone()));
        inbox.create().unwrap();
        faulty.set(Fault::None);
        thread::scope(|scope| {
            let busy = lock(&inbox.queue.leader);
            for number in 0..SESSIONS {
                let inbox = Arc::clone(&inbox);
                scope.spawn(move || {
                    let mut save = inbox.begin_save().unwrap();
                    let body = format!("Subject: {number}\r\n\r\n");
                    let mail = NewMail::default();
                    save.save(&mail, &mut body.as_bytes()).unwrap();
                    save.commit().unwrap()
                });
            }
            while lock(&inbox.queue.waiting).len() < SESSIONS {
                thread::yield_now();
            }
            drop(busy);
        });
        let calls = faulty.calls();
        let syncs = calls.iter().filter(|call| call.name == "sync_data");
        // Its own new file twice for each; map and mailbox once for all.
        assert_eq!(syncs.count(), 2 * SESSIONS + 2);
        let view = Arc::clone(&inbox).open(StoredMailbox::name(&*inbox), Access::ReadOnly);
        assert_eq!(view.unwrap().len() as usize, SESSIONS);
    }
}
