//! Requests of lmtp: taken, worked on side by side, answered.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::Snapshot;
use ipc::deliver::{Delivery, Failure, Reply, Request};
use ipc::{AsyncChannel, AsyncListener, Error};
use service::journal::id;
use service::{Control, Door, Signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

use crate::manager::Manager;

/// What runs as long as the service does.
pub struct Server {
    /// Deliveries.
    pub manager: Manager,
    /// Who may bring messages.
    pub callers: service::Callers,
}

/// Most requests that wait for a worker or have one: each has a descriptor (`LimitNOFILE=` of the unit).
const MOST_REQUESTS: u32 = 16_384;
/// How long deliveries under way may take when the service ends.
const DRAIN: Duration = Duration::from_secs(12);

/// How often the status line is brought up to date.
const STATUS_PERIOD: Duration = Duration::from_secs(10);
/// How long to wait when the kernel has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(200);

/// What callers share.
#[derive(Clone)]
pub struct Callers {
    /// One for each request that was read: it has to come to its end.
    requests: Arc<Semaphore>,
    draining: watch::Receiver<bool>,
}

impl Callers {
    /// Until `draining` becomes true.
    pub fn new(draining: watch::Receiver<bool>) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(count(MOST_REQUESTS))),
            draining,
        }
    }
}

impl Server {
    /// Serves until the service has to end. `stored` are channels of workers that an earlier manager left.
    pub async fn run(
        self,
        listener: AsyncListener,
        stored: Vec<OwnedFd>,
        drain: watch::Sender<bool>,
        mut control: Control,
    ) {
        let server = Rc::new(self);
        let callers = Callers::new(drain.subscribe());
        let requests = Arc::clone(&callers.requests);
        // They finish what they have; nobody waits for their answers any more.
        server.manager.workers.resume(stored).await;
        server.manager.workers.run();
        let accepting = spawn_local(Rc::clone(&server).accept(listener, callers));
        control.ready();
        server.until_drain(&mut control).await;
        accepting.abort();
        drain.send_replace(true);
        // What was begun is finished, but for what hangs.
        let _ = timeout(DRAIN, requests.acquire_many(MOST_REQUESTS)).await;
        server.manager.workers.drain().await;
    }

    async fn until_drain(&self, control: &mut Control) {
        let mut ticks = tokio::time::interval(STATUS_PERIOD);
        loop {
            tokio::select! {
                signal = control.next() => match signal {
                    Signal::Reload => {
                        let loaded = Snapshot::load("deliver");
                        control.reloaded(&loaded.and_then(|snapshot| self.manager.reload(&snapshot)));
                    }
                    Signal::Drain => return,
                },
                _ = ticks.tick() => {
                    let (deliveries, workers) = self.manager.workers.load();
                    control.status(&format!("{deliveries} deliveries in {workers} workers"));
                }
            }
        }
    }

    /// Serves every caller.
    pub async fn accept(self: Rc<Self>, listener: AsyncListener, callers: Callers) {
        loop {
            match listener.accept().await {
                Ok(channel) => drop(Rc::clone(&self).begin(channel, callers.clone())),
                Err(error) => {
                    tracing::error!(message_id = id::LIMIT_REACHED, "deliver: Error: {error}");
                    tokio::time::sleep(NO_ROOM).await;
                }
            }
        }
    }

    fn begin(self: Rc<Self>, channel: AsyncChannel, callers: Callers) -> JoinHandle<()> {
        spawn_local(async move {
            match self.serve(Rc::new(channel), callers).await {
                Ok(()) | Err(Error::Closed) => {}
                Err(error) => refuse(&error),
            }
        })
    }

    /// Serves one caller until it goes away or the service has to end.
    async fn serve(
        self: Rc<Self>,
        channel: Rc<AsyncChannel>,
        mut callers: Callers,
    ) -> Result<(), Error> {
        if !self.may_call(&channel)? {
            return Ok(());
        }
        let (Request::Hello { version }, _) = channel.recv().await? else {
            refuse(&"a request before hello");
            return Ok(());
        };
        channel
            .send(
                &Reply::Hello {
                    version: ipc::VERSION,
                },
                &[],
            )
            .await?;
        Error::check_version(version)?;
        loop {
            let received = tokio::select! {
                biased;
                _ = callers.draining.wait_for(|draining| *draining) => return Ok(()),
                received = channel.recv::<Request>() => received?,
            };
            let (Request::Deliver { id, delivery }, mut fds) = received else {
                refuse(&"a second hello");
                return Ok(());
            };
            let (Some(message), true) = (fds.pop(), fds.is_empty()) else {
                refuse(&"not one descriptor beside a message");
                return Ok(());
            };
            let Ok(request) = Arc::clone(&callers.requests).try_acquire_owned() else {
                channel
                    .send(
                        &Reply::Failed {
                            id,
                            why: Failure::Unavailable,
                        },
                        &[],
                    )
                    .await?;
                continue;
            };
            let (server, channel) = (Rc::clone(&self), Rc::clone(&channel));
            spawn_local(async move {
                server.deliver(&channel, id, &delivery, message).await;
                drop(request);
            });
        }
    }

    async fn deliver(
        &self,
        channel: &AsyncChannel,
        id: u32,
        delivery: &Delivery,
        message: OwnedFd,
    ) {
        let reply = match self.manager.deliver(delivery, message).await {
            Ok(()) => Reply::Delivered { id },
            Err(why) => Reply::Failed { id, why },
        };
        if let Err(error) = channel.send(&reply, &[]).await {
            // The message may be on disk, and the sender will try again.
            tracing::warn!(
                culver_session = delivery.session.as_str(),
                "deliver: Warning: lmtp went away before it had its answer: {error}"
            );
        }
    }

    fn may_call(&self, channel: &AsyncChannel) -> Result<bool, Error> {
        let peer = channel.peer()?;
        let may = self.callers.may(peer.uid, Door::Deliver);
        if !may {
            refuse(&format_args!(
                "process {} of uid {} is not lmtp",
                peer.pid, peer.uid
            ));
        }
        Ok(may)
    }
}

fn refuse(reason: &dyn std::fmt::Display) {
    tracing::error!(
        message_id = id::PEER_REFUSED,
        "deliver: Error: caller refused: {reason}"
    );
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(Semaphore::MAX_PERMITS)
}
