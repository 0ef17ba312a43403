//! The threads of a worker: each waits for a word of the manager, and does the job that it hears of itself.
//!
//! The kernel wakes one of those that wait, so that a job begins in the thread that was woken, without another in between.
//!
//! *Invariant:* somebody waits, as long as there is a manager. What the manager says is taken in its order: each message is noted,
//! under one lock, before the next is read.

use std::collections::HashMap;
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use ipc::worker::{FromWorker, ToWorker};
use ipc::{Channel, Error, SessionId};
use service::journal::id;

use super::{Outcome, Parked, Serve, USER, Work};
use crate::stop::{Stop, StopReason};

/// Virtual size of a stack; only what is touched costs memory.
const STACK: usize = 1 << 20;
/// Threads that wait, at most, beside the process's first: one for the next job, and one for the word after it.
const WAITING: usize = 2;

/// What the threads of a worker share.
pub(super) struct Threads<S> {
    name: &'static str,
    channel: Arc<Channel>,
    server: S,
    state: Mutex<State>,
    /// Told when a job is over.
    fewer: Condvar,
}

struct State {
    /// Jobs that run: what stops each, and what it came with.
    jobs: HashMap<SessionId, (Stop, Vec<u8>)>,
    /// Threads that wait for the manager's word.
    waiting: usize,
    /// Threads that wait for the last job's end.
    ending: usize,
    /// What was read last. One for all: most of a large buffer is never touched.
    buffer: Vec<u8>,
}

/// What a thread has to do next.
enum Next {
    Job(Work),
    /// Nothing: wait again.
    Nothing,
    /// The manager has nothing more to say.
    End,
}

impl<S: Serve> Threads<S> {
    pub(super) fn new(name: &'static str, channel: Arc<Channel>, server: S) -> Arc<Self> {
        let state = State {
            jobs: HashMap::new(),
            waiting: 0,
            ending: 0,
            buffer: vec![0; ipc::MAX_RECORD],
        };
        Arc::new(Self {
            name,
            channel,
            server,
            state: Mutex::new(state),
            fewer: Condvar::new(),
        })
    }

