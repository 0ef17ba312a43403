//! Handing a client over to a manager.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use ipc::facts::Facts;
use ipc::handoff::{Refusal, Reply, Request};
use ipc::{Error, Token};
use sys::seqpacket;
use tokio::net::TcpStream;

use crate::Client;
use crate::stream::Stream;

/// What became of a hand-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandedOver {
    /// A worker has the client, and answers its command. The connection is not ours any more.
    To {
        /// The worker's process id; `None`: the manager went away before it told, and nobody knows whether a worker
        /// has the client. If none has, the connection ends with our end of it.
        worker_pid: Option<u32>,
    },
    /// Nobody took it; answer its command here.
    Nobody(Refusal),
}

type Manager = ipc::Client<Request, Reply>;

/// How far one try came.
enum Offered {
    Answered(Reply),
    /// The manager has not seen it.
    NotSent(Error),
    /// The manager may have done anything with it.
    Unanswered(Error),
}

impl Client {
    /// Hands the client over with everything it has sent beyond its command. `tag`: what the worker's answer
    /// begins with.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn hand_off(&mut self, token: Token, tag: &str) -> io::Result<HandedOver> {
        let plain = match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(stream) => Some(OwnedFd::from(stream.into_std()?)),
            other => {
                self.stream = other;
                None
            }
        };
        let handed = match (&plain, &self.inner) {
            (Some(fd), _) => {
                // Workers wait in their calls; so must the socket.
                seqpacket::set_blocking(fd)?;
                fd.as_fd()
            }
            (None, Some((_, inner))) => inner.as_fd(),
            (None, None) => return Err(io::ErrorKind::NotConnected.into()),
        };
        let offer = Offer {
            token: &token,
            facts: self.facts(),
            tag,
            unread: self.input(),
        };
        let (outcome, trouble) = offer.pass(&self.shared().manager, handed).await;
        if let Some(error) = trouble {
            self.log_trouble("hand-off", &error);
        }
        if let (Some(fd), HandedOver::Nobody(_)) = (plain, outcome) {
            seqpacket::set_nonblocking(&fd)?;
            self.stream = Stream::Plain(TcpStream::from_std(fd.into())?);
        }
        Ok(outcome)
    }
}

/// What a manager gets beside the client's descriptor.
struct Offer<'a> {
    token: &'a Token,
    facts: &'a Facts,
    tag: &'a str,
    unread: &'a [u8],
}

