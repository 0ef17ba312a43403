//! One client that is held: waits for it, for its mailbox, and for the time.

use std::cell::Cell;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use ipc::hibernate::{Farewell, Keepalive, Parked, Slot};
use ipc::{SessionId, Username};
use service::journal::{Clean, id};
use sys::{clock, reactor, seqpacket};
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::client::{self, Did};
use crate::shelf::Member;

const STILL_HERE: &[u8] = b"* OK Still here\r\n";

/// One client. What the manager needs of it lies on the shelf.
pub struct Held {
    pub slot: Slot,
    session: SessionId,
    user: Username,
    remote: IpAddr,
    stats: String,
    client: AsyncFd<OwnedFd>,
    watch: Option<AsyncFd<OwnedFd>>,
    keepalive: Cell<Option<Keepalive>>,
    ends_at: u64,
    /// Bytes that it was sent here.
    sent: Cell<u64>,
    task: Cell<Option<AbortHandle>>,
}

/// What ends the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// Something that takes a worker.
    Work,
    /// The client is gone.
    Gone,
}

impl Held {
    /// Begins to hold a client. Nobody waits for it yet.
    ///
    /// # Errors
    /// What epoll_ctl(2) says.
    pub fn new(
        slot: Slot,
        parked: &Parked,
        (client, watch): (OwnedFd, Option<OwnedFd>),
    ) -> std::io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            slot,
            session: parked.session.clone(),
            user: parked.user.clone(),
            remote: parked.remote,
            stats: parked.hold.stats.clone(),
            client: reactor::register_readable(client)?,
            watch: watch.map(reactor::register_readable).transpose()?,
            // An interval of 0 would never let go of the event loop.
            keepalive: Cell::new(parked.hold.keepalive.filter(|k| k.interval > 0)),
            ends_at: parked.hold.ends_at,
            sent: Cell::new(0),
            task: Cell::new(None),
        }))
    }

    /// The task that waits for it.
    pub fn set_task(&self, task: AbortHandle) {
        self.task.set(Some(task));
    }

    /// Bytes that it was sent here.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// The client's descriptor.
    pub fn client(&self) -> &OwnedFd {
        self.client.get_ref()
    }

    /// What of it outlives this process.
    pub fn member(&self) -> Member<'_> {
        Member {
            slot: self.slot,
            client: self.client.get_ref().as_fd(),
            watch: self.watch.as_ref().map(|watch| watch.get_ref().as_fd()),
        }
    }

    /// Waits until something happens that ends the holding, and greets the client meanwhile. Safe to cancel.
    pub async fn wait(&self) -> Happened {
        let end = sleep_until(at(self.ends_at));
        tokio::pin!(end);
        loop {
            tokio::select! {
                did = client::does(&self.client) => return match did {
                    Did::Speak => Happened::Work,
                    Did::Leave => Happened::Gone,
                },
                () = changed(self.watch.as_ref()) => return Happened::Work,
                () = &mut end => return Happened::Work,
                () = next(self.keepalive.get()) => {
                    if self.keep_alive().is_err() {
                        return Happened::Gone;
                    }
                }
            }
        }
    }

    fn keep_alive(&self) -> std::io::Result<()> {
        if let Some(keepalive) = self.keepalive.get() {
            let now = clock::to_monotonic(std::time::Instant::now());
            let next_at = now.saturating_add(keepalive.interval);
            self.keepalive.set(Some(Keepalive {
                next_at,
                ..keepalive
            }));
        }
        let sent = client::say(self.client(), STILL_HERE)?;
        self.sent.set(self.sent.get() + sent);
        Ok(())
    }

    /// The client goes on elsewhere: nobody waits for it here any more.
    pub fn release(&self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// Says good-bye, or nothing to who is gone, and hangs up.
    pub fn end(&self, why: Option<Farewell>) {
        let (line, reason): (&[u8], _) = match why {
            None => (b"", "Connection closed"),
            Some(Farewell::Kicked) => (
                b"* BYE Disconnected by administrator.\r\n",
                "Kicked by administrator",
            ),
            Some(Farewell::Shutdown) => {
                (b"* BYE Server shutting down.\r\n", "Server shutting down.")
            }
            Some(Farewell::Failed) => (
                b"* BYE Internal error occurred. Refer to server log for more information.\r\n",
                "Couldn't unhibernate client",
            ),
        };
        if !line.is_empty() {
            // It may be gone, or full: nothing to do about it.
            let _ = client::say(self.client(), line);
        }
        seqpacket::shut_down(self.client().as_fd());
        tracing::info!(
            message_id = id::SESSION_ENDED,
            culver_user = self.user.as_str(),
            culver_session = self.session.as_str(),
            culver_remote_ip = %self.remote,
            "imap-hibernate({})<{}><{}>: Disconnected: {reason} {}",
            Clean(self.user.as_str()),
            std::process::id(),
            self.session,
            Clean(&self.stats)
        );
        self.release();
    }
}

async fn changed(watch: Option<&AsyncFd<OwnedFd>>) {
    match watch {
        // One that fails tells nothing more: a worker looks.
        Some(watch) => drop(watch.readable().await),
        None => std::future::pending().await,
    }
}

async fn next(keepalive: Option<Keepalive>) {
    match keepalive {
        Some(keepalive) => sleep_until(at(keepalive.next_at)).await,
        None => std::future::pending().await,
    }
}

fn at(point: u64) -> Instant {
    // A timer cannot be set for a later century.
    let latest = std::time::Instant::now() + Duration::from_secs(10 * 365 * 24 * 3600);
    Instant::from_std(clock::from_monotonic(point).min(latest))
}
