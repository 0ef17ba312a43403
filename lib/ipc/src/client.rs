//! A lasting connection to one of our services that many tasks share.
//!
//! Connects when first used and again after the service was restarted: its socket is systemd's, so
//! a connection is never refused, only answered later.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{AsyncChannel, Error, Reply};

/// A connection to the service at one socket. Clones share it.
pub struct Client<Q, R> {
    shared: Arc<Shared<Q, R>>,
}

impl<Q, R> Clone for Client<Q, R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

struct Shared<Q, R> {
    path: PathBuf,
    hello: Box<dyn Fn() -> Vec<Q> + Send + Sync>,
    unasked: UnboundedSender<R>,
    /// Held while a connection is made: nobody's message may come before hello.
    connecting: tokio::sync::Mutex<()>,
    state: Mutex<State<R>>,
}

struct State<R> {
    channel: Option<Arc<AsyncChannel>>,
    waiting: HashMap<u32, UnboundedSender<R>>,
    last_id: u32,
}

impl<Q, R> Shared<Q, R> {
    fn state(&self) -> MutexGuard<'_, State<R>> {
        // Nothing in here can panic half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q: Serialize + Send + Sync + 'static, R: Reply> Client<Q, R> {
    /// For the service that listens at `path`. `hello` makes the first messages of each connection.
    /// The second value yields what comes unasked, the answer to hello first.
    pub fn new(
        path: PathBuf,
        hello: impl Fn() -> Vec<Q> + Send + Sync + 'static,
    ) -> (Self, UnboundedReceiver<R>) {
        let (unasked, receiver) = unbounded_channel();
        let state = State {
            channel: None,
            waiting: HashMap::new(),
            last_id: 0,
        };
        let hello = Box::new(hello);
        let shared = Arc::new(Shared {
            path,
            hello,
            unasked,
            connecting: tokio::sync::Mutex::new(()),
            state: Mutex::new(state),
        });
        (Self { shared }, receiver)
    }

    /// Begins an exchange; connects if there is no connection.
    ///
    /// # Errors
    /// [`Error::Syscall`] when nobody listens.
    pub async fn begin(&self) -> Result<Exchange<Q, R>, Error> {
        let channel = self.connection().await?;
        let (sender, replies) = unbounded_channel();
        let mut state = self.shared.state();
        if !state.is_current(&channel) {
            // It ended meanwhile: nobody reads it any more.
            return Err(Error::Closed);
        }
        let id = state.free_id();
        state.waiting.insert(id, sender);
        Ok(Exchange {
            shared: Arc::clone(&self.shared),
            channel,
            id,
            replies,
        })
    }

    /// Asks once and waits for the one answer.
    ///
    /// # Errors
    /// As [`Client::begin`] and [`Exchange::next`].
    pub async fn call(
        &self,
        ask: impl FnOnce(u32) -> Q,
        fds: &[BorrowedFd<'_>],
    ) -> Result<R, Error> {
        let mut exchange = self.begin().await?;
        exchange.send(&ask(exchange.id()), fds).await?;
        exchange.next().await
    }

    /// Says something that has no answer.
    ///
    /// # Errors
    /// As [`Client::begin`].
    pub async fn tell(&self, message: &Q) -> Result<(), Error> {
        self.connection().await?.send(message, &[]).await
    }

    /// Makes sure that there is a connection.
    ///
    /// # Errors
    /// [`Error::Syscall`] when nobody listens.
    pub async fn connect(&self) -> Result<(), Error> {
        self.connection().await.map(|_| ())
    }

    async fn connection(&self) -> Result<Arc<AsyncChannel>, Error> {
        let _turn = self.shared.connecting.lock().await;
        if let Some(channel) = &self.shared.state().channel {
            return Ok(Arc::clone(channel));
        }
        let channel = Arc::new(AsyncChannel::connect(&self.shared.path)?);
        self.shared.state().channel = Some(Arc::clone(&channel));
        tokio::spawn(read(Arc::clone(&self.shared), Arc::clone(&channel)));
        for message in (self.shared.hello)() {
            channel.send(&message, &[]).await?;
        }
        Ok(channel)
    }
}

/// Distributes replies until the connection ends.
async fn read<Q, R: Reply>(shared: Arc<Shared<Q, R>>, channel: Arc<AsyncChannel>) {
    let mut greeted = false;
    while let Ok((reply, _)) = channel.recv::<R>().await {
        match (reply.version(), greeted) {
            (Some(theirs), false) if Error::check_version(theirs).is_ok() => greeted = true,
            (None, true) => {}
            _ => break,
        }
        let waiting = reply
            .id()
            .and_then(|id| shared.state().waiting.get(&id).cloned());
        match waiting {
            Some(waiting) => drop(waiting.send(reply)),
            None if reply.id().is_none() => drop(shared.unasked.send(reply)),
            // Nobody waits any more.
            None => {}
        }
    }
    let mut state = shared.state();
    if state.is_current(&channel) {
        state.channel = None;
        // Their receivers see the end.
        state.waiting.clear();
    }
}

impl<R> State<R> {
    fn is_current(&self, channel: &Arc<AsyncChannel>) -> bool {
        self.channel
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, channel))
    }

    fn free_id(&mut self) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if !self.waiting.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