impl Offer<'_> {
    /// Offers the client to the manager, and once more to its successor if it goes away meanwhile. What became of it,
    /// and what went wrong.
    ///
    /// That is safe after any end of the first: if the first redeemed the token, the successor gets nothing for it,
    /// and if it did not, no worker has the client.
    async fn pass(&self, manager: &Manager, client: BorrowedFd<'_>) -> (HandedOver, Option<Error>) {
        let (offered, unclear) = match self.once(manager, client).await {
            Offered::NotSent(Error::Closed) => (self.once(manager, client).await, None),
            Offered::Unanswered(error) => (self.once(manager, client).await, Some(error)),
            offered => (offered, None),
        };
        let somebody = |worker_pid| HandedOver::To { worker_pid };
        match (offered, unclear) {
            (Offered::Answered(Reply::Accepted { worker_pid, .. }), _) => {
                (somebody(Some(worker_pid)), None)
            }
            (
                Offered::Answered(Reply::Refused {
                    why: Refusal::BadToken,
                    ..
                }),
                Some(error),
            ) => (somebody(None), Some(error)),
            (Offered::Answered(Reply::Refused { why, .. }), _) => (HandedOver::Nobody(why), None),
            (Offered::Unanswered(error), _) | (Offered::NotSent(_), Some(error)) => {
                (somebody(None), Some(error))
            }
            (Offered::NotSent(error), None) => {
                (HandedOver::Nobody(Refusal::Unavailable), Some(error))
            }
            (Offered::Answered(Reply::Hello { .. }), _) => {
                (HandedOver::Nobody(Refusal::Unavailable), None)
            }
        }
    }

    async fn once(&self, manager: &Manager, client: BorrowedFd<'_>) -> Offered {
        let mut exchange = match manager.begin().await {
            Ok(exchange) => exchange,
            Err(error) => return Offered::NotSent(error),
        };
        let request = Request::Handoff {
            id: exchange.id(),
            token: self.token.clone(),
            facts: self.facts.clone(),
            tag: self.tag.to_owned(),
            unread: self.unread.to_vec(),
        };
        if let Err(error) = exchange.send(&request, &[client]).await {
            return Offered::NotSent(error);
        }
        match exchange.next().await {
            Ok(reply) => Offered::Answered(reply),
            Err(error) => Offered::Unanswered(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ipc::facts::{Protocol, Transport};
    use ipc::{AsyncChannel, AsyncListener, SessionId, VERSION};
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
    };

    use super::*;

    fn listener(path: &Path) -> AsyncListener {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        listen(&socket, 8).unwrap();
        AsyncListener::new(socket).unwrap()
    }

    /// What a manager does with an offer.
    #[derive(Clone, Copy)]
    enum Does {
        Reply(Option<Refusal>),
        /// Ends after it has read the offer.
        DieLate,
        /// Ends before.
        DieEarly,
    }

    /// A manager and its successors.
    async fn managers(listener: &AsyncListener, all: &[Does]) {
        for does in all {
            let peer = listener.accept().await.unwrap();
            let _: (Request, _) = peer.recv().await.unwrap();
            if let Does::DieEarly = does {
                continue;
            }
            let hello = Reply::Hello { version: VERSION };
            peer.send(&hello, &[]).await.unwrap();
            answer(&peer, *does).await;
        }
    }

    async fn answer(peer: &AsyncChannel, does: Does) {
        let (Request::Handoff { id, .. }, fds) = peer.recv().await.unwrap() else {
            panic!("no offer");
        };
        assert_eq!(fds.len(), 1);
        let reply = match does {
            Does::Reply(None) => Reply::Accepted { id, worker_pid: 7 },
            Does::Reply(Some(why)) => Reply::Refused { id, why },
            Does::DieLate | Does::DieEarly => return,
        };
        peer.send(&reply, &[]).await.unwrap();
        // Until login has read it.
        let _ = peer.recv::<Request>().await;
    }

    async fn offer_to(all: &[Does]) -> HandedOver {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = listener(&path);
        let hello = || vec![Request::Hello { version: VERSION }];
        let manager: Manager = ipc::Client::new(path, hello).0;
        let facts = Facts {
            protocol: Protocol::Imap,
            session: SessionId::random().unwrap(),
            local: ([127, 0, 0, 1], 143).into(),
            remote: ([127, 0, 0, 1], 4711).into(),
            transport: Transport::Plain,
        };
        let (client, _server) = seqpacket::stream_pair().unwrap();
        let offer = Offer {
            token: &Token::random().unwrap(),
            facts: &facts,
            tag: "a",
            unread: b"",
        };
        tokio::select! {
            (outcome, _) = offer.pass(&manager, client.as_fd()) => outcome,
            () = async { managers(&listener, all).await; std::future::pending().await } => unreachable!(),
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_answer_is_an_answer() {
        let taken = offer_to(&[Does::Reply(None)]).await;
        assert_eq!(
            taken,
            HandedOver::To {
                worker_pid: Some(7)
            }
        );
        let refused = offer_to(&[Does::Reply(Some(Refusal::BadToken))]).await;
        assert_eq!(refused, HandedOver::Nobody(Refusal::BadToken));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_manager_that_dies_is_followed_by_its_successor() {
        for death in [Does::DieEarly, Does::DieLate] {
            let taken = offer_to(&[death, Does::Reply(None)]).await;
            assert_eq!(
                taken,
                HandedOver::To {
                    worker_pid: Some(7)
                }
            );
            let refused = offer_to(&[death, Does::Reply(Some(Refusal::Unavailable))]).await;
            assert_eq!(refused, HandedOver::Nobody(Refusal::Unavailable));
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_client_that_a_worker_may_have_is_not_answered_here() {
        let perhaps = HandedOver::To { worker_pid: None };
        let used = Does::Reply(Some(Refusal::BadToken));
        assert_eq!(offer_to(&[Does::DieLate, used]).await, perhaps);
        assert_eq!(offer_to(&[Does::DieLate, Does::DieLate]).await, perhaps);
    }
}
