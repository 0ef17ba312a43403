//! Clients come, are served side by side, and go.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use config::{ServiceSettings, Snapshot};
use ipc::SessionId;
use service::journal::id;
use service::{Control, Signal};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::connection::Connection;
use crate::session::Session;
use crate::shared::Shared;

/// Clients at a time that cost next to nothing.
const MANY: u64 = 1000;
/// Clients at a time that descriptors suffice for (`LimitNOFILE=` of the unit).
const MOST: u64 = 10_000;
/// How long messages under way may take when the service has to end.
const DRAIN: Duration = Duration::from_secs(25);
/// How often the status line is brought up to date.
const STATUS_PERIOD: Duration = Duration::from_secs(10);
/// How long to wait when the kernel has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(200);

/// Where clients come from.
pub enum Listener {
    /// `lmtp-inet`.
    Inet(TcpListener),
    /// `lmtp`.
    Unix(UnixListener),
}

impl Listener {
    /// A TCP socket that systemd made.
    ///
    /// # Errors
    /// It is none.
    pub fn inet(socket: OwnedFd) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::from(socket);
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Self::Inet)
    }

    /// A unix socket that systemd made.
    ///
    /// # Errors
    /// It is none.
    pub fn unix(socket: OwnedFd) -> std::io::Result<Self> {
        let listener = std::os::unix::net::UnixListener::from(socket);
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener).map(Self::Unix)
    }
}

/// Most clients at a time. Dovecot's default, one client per process and 100 processes, is no decision of the
/// administrator: one process serves all here, and a client costs next to nothing.
pub fn most_clients(limits: &ServiceSettings) -> u32 {
    let configured = match limits.says_who_shares {
        true => limits.client_limit.saturating_mul(limits.process_limit),
        false => limits.process_limit.max(MANY),
    };
    u32::try_from(configured.clamp(1, MOST)).unwrap_or(1)
}

/// Serves clients until the service has to end: at most `limit` at a time, more wait in the kernel's queue.
pub async fn run(listeners: Vec<Listener>, shared: Arc<Shared>, limit: u32, mut control: Control) {
    let (drain, draining) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(
        usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS),
    ));
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            accept(
                listener,
                Arc::clone(&shared),
                Arc::clone(&slots),
                draining.clone(),
            )
        })
        .map(tokio::spawn)
        .collect();
    control.ready();
    until_drain(&shared, &slots, limit, &mut control).await;
    accepting.iter().for_each(JoinHandle::abort);
    // Fails only if no connection is left to be told.
    let _ = drain.send(true);
    if tokio::time::timeout(DRAIN, slots.acquire_many(limit))
        .await
        .is_err()
    {
        tracing::warn!(
            "lmtp: Warning: some connections did not end in time; their senders will try again"
        );
    }
}

async fn until_drain(shared: &Shared, slots: &Semaphore, limit: u32, control: &mut Control) {
    let mut ticks = tokio::time::interval(STATUS_PERIOD);
    loop {
        tokio::select! {
            signal = control.next() => match signal {
                Signal::Reload => {
                    let loaded = Snapshot::load("lmtp");
                    control.reloaded(&loaded.and_then(|snapshot| shared.reload(snapshot)));
                }
                Signal::Drain => return,
            },
            _ = ticks.tick() => {
                let free = u32::try_from(slots.available_permits()).unwrap_or(limit);
                control.status(&format!("{} connections", limit.saturating_sub(free)));
            }
        }
    }
}

async fn accept(
    listener: Listener,
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
    draining: watch::Receiver<bool>,
) {
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let client = Client {
            shared: Arc::clone(&shared),
            draining: draining.clone(),
            slot,
        };
        let accepted = match &listener {
            Listener::Inet(listener) => listener.accept().await.map(|(stream, remote)| {
                // Replies are small and somebody waits for each.
                let _ = stream.set_nodelay(true);
                let local = stream.local_addr().ok().map(plain);
                tokio::spawn(client.serve(stream, local, Some(plain(remote))))
            }),
            Listener::Unix(listener) => listener
                .accept()
                .await
                .map(|(stream, _)| tokio::spawn(client.serve(stream, None, None))),
        };
        if let Err(error) = accepted {
            tracing::error!(
                message_id = id::LIMIT_REACHED,
                "lmtp: Error: accept failed: {error}"
            );
            tokio::time::sleep(NO_ROOM).await;
        }
    }
}

struct Client {
    shared: Arc<Shared>,
    draining: watch::Receiver<bool>,
    slot: OwnedSemaphorePermit,
}

impl Client {
    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        local: Option<IpAddr>,
        remote: Option<IpAddr>,
    ) {
        let name = remote.map_or_else(|| "local".to_owned(), |address| address.to_string());
        let session = match self.session(local, remote) {
            Ok(session) => session,
            Err(error) => {
                tracing::error!(message_id = id::CONFIG_BROKEN, "lmtp: Error: {error:#}");
                return;
            }
        };
        let (pid, session_id) = (std::process::id(), session.id.to_string());
        tracing::info!(
            culver_session = session_id.as_str(),
            culver_remote_ip = name.as_str(),
            "lmtp({pid}): Connect from {name}"
        );
        let (reason, state) = Connection::new(stream, session, self.draining)
            .serve()
            .await;
        tracing::info!(
            culver_session = session_id.as_str(),
            culver_remote_ip = name.as_str(),
            "lmtp({pid}): Disconnect from {name}: {reason} (state={state})"
        );
        drop(self.slot);
    }

    fn session(&self, local: Option<IpAddr>, remote: Option<IpAddr>) -> anyhow::Result<Session> {
        let settings = self.shared.settings(local, remote)?;
        Ok(Session::new(
            Arc::clone(&self.shared),
            settings,
            SessionId::random()?,
            remote,
        ))
    }
}

fn plain(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}
