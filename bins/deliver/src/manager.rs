//! The manager: takes messages from lmtp, finds out whose they are, gives them to the user's worker.
//!
//! It never looks into a message.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use broker::{Begun, IdentitySettings, Limits, SubmitError};
use config::{Facts, Snapshot};
use ipc::auth_master::{self, ClientInfo, MailUser, Refusal};
use ipc::deliver::{Delivery, Failure};
use ipc::facts::Protocol;
use ipc::worker::Identity;
use ipc::{Client, Error};
use service::journal::{Clean, id};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::places::Places;

/// Where auth answers managers.
pub const AUTH: &str = "/run/culver/auth/userdb";
/// Longest time that a userdb may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest time that a delivery may take: lmtp waits no longer either.
const DELIVERY: Duration = Duration::from_secs(600);
/// Unidentified workers that are ready in any case.
const SPARE: usize = 1;

/// What all deliveries share.
pub struct Manager {
    auth: Client<auth_master::Request, auth_master::Reply>,
    /// Workers.
    pub workers: broker::Manager,
    snapshot: RefCell<Snapshot>,
    places: Places,
    draining: watch::Receiver<bool>,
}

impl Manager {
    /// With the configuration in `snapshot` and the auth that listens at `auth`; what waits for a place when `draining`
    /// becomes true is refused. The second value yields every delivery that ended.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn new(
        snapshot: &Snapshot,
        auth: &Path,
        draining: watch::Receiver<bool>,
    ) -> Result<(Self, UnboundedReceiver<broker::Ended>), config::Error> {
        let hello = || {
            vec![auth_master::Request::Hello {
                version: ipc::VERSION,
            }]
        };
        let (auth, _) = Client::new(auth.to_owned(), hello);
        let (workers, ended) =
            broker::Manager::new("deliver", Limits::of(snapshot.limits(), SPARE));
        check(snapshot)?;
        Ok((
            Self {
                auth,
                workers,
                snapshot: RefCell::new(snapshot.clone()),
                places: Places::new(most_deliveries(snapshot)),
                draining,
            },
            ended,
        ))
    }

    /// Uses another configuration for deliveries to come.
    ///
    /// # Errors
    /// The configuration cannot be used; nothing has changed.
    pub fn reload(&self, snapshot: &Snapshot) -> Result<(), config::Error> {
        check(snapshot)?;
        self.snapshot.replace(snapshot.clone());
        self.workers.reload(Limits::of(snapshot.limits(), SPARE));
        Ok(())
    }

    /// Delivers one message. Returns when it is on disk, or will not be.
    ///
    /// # Errors
    /// What lmtp has to answer; the reason is in the journal.
    pub async fn deliver(&self, delivery: &Delivery, message: OwnedFd) -> Result<(), Failure> {
        let user = self.look_up(delivery).await?;
        let identity = broker::identify_by(&self.snapshot.borrow(), &facts(), &user);
        let identity = identity.map_err(|refused| {
            report(delivery, id::USER_REFUSED, &refused);
            Failure::Unavailable
        })?;
        let content = postcard::to_stdvec(delivery).map_err(|error| {
            report(delivery, id::DELIVERY_FAILED, &error);
            Failure::Unavailable
        })?;
        let done = self.hand_over(&identity, delivery, (content, message));
        let done = timeout(DELIVERY, done).await;
        let done = done.unwrap_or(Err(SubmitError::Stuck));
        let outcome = done.map_err(|error| failed(delivery, &error))?;
        // Nothing to decode: the worker ended the delivery without an outcome, and said why.
        postcard::from_bytes(&outcome).unwrap_or(Err(Failure::Unavailable))
    }

    /// Gives the job to the user's worker and waits for what it says.
    async fn hand_over(
        &self,
        identity: &Identity,
        delivery: &Delivery,
        (content, message): (Vec<u8>, OwnedFd),
    ) -> Result<Vec<u8>, SubmitError> {
        let mut draining = self.draining.clone();
        let _place = tokio::select! {
            place = self.places.take(&identity.user) => place.ok_or(SubmitError::Ending)?,
            _ = draining.wait_for(|draining| *draining) => return Err(SubmitError::Ending),
        };
        let begun = match self.begin(identity, delivery, (&content, &message)).await {
            // The user's worker ended at this very moment, and has not seen the message.
            Err(error) if error.is_loss() => {
                self.begin(identity, delivery, (&content, &message)).await?
            }
            begun => begun?,
        };
        drop(message);
        begun.done().await
    }

    async fn begin(
        &self,
        identity: &Identity,
        delivery: &Delivery,
        (content, message): (&[u8], &OwnedFd),
    ) -> Result<Begun, SubmitError> {
        let place = self.workers.reserve(identity, &delivery.session).await?;
        place.begin(content.to_vec(), &[message.as_fd()]).await
    }

    async fn look_up(&self, delivery: &Delivery) -> Result<MailUser, Failure> {
        let unavailable = |error: &dyn std::fmt::Display| {
            report(
                delivery,
                id::AUTH_UNAVAILABLE,
                &format!("userdb lookup: {error}"),
            );
            Failure::Unavailable
        };
        match timeout(PATIENCE, self.ask(&delivery.user)).await {
            Ok(Ok(auth_master::Reply::User { user, .. })) => Ok(user),
            Ok(Ok(auth_master::Reply::Refused {
                why: Refusal::UnknownUser,
                ..
            })) => Err(Failure::UnknownUser),
            Ok(Ok(_)) => Err(unavailable(&"auth cannot tell")),
            Ok(Err(error)) => Err(unavailable(&error)),
            Err(_) => Err(unavailable(&"no answer in time")),
        }
    }

    async fn ask(&self, user: &str) -> Result<auth_master::Reply, Error> {
        let lookup = |id| auth_master::Request::Lookup {
            id,
            client: ClientInfo::of(Protocol::Lmtp),
            user: user.to_owned(),
        };
        match self.auth.call(lookup, &[]).await {
            // auth was restarted; a question may be asked twice.
            Err(Error::Closed) => self.auth.call(lookup, &[]).await,
            answer => answer,
        }
    }
}

/// How many deliveries may run at a time: each may need a worker of its own.
fn most_deliveries(snapshot: &Snapshot) -> u32 {
    u32::try_from(snapshot.limits().process_limit.clamp(1, 10_000)).unwrap_or(1)
}

/// Can it be used at all?
fn check(snapshot: &Snapshot) -> Result<(), config::Error> {
    let _: IdentitySettings = snapshot.settings(&facts())?;
    Ok(())
}

fn facts() -> Facts<'static> {
    Facts::of_protocol("lmtp")
}

fn failed(delivery: &Delivery, error: &SubmitError) -> Failure {
    let message = match error {
        SubmitError::Limit(_) => id::LIMIT_REACHED,
        SubmitError::Worker(_) => id::WORKER_FAILED,
        _ => id::DELIVERY_FAILED,
    };
    report(delivery, message, error);
    Failure::Unavailable
}

fn report(delivery: &Delivery, message_id: &'static str, error: &dyn std::fmt::Display) {
    tracing::error!(
        message_id,
        culver_user = %Clean(&delivery.user),
        culver_session = delivery.session.as_str(),
        "lmtp({})<{}>: Error: {}",
        Clean(&delivery.user),
        delivery.session,
        Clean(&error.to_string())
    );
}
