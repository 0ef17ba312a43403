//! Sessions between a worker and imap-hibernate, both ways.

use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use ipc::worker::{Back, Begin, ClientSession, Rest};
use ipc::{SessionId, anvil};
use service::journal::{Clean, id};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Sessions;
use crate::handle::{Due, Resting};
use crate::parking::{Event, Leaving, NotHeld, Ticket, Woken};
use crate::place::{Reserved, SubmitError};

/// Longest time that a worker of an earlier manager may take to say who it is.
const ADOPTION: Duration = Duration::from_secs(5);
/// How often a worker is looked for that takes a session back, and how long in between.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

impl Sessions {
    /// Moves sessions as long as the service runs.
    pub(super) async fn move_rests(
        self: Rc<Self>,
        mut resting: UnboundedReceiver<Resting>,
        mut events: UnboundedReceiver<Event>,
    ) {
        loop {
            tokio::select! {
                Some(resting) = resting.recv() => {
                    tokio::task::spawn_local(Rc::clone(&self).park(resting));
                }
                Some(event) = events.recv() => {
                    tokio::task::spawn_local(Rc::clone(&self).follow(event));
                }
                else => return,
            }
        }
    }

    /// What an earlier manager had parked, as far as it is known by now.
    pub(super) fn count_parked(&self, events: &mut UnboundedReceiver<Event>) {
        while let Ok(Event::Found(ticket)) = events.try_recv() {
            self.census.resume(self.counted(&ticket));
        }
    }

    fn counted(&self, ticket: &Ticket) -> anvil::Session {
        anvil::Session {
            session: ticket.session.clone(),
            user: ticket.identity.user.clone(),
            protocol: self.spec.protocol,
            remote: ticket.remote,
            worker_pid: self.parking.pid(),
        }
    }

    async fn follow(self: Rc<Self>, event: Event) {
        match event {
            Event::Found(ticket) => drop(self.census.enter(self.counted(&ticket), 0).await),
            Event::Moved(session) => self.census.moved(&session, self.parking.pid()),
            Event::Woken(woken) => self.bring_back(*woken).await,
            Event::Ended(session) => self.census.leave(&session),
            Event::Lost(session) => {
                // Mostly a client that hung up while imap-hibernate was away.
                tracing::warn!(
                    message_id = id::SESSION_FAILED,
                    culver_session = session.as_str(),
                    "{}: Warning: session {session} is no longer with imap-hibernate",
                    self.name
                );
                self.census.leave(&session);
            }
        }
    }

    /// From its worker to imap-hibernate, or back to the worker.
    async fn park(self: Rc<Self>, resting: Resting) {
        let held = match resting.due {
            Due::Hold => self.hold(resting).await,
            Due::Kick => Ok(Err(resting)),
            Due::Count => match self.count_resting(&resting).await {
                true => Ok(Err(resting)),
                false => return,
            },
        };
        match held {
            Ok(Ok(session)) => self.census.moved(&session, self.parking.pid()),
            Ok(Err(resting)) => self.give_back(resting).await,
            Err((resting, error)) => {
                if self.parking.is_news() {
                    tracing::warn!(
                        message_id = id::SERVICE_FAILED,
                        "{}: Warning: Couldn't hibernate imap client: {error}; sessions stay in their workers",
                        self.name
                    );
                }
                self.give_back(resting).await;
            }
        }
    }

    /// A session that no manager knew yet. `false`: it is none, its name is another's.
    async fn count_resting(&self, resting: &Resting) -> bool {
        let _ = timeout(ADOPTION, resting.handle.settled()).await;
        let (handle, session) = (&resting.handle, &resting.session);
        let Some(user) = handle.user() else {
            return false;
        };
        if self.manager.has_job(session) || self.parking.has(session) {
            return false;
        }
        let counted = anvil::Session {
            session: session.clone(),
            user,
            protocol: self.spec.protocol,
            remote: resting.rest.facts.remote.ip(),
            worker_pid: handle.pid.get(),
        };
        self.census.enter(counted, 0).await
    }

    /// `Ok(Err)`: it cannot rest, which is nobody's fault.
    async fn hold(
        &self,
        resting: Resting,
    ) -> Result<Result<SessionId, Resting>, (Resting, NotHeld)> {
        // Who the user of an earlier manager's worker is only that one knew.
        let Some(identity) = resting.handle.identity() else {
            return Ok(Err(resting));
        };
        let leaving = Leaving {
            session: &resting.session,
            identity: &identity,
            rest: resting.rest.clone(),
            hold: resting.hold.clone(),
            fds: &resting.fds,
        };
        match self.parking.hold(leaving).await {
            Ok(()) => Ok(Ok(resting.session)),
            Err(NotHeld::Ending) => Ok(Err(resting)),
            Err(error) => Err((resting, error)),
        }
    }

    /// To the worker that it came from: nothing of it is lost.
    async fn give_back(&self, resting: Resting) {
        let Resting {
            handle,
            session,
            rest,
            fds,
            due,
            ..
        } = resting;
        let given = match (content(rest, 0, Back::NotHeld), fds.first()) {
            (Ok(content), Some(client)) => {
                let (waiter, done) = oneshot::channel();
                handle.note(session.clone(), waiter);
                let place = Reserved::new(handle, session.clone(), done);
                place.begin(content, &[client.as_fd()]).await.map(drop)
            }
            (Err(error), _) => Err(error.into()),
            (_, None) => Err(SubmitError::Crashed),
        };
        match given {
            Ok(()) if due == Due::Kick => drop(self.manager.kick(&session)),
            Ok(()) => {}
            Err(error) => {
                self.not_back(&session, &error);
                self.census.leave(&session);
            }
        }
    }

    /// From imap-hibernate to its user's worker.
    async fn bring_back(&self, woken: Woken) {
        let Woken {
            ticket,
            client,
            sent,
        } = woken;
        for _ in 0..ATTEMPTS {
            match self.begin_again(&ticket, &client, sent).await {
                Ok(pid) => {
                    if self.parking.returned(&ticket) {
                        self.manager.kick(&ticket.session);
                    }
                    return self.census.moved(&ticket.session, pid);
                }
                Err(error) => self.not_back(&ticket.session, &error),
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.parking.fail(&ticket);
    }

    async fn begin_again(
        &self,
        ticket: &Ticket,
        client: &OwnedFd,
        sent: u64,
    ) -> Result<u32, SubmitError> {
        let content = content(ticket.rest.clone(), sent, Back::Woken)?;
        let place = self.manager.reserve(&ticket.identity, &ticket.session);
        let place = place.await?;
        let pid = place.worker_pid();
        place.begin(content, &[client.as_fd()]).await?;
        Ok(pid)
    }

    fn not_back(&self, session: &SessionId, error: &SubmitError) {
        tracing::error!(
            message_id = id::WORKER_FAILED,
            culver_session = session.as_str(),
            "{}: Error: Couldn't unhibernate client: session {session}: {}",
            self.name,
            Clean(&error.to_string())
        );
    }
}

fn content(rest: Rest, sent: u64, why: Back) -> Result<Vec<u8>, ipc::Error> {
    let session = ClientSession {
        facts: rest.facts,
        begin: Begin::Back {
            state: rest.state,
            sent,
            why,
        },
    };
    session.encode()
}
