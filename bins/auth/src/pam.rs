//! Connections to auth-worker: one question at a time on each, kept open for the next.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use auth_db::{PamQuestion, PamRefusal, PamVerdict};
use ipc::worker_auth::{Extras, Refusal, Reply, Request, Verdict};
use ipc::{AsyncChannel, Error, Secret, Username, VERSION};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::turns::{Asker, Turns};

/// How long PAM may think. Dovecot's auth request lives 150 s, a login before authentication 60 s.
const PATIENCE: Duration = Duration::from_secs(60);
/// A connection that idles so long is closed, and its process ends.
const IDLE: Duration = Duration::from_secs(60);

/// The connections.
#[derive(Debug)]
pub struct Workers {
    path: PathBuf,
    places: Rc<Places>,
    idle: RefCell<Vec<(AsyncChannel, Instant)>>,
}

impl Workers {
    /// To the auth-worker that listens at `path`, `most` connections at once.
    pub fn new(path: PathBuf, most: usize) -> Self {
        Self {
            path,
            places: Places::new(most),
            idle: RefCell::default(),
        }
    }

    /// Asks; waits for a free connection.
    pub async fn ask(&self, asker: Asker, question: PamQuestion) -> PamVerdict {
        let Ok(request) = request(question) else {
            return PamVerdict::Failed("user name cannot be told to auth-worker".to_owned());
        };
        let Some(_place) = self.places.take(asker).await else {
            return PamVerdict::Failed("auth is ending".to_owned());
        };
        match tokio::time::timeout(PATIENCE, self.exchange(&request)).await {
            Ok(Ok(verdict)) => translate(verdict),
            Ok(Err(error)) => PamVerdict::Failed(format!("auth-worker: {error}")),
            // The connection is closed with this; auth-worker ends the process that hangs.
            Err(_) => PamVerdict::Failed(format!(
                "PAM did not answer within {} s",
                PATIENCE.as_secs()
            )),
        }
    }

    /// Closes connections that nobody needed for a while.
    pub fn sweep(&self, now: Instant) {
        self.idle
            .borrow_mut()
            .retain(|(_, since)| now.saturating_duration_since(*since) < IDLE);
    }

    async fn exchange(&self, request: &Request) -> Result<Verdict, Error> {
        let kept = self.idle.borrow_mut().pop();
        if let Some((channel, _)) = kept {
            match self.on(channel, request).await {
                // auth-worker was restarted since: ask its successor.
                Err(Error::Closed) => {}
                other => return other,
            }
        }
        let channel = AsyncChannel::connect(&self.path).await?;
        channel
            .send(&Request::Hello { version: VERSION }, &[])
            .await?;
        match channel.recv::<Reply>().await?.0 {
            Reply::Hello { version } => Error::check_version(version)?,
            Reply::Verdict(_) => return Err(unexpected()),
        }
        self.on(channel, request).await
    }

    async fn on(&self, channel: AsyncChannel, request: &Request) -> Result<Verdict, Error> {
        channel.send(request, &[]).await?;
        let Reply::Verdict(verdict) = channel.recv::<Reply>().await?.0 else {
            return Err(unexpected());
        };
        self.idle.borrow_mut().push((channel, Instant::now()));
        Ok(verdict)
    }
}

/// `auth_worker_max_count`: connections that may be busy at once. Askers take turns.
#[derive(Debug)]
struct Places {
    free: Cell<usize>,
    waiting: RefCell<Turns<oneshot::Sender<Place>>>,
}

/// One of them, free again when dropped: also on its way to somebody who gave up.
#[derive(Debug)]
struct Place(Rc<Places>);

impl Places {
    fn new(count: usize) -> Rc<Self> {
        Rc::new(Self {
            free: Cell::new(count),
            waiting: RefCell::default(),
        })
    }

    async fn take(self: &Rc<Self>, asker: Asker) -> Option<Place> {
        if let Some(left) = self.free.get().checked_sub(1) {
            self.free.set(left);
            return Some(Place(Rc::clone(self)));
        }
        let (giver, given) = oneshot::channel();
        self.waiting.borrow_mut().push(asker, giver);
        given.await.ok()
    }

    /// Whose turn it is, of those that have not given up.
    fn next(&self) -> Option<oneshot::Sender<Place>> {
        let mut waiting = self.waiting.borrow_mut();
        std::iter::from_fn(|| waiting.pop()).find(|next| !next.is_closed())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match self.0.next() {
            // It listens: nothing comes back.
            Some(next) => drop(next.send(Place(Rc::clone(&self.0)))),
            None => self.0.free.set(self.0.free.get() + 1),
        }
    }
}

fn unexpected() -> Error {
    Error::Malformed {
        expected: "reply of auth-worker",
        reason: "not the one that was asked for".to_owned(),
    }
}

fn request(question: PamQuestion) -> Result<Request, &'static str> {
    Ok(Request::Pam {
        service: question.service,
        user: Username::try_from(question.user)?,
        password: Secret::new(question.password.to_vec()),
        remote: question.remote,
        extras: Extras {
            session: question.session,
            setcred: question.setcred,
        },
    })
}

fn translate(verdict: Verdict) -> PamVerdict {
    match verdict {
        Verdict::Accepted { user } => PamVerdict::Accepted { user: user.into() },
        Verdict::Refused { reason, text } => PamVerdict::Refused {
            reason: refusal(reason),
            text,
        },
        Verdict::Failed { reason } => PamVerdict::Failed(reason),
    }
}

fn refusal(reason: Refusal) -> PamRefusal {
    match reason {
        Refusal::Mismatch => PamRefusal::Mismatch,
        Refusal::UnknownUser => PamRefusal::UnknownUser,
        Refusal::Disabled => PamRefusal::Disabled,
        Refusal::PasswordExpired => PamRefusal::PasswordExpired,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::*;

    fn asker(last: u8) -> Asker {
        Asker::new(Some([192, 0, 2, last].into()))
    }

    /// Begins to wait for a place.
    fn begin(places: &Rc<Places>, asker: Asker) -> Pin<Box<impl Future<Output = Option<Place>>>> {
        let mut waiting = Box::pin(places.take(asker));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        waiting
    }

    #[tokio::test]
    async fn places_go_round_and_none_is_lost() {
        let places = Places::new(1);
        let first = places.take(asker(1)).await.unwrap();
        let mut flood: Vec<_> = (0..100).map(|_| begin(&places, asker(1))).collect();
        let honest = begin(&places, asker(2));
        // One gave up before its turn, one gives up when its place is on the way.
        drop(flood.remove(0));
        let late = flood.remove(0);
        drop(first);
        drop(late);
        let place = honest.await.unwrap();
        drop(flood);
        drop(place);
        assert_eq!(places.free.get(), 1);
        assert_eq!(places.waiting.borrow().len(), 0);
    }
}
