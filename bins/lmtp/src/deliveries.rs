//! Messages on their way to the deliver manager.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use ipc::deliver::{Delivery, Failure, Reply, Request};

use crate::request::{Client, Messages, NoAnswer};

/// Where the deliver manager takes messages.
pub const SOCKET: &str = "/run/culver/deliver/deliver";

/// Gives messages to the deliver manager.
pub struct Deliveries(Client<DeliverMessages>);

/// What became of one message for one recipient.
pub type Delivered = Result<(), Undelivered>;

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// The deliver service says so.
    Failed(Failure),
    /// The deliver service is out of order. The message may be delivered nevertheless.
    NoAnswer,
}

impl From<NoAnswer> for Undelivered {
    fn from(_: NoAnswer) -> Self {
        Self::NoAnswer
    }
}

impl Deliveries {
    /// For the deliver service that listens at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self(Client::new("deliver", path))
    }

    /// Delivers one message; returns when it is on disk, or will not be.
    pub async fn deliver(&self, delivery: &Delivery, message: BorrowedFd<'_>) -> Delivered {
        match self
            .0
            .ask(
                |id| Request::Deliver {
                    id,
                    delivery: delivery.clone(),
                },
                &[message],
            )
            .await?
        {
            Reply::Delivered { .. } => Ok(()),
            Reply::Failed { why, .. } => Err(Undelivered::Failed(why)),
            Reply::Hello { .. } => Err(Undelivered::NoAnswer),
        }
    }
}

struct DeliverMessages;

impl Messages for DeliverMessages {
    type Request = Request;
    type Reply = Reply;
    /// A sender gives up after ten minutes (RFC 5321 §4.5.3.2.6) and tries again later.
    const PATIENCE: Duration = Duration::from_secs(600);

    fn hello(version: u16) -> Request {
        Request::Hello { version }
    }

    fn version(reply: &Reply) -> Option<u16> {
        match reply {
            Reply::Hello { version } => Some(*version),
            _ => None,
        }
    }

    fn id(reply: &Reply) -> Option<u32> {
        match reply {
            Reply::Hello { .. } => None,
            Reply::Delivered { id } | Reply::Failed { id, .. } => Some(*id),
        }
    }
}
