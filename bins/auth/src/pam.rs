//! Connections to auth-worker: one question at a time on each, kept open for the next.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use auth_db::{PamQuestion, PamRefusal, PamVerdict};
use ipc::worker_auth::{Extras, Refusal, Reply, Request, Verdict};
use ipc::{AsyncChannel, Error, Secret, Username, VERSION};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How long PAM may think. Dovecot's auth request lives 150 s, a login before authentication 60 s.
const PATIENCE: Duration = Duration::from_secs(60);
/// A connection that idles so long is closed, and its process ends.
const IDLE: Duration = Duration::from_secs(60);

/// The connections.
#[derive(Debug)]
pub struct Workers {
    path: PathBuf,
    /// `auth_worker_max_count`.
    places: Semaphore,
    idle: RefCell<Vec<(AsyncChannel, Instant)>>,
}

impl Workers {
    /// To the auth-worker that listens at `path`, `most` connections at once.
    pub fn new(path: PathBuf, most: usize) -> Self {
        let places = Semaphore::new(most.min(Semaphore::MAX_PERMITS));
        Self {
            path,
            places,
            idle: RefCell::default(),
        }
    }

    /// Asks; waits for a free connection.
    pub async fn ask(&self, question: PamQuestion) -> PamVerdict {
        let Ok(request) = request(question) else {
            return PamVerdict::Failed("user name cannot be told to auth-worker".to_owned());
        };
        let Ok(_place) = self.places.acquire().await else {
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
