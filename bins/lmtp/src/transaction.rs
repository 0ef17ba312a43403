//! One message for some recipients: MAIL, RCPT …, DATA. RFC 2033 §4.2.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ipc::deliver::{Delivery, Failure};
use ipc::{SessionId, Username};
use jiff::Zoned;
use smtp_proto::{Address, Enhanced, Reply, ReversePath};
use tokio::sync::{Semaphore, mpsc};

use crate::deliveries::{Delivered, Undelivered};
use crate::settings::Settings;
use crate::shared::{InFlight, Shared};

/// Most recipients of one message.
pub const MAX_RECIPIENTS: usize = 1000;
/// Most deliveries of one message at the same time.
const CONCURRENT: usize = 32;

/// A message that is announced.
pub struct Transaction {
    /// Names it in the log and in Received.
    pub id: SessionId,
    /// Envelope sender.
    pub from: ReversePath,
    /// When MAIL came.
    pub time: Zoned,
    /// Those that were accepted, in order.
    pub recipients: Vec<Recipient>,
}

/// One accepted recipient.
pub struct Recipient {
    /// As RCPT named it.
    pub address: Address,
    /// `ORCPT=`.
    pub original: Option<Address>,
    /// Name of the user, before auth normalised it.
    pub user: String,
    /// Behind `recipient_delimiter`.
    pub detail: Option<String>,
    /// The user as auth knows it, counted while this lives.
    pub in_flight: InFlight,
    /// The earlier recipient with the same address; set by [`Transaction::add`].
    pub duplicate_of: Option<usize>,
}

/// A delivery that is ready to go, and which recipient's reply it decides.
struct Job {
    recipient: usize,
    delivery: Delivery,
}

impl Transaction {
    /// Name of the recipient with this index in the log: the first one has the transaction's own.
    pub fn session_of(&self, index: usize) -> SessionId {
        match index {
            0 => self.id.clone(),
            _ => SessionId::try_from(format!("{}:R{}", self.id, index + 1))
                .unwrap_or_else(|_| self.id.clone()),
        }
    }

    /// Adds a recipient. One that has the address of an earlier one gets the message once, and both
    /// get its reply.
    pub fn add(&mut self, mut recipient: Recipient) {
        recipient.duplicate_of = self
            .recipients
            .iter()
            .position(|earlier| earlier.is_same_as(&recipient));
        self.recipients.push(recipient);
    }

    /// Delivers `message`. Replies come through the channel: exactly one per recipient, in order, each as
    /// soon as it and those before it are known.
    ///
    /// Deliveries go on to their end even if nobody listens: the client may have the reply or not,
    /// the mailbox must not have half a message.
    pub fn deliver(
        self,
        message: OwnedFd,
        shared: &Arc<Shared>,
        settings: Arc<Settings>,
        headers: impl Fn(&Recipient) -> String,
    ) -> mpsc::Receiver<Reply> {
        let (replies, receiver) = mpsc::channel(self.recipients.len().max(1));
        let (results, finished) = mpsc::channel(self.recipients.len().max(1));
        let (message, slots) = (Arc::new(message), Arc::new(Semaphore::new(CONCURRENT)));
        for jobs in self.jobs_by_user(headers) {
            let work = deliver_in_turn(
                jobs,
                Arc::clone(&message),
                Arc::clone(shared),
                results.clone(),
            );
            tokio::spawn(with_slot(Arc::clone(&slots), work));
        }
        tokio::spawn(self.answer(finished, replies, settings));
        receiver
    }

    /// Deliveries to the same user one after another, those to different users beside each other.
    fn jobs_by_user(&self, headers: impl Fn(&Recipient) -> String) -> Vec<Vec<Job>> {
        let mut groups: Vec<Vec<Job>> = Vec::new();
        let mut group_of: HashMap<&Username, usize> = HashMap::new();
        for (index, recipient) in self.recipients.iter().enumerate() {
            if recipient.duplicate_of.is_some() {
                continue;
            }
            let group = *group_of
                .entry(recipient.in_flight.user())
                .or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
            if let Some(group) = groups.get_mut(group) {
                group.push(Job {
                    recipient: index,
                    delivery: self.delivery(index, recipient, headers(recipient)),
                });
            }
        }
        groups
    }

