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

    /// Gives the connection up, if there is one: who waits for a reply gets [`Error::Closed`], and whoever is next makes
    /// another.
    pub fn disconnect(&self) {
        let channel = {
            let mut state = self.shared.state();
            state.waiting.clear();
            state.channel.take()
        };
        if let Some(channel) = channel {
            // Its reader sees the end.
            channel.shut_down();
        }
    }

    async fn connection(&self) -> Result<Arc<AsyncChannel>, Error> {
        let _turn = self.shared.connecting.lock().await;
        if let Some(channel) = &self.shared.state().channel {
            return Ok(Arc::clone(channel));
        }
        let channel = Arc::new(AsyncChannel::connect(&self.shared.path).await?);
        for message in (self.shared.hello)() {
            channel.send(&message, &[]).await?;
        }
        // Nobody sees it before hello is said: whoever gives up in between leaves nothing half done.
        self.shared.state().channel = Some(Arc::clone(&channel));
        tokio::spawn(read(Arc::clone(&self.shared), Arc::clone(&channel)));
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

impl<Q: Serialize + Send + Sync + 'static, R: Reply> Exchange<Q, R> {
    /// Gives the exchange up and, without waiting, lets the service know by `message`. May be called where nothing
    /// can wait: in a destructor.
    pub fn abandon(self, message: Q) {
        let channel = Arc::clone(&self.channel);
        // Where the event loop is gone, so are its connections.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // A service that went away has nothing to give up.
            runtime.spawn(async move { channel.send(&message, &[]).await });
        }
    }
}

impl<Q, R> Drop for Exchange<Q, R> {
    fn drop(&mut self) {
        self.shared.state().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::{Refusal, Reply as HandoffReply, Request};
    use crate::{AsyncListener, VERSION, testing};

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
        let listener = AsyncListener::new(testing::listener(&path, 8)).unwrap();
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
        let listener = AsyncListener::new(testing::listener(&path, 8)).unwrap();
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
        let listener = AsyncListener::new(testing::listener(&path, 8)).unwrap();
        let client = client(path);
        let mut exchange = client.begin().await.unwrap();
        drop(listener.accept().await.unwrap());
        assert!(matches!(exchange.next().await, Err(Error::Closed)));
        client.begin().await.unwrap();
        listener.accept().await.unwrap();
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn whoever_gives_up_amid_hello_leaves_no_half_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = AsyncListener::new(testing::listener(&path, 8)).unwrap();
        // More than a socket takes at once.
        let hello = || {
            let one = Request::Handoff {
                id: 0,
                token: crate::Token::random().unwrap(),
                facts: crate::facts::Facts {
                    protocol: crate::facts::Protocol::Imap,
                    session: crate::SessionId::random().unwrap(),
                    local: ([127, 0, 0, 1], 143).into(),
                    remote: ([127, 0, 0, 1], 1).into(),
                    transport: crate::facts::Transport::Plain,
                },
                tag: "a".to_owned(),
                unread: vec![0; 60_000],
            };
            let mut messages = vec![Request::Hello { version: VERSION }];
            messages.resize(20, one);
            messages
        };
        let client: Client<Request, HandoffReply> = Client::new(path, hello).0;
        let patience = std::time::Duration::from_secs(1);
        assert!(
            tokio::time::timeout(patience, client.begin())
                .await
                .is_err()
        );
        let given_up = listener.accept().await.unwrap();
        let again = tokio::spawn(async move { client.begin().await.map(drop) });
        let peer = listener.accept().await.unwrap();
        let (first, _) = peer.recv().await.unwrap();
        assert!(matches!(first, Request::Hello { version: VERSION }));
        for _ in 1..20 {
            peer.recv::<Request>().await.unwrap();
        }
        again.await.unwrap().unwrap();
        while given_up.recv::<Request>().await.is_ok() {}
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_exchange_that_is_given_up_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = AsyncListener::new(testing::listener(&path, 8)).unwrap();
        let client = client(path);
        let exchange = client.begin().await.unwrap();
        exchange.abandon(Request::Hello { version: 7 });
        let peer = listener.accept().await.unwrap();
        peer.recv::<Request>().await.unwrap();
        let (last, _) = peer.recv::<Request>().await.unwrap();
        assert!(matches!(last, Request::Hello { version: 7 }));
    }
}