    /// Serves until the manager has nothing more to say and all jobs are over; then the process ends.
    pub(super) fn serve(self: &Arc<Self>) -> ExitCode {
        loop {
            self.lock().waiting += 1;
            self.attend();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Inserting, removing and counting cannot panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for jobs and does them, until enough others wait. The caller counts as waiting.
    fn attend(self: &Arc<Self>) {
        let mut spare = None;
        loop {
            match self.next(&mut spare) {
                Next::Nothing => {}
                Next::End => self.end(),
                Next::Job(work) => {
                    let stop = work.stop.clone();
                    self.run(work);
                    spare = stop.unused();
                    let mut state = self.lock();
                    if state.waiting >= WAITING {
                        return;
                    }
                    state.waiting += 1;
                }
            }
        }
    }

    /// Waits for one message and does what it says, short of the job in it.
    fn next(self: &Arc<Self>, spare: &mut Option<Stop>) -> Next {
        if let Err(error) = self.channel.wait() {
            return self.deaf(&error);
        }
        let mut state = self.lock();
        match self.channel.try_recv(&mut state.buffer) {
            // Another thread was quicker.
            Ok(None) => Next::Nothing,
            Ok(Some((ToWorker::Job { session, content }, fds))) => {
                let begun = self.begin(&mut state, spare, (&session, &content));
                match begun {
                    Ok(stop) => Next::Job(Work {
                        session,
                        content,
                        fds,
                        stop,
                    }),
                    Err(error) => {
                        self.not_begun(&session, &error);
                        Next::Nothing
                    }
                }
            }
            Ok(Some((ToWorker::Kick { session }, _))) => {
                if let Some((stop, _)) = state.jobs.get(&session) {
                    stop.stop(StopReason::Kicked);
                }
                Next::Nothing
            }
            Ok(Some((ToWorker::Report, _))) => {
                let jobs = state.jobs.iter().map(|(s, (_, c))| (s.clone(), c.clone()));
                report(&self.channel, USER.get().cloned(), jobs.collect());
                Next::Nothing
            }
            Ok(Some((ToWorker::Drain, _))) => {
                let stops = state.jobs.values();
                stops.for_each(|(stop, _)| stop.stop(StopReason::Drain));
                Next::End
            }
            Ok(Some((ToWorker::Identify { .. }, _))) => {
                tracing::error!("{}: Error: BUG: a second identity", self.name);
                Next::End
            }
            // The manager is gone for good: its sessions go on to their own end.
            Err(Error::Closed) => Next::End,
            Err(error) => self.deaf(&error),
        }
    }

    fn deaf(&self, error: &Error) -> Next {
        tracing::error!("{}: Error: the manager's channel: {error}", self.name);
        Next::End
    }

    /// Notes a job, and that this thread waits no more; if no other does, one is made.
    fn begin(
        self: &Arc<Self>,
        state: &mut State,
        spare: &mut Option<Stop>,
        (session, content): (&SessionId, &[u8]),
    ) -> io::Result<Stop> {
        let stop = spare.take().map_or_else(Stop::new, Ok)?;
        if state.waiting == 1 {
            let threads = Arc::clone(self);
            let thread = thread::Builder::new().stack_size(STACK);
            thread.spawn(move || threads.attend())?;
        } else {
            state.waiting -= 1;
        }
        let noted = (stop.clone(), content.to_vec());
        state.jobs.insert(session.clone(), noted);
        Ok(stop)
    }

    /// Does a job.
    fn run(&self, work: Work) {
        let (session, mine) = (work.session.clone(), work.stop.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| self.server.serve(work)));
        let outcome = outcome.unwrap_or_else(|_| {
            tracing::error!(
                message_id = id::SESSION_FAILED,
                culver_session = session.as_str(),
                "{}: Panic: BUG: session {session} ended by a panic",
                self.name
            );
            Outcome::Done(Vec::new())
        });
        // A job is over when the manager has been told so: the process may end right after, and a report in between would
        // say that it runs. Another job of this name may have begun then: one that rested comes back.
        let mut state = self.lock();
        tell(&self.channel, &session, outcome);
        if state
            .jobs
            .get(&session)
            .is_some_and(|(stop, _)| stop.is(&mine))
        {
            state.jobs.remove(&session);
        }
        if state.ending > 0 {
            self.fewer.notify_all();
        }
    }

    fn not_begun(&self, session: &SessionId, error: &io::Error) {
        tracing::error!(
            message_id = id::SESSION_FAILED,
            culver_session = session.as_str(),
            "{}: Error: starting session {session} failed: {error}",
            self.name
        );
        tell(&self.channel, session, Outcome::Done(Vec::new()));
    }

    /// Ends the process when the last job is over. A thread that comes here second waits for that.
    fn end(&self) -> ! {
        let mut state = self.lock();
        state.ending += 1;
        let over = self.fewer.wait_while(state, |state| !state.jobs.is_empty());
        // Nothing begins any more.
        let _over = over.unwrap_or_else(PoisonError::into_inner);
        std::process::exit(0)
    }
}

/// Most bytes of jobs in a record, so that every report fits.
const REPORT: usize = 32 * 1024;

/// Tells all jobs, and last that there are no more.
pub(super) fn report(
    channel: &Channel,
    user: Option<ipc::Username>,
    jobs: Vec<(SessionId, Vec<u8>)>,
) {
    let pid = std::process::id();
    for jobs in records(jobs) {
        let message = FromWorker::Running {
            pid,
            user: user.clone(),
            jobs,
        };
        // A manager that has gone again asks again.
        let _ = channel.send(&message, &[]);
    }
}

/// Jobs by the record, the last one empty.
fn records(jobs: Vec<(SessionId, Vec<u8>)>) -> Vec<Vec<(SessionId, Vec<u8>)>> {
    let mut records = Vec::new();
    let (mut record, mut size) = (Vec::new(), 0);
    for job in jobs {
        // Beside the content, a name and two lengths.
        let more = job.1.len() + 80;
        if size + more > REPORT && !record.is_empty() {
            records.push(std::mem::take(&mut record));
            size = 0;
        }
        size += more;
        record.push(job);
    }
    if !record.is_empty() {
        records.push(record);
    }
    records.push(Vec::new());
    records
}

/// Tells the manager what became of a job.
fn tell(channel: &Channel, session: &SessionId, outcome: Outcome) {
    let session = session.clone();
    let sent = match outcome {
        Outcome::Done(content) => channel.send(&FromWorker::Done { session, content }, &[]),
        Outcome::Parked(Parked { rest, hold, fds }) => {
            let parked = FromWorker::Parked {
                session,
                rest,
                hold,
            };
            let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
            channel.send(&parked, &fds)
        }
    };
    if let Err(error) = sent {
        tracing::debug!("the manager is gone: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_fits_whatever_clients_had_sent() {
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        let (manager, worker) = (Channel::new(ours), Channel::new(theirs));
        // The most that one hand-off brings: see `ipc::handoff::MAX_UNREAD`.
        let sizes = [0, 10, 40_000, 50_000, 10, 16_000, 16_000, 16_000, 0];
        let jobs: Vec<_> = sizes
            .iter()
            .map(|size| (SessionId::random().unwrap(), vec![0; *size]))
            .collect();
        let user = ipc::Username::try_from("x".repeat(255)).unwrap();
        let (told, all) = (jobs.clone(), jobs);
        let telling = std::thread::spawn(move || report(&worker, Some(user), told));
        let mut heard = Vec::new();
        loop {
            match manager.recv().unwrap().0 {
                FromWorker::Running { jobs, .. } if jobs.is_empty() => break,
                FromWorker::Running { jobs, .. } => heard.extend(jobs),
                other => panic!("{other:?}"),
            }
        }
        telling.join().unwrap();
        assert_eq!(heard, all);
    }
}