    fn delivery(&self, index: usize, recipient: &Recipient, prepend: String) -> Delivery {
        Delivery {
            user: recipient.user.clone(),
            detail: recipient.detail.clone(),
            sender: self.from.to_string(),
            recipient: recipient.address.to_string(),
            session: self.session_of(index),
            prepend,
        }
    }

    /// Puts results into the order of the recipients.
    async fn answer(
        self,
        mut finished: mpsc::Receiver<(usize, Delivered)>,
        replies: mpsc::Sender<Reply>,
        settings: Arc<Settings>,
    ) {
        let mut results: HashMap<usize, Delivered> = HashMap::new();
        for (index, recipient) in self.recipients.iter().enumerate() {
            let decides = recipient.duplicate_of.unwrap_or(index);
            while !results.contains_key(&decides) {
                match finished.recv().await {
                    Some((index, result)) => results.insert(index, result),
                    None => results.insert(decides, Err(Undelivered::NoAnswer)),
                };
            }
            let result = results.get(&decides).unwrap_or(&Err(Undelivered::NoAnswer));
            // Without a client nobody wants the replies, but the deliveries still count as in flight.
            let _ = replies
                .send(recipient.reply(result, &self.session_of(decides), &settings))
                .await;
        }
    }
}

async fn with_slot(slots: Arc<Semaphore>, work: impl Future<Output = ()>) {
    let _slot = slots.acquire().await;
    work.await;
}

async fn deliver_in_turn(
    jobs: Vec<Job>,
    message: Arc<OwnedFd>,
    shared: Arc<Shared>,
    results: mpsc::Sender<(usize, Delivered)>,
) {
    for job in jobs {
        let result = shared
            .deliveries
            .deliver(&job.delivery, message.as_fd())
            .await;
        // The receiver lives until it has all results.
        let _ = results.send((job.recipient, result)).await;
    }
}

impl Recipient {
    fn is_same_as(&self, other: &Self) -> bool {
        self.address.local() == other.address.local()
            && same_domain(&self.address, &other.address)
            && self.original == other.original
    }

    /// The reply after the message, in Dovecot's words.
    fn reply(&self, result: &Delivered, session: &SessionId, settings: &Settings) -> Reply {
        let (code, enhanced, text) = match result {
            Ok(()) => (250, Enhanced(2, 0, 0), format!("{session} Saved")),
            Err(Undelivered::NoAnswer) => (
                451,
                Enhanced(4, 3, 0),
                "Temporary internal error".to_owned(),
            ),
            Err(Undelivered::Failed(failure)) => match failure {
                Failure::UnknownUser => (
                    550,
                    Enhanced(5, 1, 1),
                    format!("User doesn't exist: {}", self.user),
                ),
                Failure::DiskFull => (452, Enhanced(4, 3, 1), "Not enough disk space".to_owned()),
                Failure::OverQuota if settings.quota_full_tempfail => {
                    (452, Enhanced(4, 2, 2), QUOTA_EXCEEDED.to_owned())
                }
                Failure::OverQuota => (552, Enhanced(5, 2, 2), QUOTA_EXCEEDED.to_owned()),
                Failure::Rejected(reason) => (550, Enhanced(5, 7, 0), reason.clone()),
                Failure::Unavailable => (
                    451,
                    Enhanced(4, 2, 0),
                    "Temporary internal error".to_owned(),
                ),
            },
        };
        Reply::new(code, enhanced, &format!("<{}> {text}", self.address))
    }
}

const QUOTA_EXCEEDED: &str = "Quota exceeded (mailbox for user is full)";

/// Domains have no case, RFC 5321 §2.4.
fn same_domain(a: &Address, b: &Address) -> bool {
    match (a.domain(), b.domain()) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a == b,
    }
}
