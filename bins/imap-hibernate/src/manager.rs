//! One connection of a manager.

use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use ipc::hibernate::{MAX_SEALED, Parked, Reply, Request, Slot};
use ipc::{AsyncChannel, Error, VERSION};
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;
use service::Door;
use service::journal::{Clean, id};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::serve::{Generation, Said, Shared};

/// A peer that does not greet for so long is cut off.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a connection was ended by us.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Ipc(#[from] Error),
    #[error("it is no manager")]
    Peer,
    #[error("BUG: unexpected {0}")]
    Unexpected(&'static str),
    #[error("another process took its place as manager")]
    Replaced,
    #[error("it does not greet")]
    Silent,
}

/// Serves one connection to its end.
pub async fn serve(channel: AsyncChannel, shared: Rc<Shared>) {
    let channel = Rc::new(channel);
    if let Err(refused) = greet(&channel, &shared).await {
        return report(&channel, &refused);
    }
    let generation = shared.arrive();
    let refused = obey(&channel, &shared, generation).await;
    shared.depart(generation);
    channel.shut_down();
    report(&channel, &refused);
}

/// Says in the journal why a connection ended, unless the peer just left.
fn report(channel: &AsyncChannel, refused: &Refused) {
    if matches!(refused, Refused::Ipc(Error::Closed)) {
        return;
    }
    let (pid, uid) = channel
        .peer()
        .map_or((0, u32::MAX), |peer| (peer.pid, peer.uid));
    let refused = refused.to_string();
    tracing::error!(
        message_id = id::PEER_REFUSED,
        "imap-hibernate: Error: refused process {pid} of uid {uid}: {}",
        Clean(&refused)
    );
}

async fn greet(channel: &AsyncChannel, shared: &Shared) -> Result<(), Refused> {
    let uid = channel.peer()?.uid;
    if !shared.callers.borrow().may(uid, Door::Hibernate) {
        return Err(Refused::Peer);
    }
    let hello = timeout(PATIENCE, channel.recv::<Request>()).await;
    let (Request::Hello { version }, _) = hello.map_err(|_| Refused::Silent)?? else {
        return Err(Refused::Unexpected("first message"));
    };
    Ok(Error::check_version(version)?)
}

/// Tells what is held, then does as it is told, until something is wrong.
async fn obey(channel: &Rc<AsyncChannel>, shared: &Rc<Shared>, generation: Generation) -> Refused {
    let (outbox, said) = unbounded_channel();
    tokio::task::spawn_local(write(Rc::clone(channel), said));
    list(shared, &outbox);
    loop {
        let (request, fds) = match channel.recv::<Request>().await {
            Ok(received) => received,
            Err(error) => return error.into(),
        };
        if !shared.is_newest(generation) {
            return Refused::Replaced;
        }
        match request {
            Request::Serve => shared.serve(generation, outbox.clone()),
            Request::Hold { slot, parked } => match hold(shared, (slot, &parked), fds) {
                Ok(reply) => say(&outbox, reply),
                Err(refused) => return refused,
            },
            Request::Release { slot } => shared.release(slot),
            Request::End { slot, why } => shared.end(slot, Some(why)),
            Request::Hello { .. } => return Refused::Unexpected("greeting"),
        }
    }
}

fn list(shared: &Shared, outbox: &UnboundedSender<Said>) {
    let pid = std::process::id();
    let version = VERSION;
    say(outbox, Reply::Hello { version, pid });
    for slot in shared.list() {
        if let Some(sealed) = shared.sealed(slot) {
            say(outbox, Reply::Holds { slot, sealed });
        }
    }
    say(outbox, Reply::HoldsAll);
}

fn say(outbox: &UnboundedSender<Said>, reply: Reply) {
    // Whoever reads the connection sees its end.
    let _ = outbox.send((reply, None));
}

async fn write(channel: Rc<AsyncChannel>, mut said: UnboundedReceiver<Said>) {
    while let Some((reply, fd)) = said.recv().await {
        let fds: Vec<_> = fd.iter().map(|fd| fd.as_fd()).collect();
        if channel.send(&reply, &fds).await.is_err() {
            return channel.shut_down();
        }
    }
}

fn hold(
    shared: &Rc<Shared>,
    (slot, parked): (Slot, &Parked),
    fds: Vec<OwnedFd>,
) -> Result<Reply, Refused> {
    let mut fds = fds.into_iter();
    let (Some(client), watch, None) = (fds.next(), fds.next(), fds.next()) else {
        return Err(Refused::Unexpected("number of descriptors"));
    };
    if shared.has(slot) {
        return Err(Refused::Unexpected("client in a slot that is taken"));
    }
    if parked.sealed.len() > MAX_SEALED {
        return Err(Refused::Unexpected("length of a record"));
    }
    if socket_type(&client) != Ok(SocketType::STREAM) {
        return Err(Refused::Unexpected("kind of client"));
    }
    Ok(match shared.hold(slot, parked, (client, watch)) {
        Ok(()) => Reply::Held { slot },
        Err(error) => {
            tracing::error!(
                message_id = id::LIMIT_REACHED,
                culver_session = parked.session.as_str(),
                "imap-hibernate: Error: session {} cannot be held: {error}",
                parked.session
            );
            Reply::NotHeld { slot }
        }
    })
}
