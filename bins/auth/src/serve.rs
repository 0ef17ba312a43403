//! The event loop: accepts peers at three sockets, reloads, drains.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use auth_db::Client;
use ipc::{AsyncChannel, AsyncListener};
use service::journal::{Clean, id};
use service::{Control, Door, Signal};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::master;
use crate::outside::For;
use crate::shared::{Live, Shared};
use crate::{Error, login};

/// Most peers at once at one socket; more wait in the socket's queue.
const MAX_PEERS: usize = 512;
/// How often things that have expired are forgotten.
const SWEEP_PERIOD: Duration = Duration::from_secs(10);
/// How long exchanges under way, and tokens on their way to a manager, may take when the service ends.
const DRAIN: Duration = Duration::from_secs(5);

/// The listening sockets.
pub struct Sockets {
    /// `auth-login`.
    pub login: OwnedFd,
    /// `auth-master`.
    pub master: OwnedFd,
    /// `auth-userdb`.
    pub userdb: OwnedFd,
}

/// Why a connection was ended by us.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It broke, or was not one of ours.
    #[error(transparent)]
    Ipc(#[from] ipc::Error),
    /// The peer is nobody who may call here.
    #[error("its user may not call here")]
    Uid,
    /// A message that does not belong there.
    #[error("BUG: unexpected {0}")]
    Unexpected(&'static str),
    /// The peer does not read.
    #[error("it does not read its replies")]
    Slow,
}

/// Serves until systemd says that it is enough.
pub async fn serve(mut control: Control, sockets: Sockets, live: Live) -> Result<(), Error> {
    let shared = Rc::new(Shared::new(live));
    preload(&shared).await;
    let accepting = accept_all(sockets, &shared)?;
    control.ready();
    let mut sweep = tokio::time::interval(SWEEP_PERIOD);
    loop {
        tokio::select! {
            signal = control.next() => match signal {
                Signal::Drain => break,
                Signal::Reload => control.reloaded(&reload(&shared).await),
            },
            now = sweep.tick() => {
                shared.tokens.borrow_mut().sweep(now);
                shared.workers.sweep(now);
                control.status(&status(&shared, now));
            }
        }
    }
    for task in accepting {
        task.abort();
    }
    drain(&shared).await;
    Ok(())
}

/// Begins to accept at all sockets.
pub fn accept_all(
    sockets: Sockets,
    shared: &Rc<Shared>,
) -> Result<[tokio::task::JoinHandle<()>; 3], Error> {
    let [login, master, userdb] =
        [sockets.login, sockets.master, sockets.userdb].map(AsyncListener::new);
    let of = || Rc::clone(shared);
    Ok([
        tokio::task::spawn_local(accept(login?, of(), login::serve)),
        tokio::task::spawn_local(accept(master?, of(), |shared, peer| {
            master::serve(shared, peer, Door::AuthMaster)
        })),
        tokio::task::spawn_local(accept(userdb?, of(), |shared, peer| {
            master::serve(shared, peer, Door::AuthUserdb)
        })),
    ])
}

async fn accept<F: Future<Output = Result<(), Refused>> + 'static>(
    listener: AsyncListener,
    shared: Rc<Shared>,
    serve: fn(Rc<Shared>, AsyncChannel) -> F,
) {
    let places = Arc::new(Semaphore::new(MAX_PEERS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok(channel) => {
                let peer = channel.peer();
                let served = serve(Rc::clone(&shared), channel);
                tokio::task::spawn_local(async move {
                    report(peer, &served.await);
                    drop(place);
                });
            }
            Err(error) => {
                tracing::error!(message_id = id::LIMIT_REACHED, "auth: Error: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Says in the journal why a connection ended, unless the peer just left.
fn report(peer: Result<sys::peer::Peer, ipc::Error>, outcome: &Result<(), Refused>) {
    let Err(error) = outcome else { return };
    if matches!(error, Refused::Ipc(ipc::Error::Closed)) {
        return;
    }
    let (pid, uid) = peer.map_or((0, u32::MAX), |peer| (peer.pid, peer.uid));
    tracing::error!(
        message_id = id::PEER_REFUSED,
        "auth: Error: refused process {pid} of uid {uid}: {}",
        Clean(&error.to_string())
    );
}

/// Reads password files ahead: their mistakes show now.
pub async fn preload(shared: &Shared) {
    let live = shared.live();
    let client = Client::default();
    for problem in live
        .db
        .preload(&For {
            shared,
            client: &client,
        })
        .await
    {
        tracing::error!(
            message_id = id::AUTH_UNAVAILABLE,
            "auth: Error: passwd-file: {problem}"
        );
    }
}

async fn reload(shared: &Shared) -> Result<(), Error> {
    shared.replace(Live::load()?);
    preload(shared).await;
    Ok(())
}

fn status(shared: &Shared, now: Instant) -> String {
    let tokens = shared.tokens.borrow().outstanding(now);
    format!(
        "{} requests under way, {tokens} tokens to be redeemed",
        shared.running.get()
    )
}

/// Lets what is under way come to its end.
async fn drain(shared: &Shared) {
    let end = Instant::now() + DRAIN;
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    while shared.running.get() > 0 || shared.tokens.borrow().outstanding(Instant::now()) > 0 {
        if looks.tick().await >= end {
            return;
        }
    }
}
