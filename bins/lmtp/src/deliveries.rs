//! Messages on their way to the deliver manager.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use ipc::deliver::{Delivery, Failure, Reply, Request};
use ipc::{Client, Error};
use tokio::time::timeout;

/// Where the deliver manager takes messages.
pub const SOCKET: &str = "/run/culver/deliver/deliver";
/// A sender gives up after ten minutes (RFC 5321 §4.5.3.2.6) and tries again later.
const PATIENCE: Duration = Duration::from_secs(600);

/// Gives messages to the deliver manager.
pub struct Deliveries(Client<Request, Reply>);

/// What became of one message for one recipient.
pub type Delivered = Result<(), Undelivered>;

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// The deliver service says so.
    Failed(Failure),
    /// The deliver service is out of order. The message may be delivered nevertheless: the sender tries
    /// again, and the user would rather have it twice than never.
    NoAnswer,
}

impl Deliveries {
    /// For the deliver service that listens at `path`.
    pub fn new(path: PathBuf) -> Self {
        let hello = || {
            vec![Request::Hello {
                version: ipc::VERSION,
            }]
        };
        Self(Client::new(path, hello).0)
    }

    /// Delivers one message; returns when it is on disk, or will not be.
    pub async fn deliver(&self, delivery: &Delivery, message: BorrowedFd<'_>) -> Delivered {
        match timeout(PATIENCE, self.ask(delivery, message)).await {
            Ok(Ok(Reply::Delivered { .. })) => Ok(()),
            Ok(Ok(Reply::Failed { why, .. })) => Err(Undelivered::Failed(why)),
            Ok(Ok(Reply::Hello { .. })) => Err(no_answer(delivery, &"BUG: a second hello")),
            Ok(Err(error)) => Err(no_answer(delivery, &error)),
            Err(_) => Err(no_answer(delivery, &"no answer in time")),
        }
    }

    async fn ask(&self, delivery: &Delivery, message: BorrowedFd<'_>) -> Result<Reply, Error> {
        let mut exchange = self.0.begin().await?;
        let request = |id| Request::Deliver {
            id,
            delivery: delivery.clone(),
        };
        if let Err(Error::Closed) = exchange.send(&request(exchange.id()), &[message]).await {
            // The service was restarted: what could not be sent, it has not seen.
            exchange = self.0.begin().await?;
            exchange.send(&request(exchange.id()), &[message]).await?;
        }
        exchange.next().await
    }
}

fn no_answer(delivery: &Delivery, error: &dyn std::fmt::Display) -> Undelivered {
    tracing::error!(
        message_id = service::journal::id::DELIVERY_FAILED,
        culver_session = delivery.session.as_str(),
        "lmtp({}): Error: deliver: {error}",
        service::journal::Clean(&delivery.user)
    );
    Undelivered::NoAnswer
}
