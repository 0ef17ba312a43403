//! Login processes: who they are, and what they may say.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use ipc::handoff::{Reply, Request};
use ipc::{AsyncChannel, Error, Token, VERSION};
use service::{Callers, Door};
use sys::peer::Peer;
use tokio::sync::Semaphore;

use super::{Handoff, Sessions};

/// Hand-offs of one login process that are under way at once; more wait in its channel.
const MOST_PENDING: usize = 4096;

/// What a caller did that no login process does.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("did not begin with a greeting")]
    Greeting,
    #[error("sent a hand-off without one descriptor")]
    Descriptors,
    #[error("broke the protocol")]
    Protocol,
    #[error(transparent)]
    Ipc(#[from] Error),
}

impl Sessions {
    /// Serves one login process, if it is one.
    pub(super) fn greet(self: Rc<Self>, channel: AsyncChannel) {
        let callers = Callers::of(&self.settings.snapshot());
        let door = Door::Handoff(self.spec.protocol);
        let peer = match channel.peer() {
            Ok(peer) if callers.may(peer.uid, door) => peer,
            Ok(peer) => return self.refuse_peer(peer, "is no login process"),
            Err(Error::Closed) => return,
            Err(error) => return self.refuse_unknown(&error),
        };
        tokio::task::spawn_local(async move {
            match self.listen_to(&Rc::new(channel), peer).await {
                Ok(()) | Err(Wrong::Ipc(Error::Closed)) => {}
                Err(wrong) => self.refuse_peer(peer, &wrong.to_string()),
            }
        });
    }

    /// Takes hand-offs until the login process, or this service, ends.
    async fn listen_to(
        self: &Rc<Self>,
        channel: &Rc<AsyncChannel>,
        peer: Peer,
    ) -> Result<(), Wrong> {
        let (Request::Hello { version }, _) = channel.recv::<Request>().await? else {
            return Err(Wrong::Greeting);
        };
        Error::check_version(version)?;
        let hello = Reply::Hello { version: VERSION };
        channel.send(&hello, &[]).await?;
        let places = Arc::new(Semaphore::new(MOST_PENDING));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return Ok(());
            };
            let received = tokio::select! {
                // What is not read here, the login process offers to the next manager.
                () = self.gate.closed() => return Ok(()),
                received = channel.recv::<Request>() => received?,
            };
            let (
                Request::Handoff {
                    id,
                    token,
                    facts,
                    tag,
                    unread,
                },
                fds,
            ) = received
            else {
                return Err(Wrong::Protocol);
            };
            let handoff = Handoff {
                id,
                facts,
                session: (tag, unread),
                peer,
                _place: place,
            };
            Rc::clone(self).take(Rc::clone(channel), handoff, token, fds)?;
        }
    }

    /// Begins to serve a hand-off.
    fn take(
        self: Rc<Self>,
        channel: Rc<AsyncChannel>,
        handoff: Handoff,
        token: Token,
        mut fds: Vec<OwnedFd>,
    ) -> Result<(), Wrong> {
        let (Some(client), true) = (fds.pop(), fds.is_empty()) else {
            return Err(Wrong::Descriptors);
        };
        let inside = self.gate.enter();
        tokio::task::spawn_local(async move {
            let id = handoff.id;
            let reply = match self.place(handoff, token, client).await {
                Ok(worker_pid) => Reply::Accepted { id, worker_pid },
                Err(why) => Reply::Refused { id, why },
            };
            // A login process that has gone needs no answer.
            let _ = channel.send(&reply, &[]).await;
            drop(inside);
        });
        Ok(())
    }
}
