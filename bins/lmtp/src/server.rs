//! Clients come, are served side by side, and go.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use ipc::SessionId;
use service::{Control, Signal};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::connection::Connection;
use crate::session::Session;
use crate::shared::Shared;

/// Most clients at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1000;
/// How long messages under way may take when the service has to end.
const DRAIN: Duration = Duration::from_secs(25);
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

/// Serves clients until the service has to end; `reload` is called for new settings.
pub async fn run(
    listeners: Vec<Listener>,
    shared: &Arc<Shared>,
    mut control: Control,
    mut reload: impl FnMut(&Control),
) {
    let (drain, draining) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            tokio::spawn(accept(
                listener,
                Arc::clone(shared),
                Arc::clone(&slots),
                draining.clone(),
            ))
        })
        .collect();
    control.ready();
    while control.next().await == Signal::Reload {
        reload(&control);
    }
    for task in &accepting {
        task.abort();
    }
    // Fails only if no connection is left to be told.
    let _ = drain.send(true);
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    if tokio::time::timeout(DRAIN, slots.acquire_many(all))
        .await
        .is_err()
    {
        let left = MAX_CONNECTIONS.saturating_sub(slots.available_permits());
        tracing::warn!(
            "lmtp: Warning: {left} connections did not end in time; their senders will try again"
        );
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
                tokio::spawn(client.serve(stream, Some(remote)))
            }),
            Listener::Unix(listener) => listener
                .accept()
                .await
                .map(|(stream, _)| tokio::spawn(client.serve(stream, None))),
        };
        if let Err(error) = accepted {
            tracing::error!("lmtp: Error: accept failed: {error}");
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
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin, remote: Option<SocketAddr>) {
        let Ok(id) = SessionId::random() else { return };
        let remote = remote.map(|address| address.ip().to_canonical());
        let name = remote.map_or_else(|| "local".to_owned(), |address: IpAddr| address.to_string());
        let pid = std::process::id();
        tracing::info!(culver_session = %id, culver_remote_ip = %name, "lmtp({pid}): Connect from {name}");
        let session = Session::new(self.shared, id.clone(), remote);
        let (reason, state) = Connection::new(stream, session, self.draining)
            .serve()
            .await;
        tracing::info!(
            culver_session = %id,
            culver_remote_ip = %name,
            "lmtp({pid}): Disconnect from {name}: {reason} (state={state})"
        );
        drop(self.slot);
    }
}