/// One request and its replies. Dropped: later replies are passed over.
pub struct Exchange<Q, R> {
    shared: Arc<Shared<Q, R>>,
    channel: Arc<AsyncChannel>,
    id: u32,
    replies: UnboundedReceiver<R>,
}

impl<Q: Serialize, R: Reply> Exchange<Q, R> {
    /// Names the exchange in all its messages.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Sends a message of this exchange.
    ///
    /// # Errors
    /// [`Error::Closed`] when the service went away; begin again.
    pub async fn send(&self, message: &Q, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
        self.channel.send(message, fds).await
    }

    /// Waits for the next reply. Safe to cancel.
    ///
    /// # Errors
    /// [`Error::Closed`] when the service went away.
    pub async fn next(&mut self) -> Result<R, Error> {
        self.replies.recv().await.ok_or(Error::Closed)
    }
}

impl<Q, R> Drop for Exchange<Q, R> {
    fn drop(&mut self) {
        self.shared.state().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::handoff::{Refusal, Reply as HandoffReply, Request};
    use crate::{AsyncListener, VERSION};

    fn listener(path: &std::path::Path) -> OwnedFd {
        use rustix::net::{
            AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
        };
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        listen(&socket, 8).unwrap();
        socket
    }

    fn client(path: PathBuf) -> Client<Request, HandoffReply> {
        Client::new(path, || vec![Request::Hello { version: VERSION }]).0
    }

    async fn refuse_one(listener: &AsyncListener) {
        let peer = listener.accept().await.unwrap();
        let (hello, _): (Request, _) = peer.recv().await.unwrap();
        assert!(matches!(hello, Request::Hello { version: VERSION }));
        peer.send(&HandoffReply::Hello { version: VERSION }, &[])
            .await
            .unwrap();
        // Any second message will do; its answer names the first exchange.
        let _: (Request, _) = peer.recv().await.unwrap();
        peer.send(
            &HandoffReply::Refused {
                id: 1,
                why: Refusal::Unavailable,
            },
            &[],
        )
        .await
        .unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_answer_finds_its_question() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = AsyncListener::new(listener(&path)).unwrap();
        let client = client(path);
        let ask = client.call(|_| Request::Hello { version: VERSION }, &[]);
        let (reply, ()) = tokio::join!(ask, refuse_one(&listener));
        assert!(matches!(
            reply.unwrap(),
            HandoffReply::Refused { id: 1, .. }
        ));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn many_who_ask_at_once_share_one_connection_and_hello_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = AsyncListener::new(listener(&path)).unwrap();
        let client = client(path);
        let asking: Vec<_> = (0..100)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.tell(&Request::Hello { version: 7 }).await })
            })
            .collect();
        let peer = listener.accept().await.unwrap();
        for index in 0..=asking.len() {
            let (Request::Hello { version }, _) = peer.recv().await.unwrap() else {
                panic!("not a hello");
            };
            assert_eq!(version, if index == 0 { VERSION } else { 7 });
        }
        for asked in asking {
            asked.await.unwrap().unwrap();
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_service_that_ends_ends_the_exchange_and_the_next_reconnects() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = AsyncListener::new(listener(&path)).unwrap();
        let client = client(path);
        let mut exchange = client.begin().await.unwrap();
        drop(listener.accept().await.unwrap());
        assert!(matches!(exchange.next().await, Err(Error::Closed)));
        client.begin().await.unwrap();
        listener.accept().await.unwrap();
    }
}
