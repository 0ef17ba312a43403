//! One client before it is handed over.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use ipc::facts::{Facts, Transport};
use ipc::{SessionId, Username};
use sys::{peer, seqpacket};
use tokio::net::TcpStream;
use tokio::time::Instant;
use zeroize::{Zeroize as _, Zeroizing};

use crate::shared::Compiled;
use crate::stream::Stream;
use crate::{Settings, Shared};

/// What has been tried so far, for log lines.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    /// How often.
    pub count: u32,
    /// SASL mechanism of the last one.
    pub mech: Option<String>,
    /// Who the client claimed to be; from outside.
    pub user: Option<String>,
    /// Did the last one fail?
    pub failed: bool,
}

/// How a client's time before authentication ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// A manager has it.
    HandedOver {
        /// Process id of the worker; `None`: it is not known whether there is one.
        worker_pid: Option<u32>,
    },
    /// It left or was sent away; the reason in Dovecot's words.
    Disconnected(&'static str),
}

/// One client.
pub struct Client {
    shared: Rc<Shared>,
    compiled: Arc<Compiled>,
    pub(crate) stream: Stream,
    facts: Facts,
    /// What the client has sent and nobody has taken yet. Wiped: there are passwords in it.
    input: Zeroizing<Vec<u8>>,
    pub(crate) attempt: Attempt,
    pub(crate) connected: Instant,
    /// Ends of the pair through which TLS will be relayed: ours, and the one that is handed over.
    pub(crate) inner: Option<(OwnedFd, OwnedFd)>,
}

impl Client {
    /// A client that has just connected.
    ///
    /// # Errors
    /// It has gone already, or no settings can be had for it.
    pub(crate) fn new(shared: Rc<Shared>, stream: TcpStream) -> Result<Self, crate::Error> {
        let facts = Facts {
            protocol: shared.protocol,
            session: SessionId::random()?,
            local: canonical(stream.local_addr()?),
            remote: canonical(stream.peer_addr()?),
            transport: Transport::Plain,
        };
        let compiled = shared.settings_for(&facts)?;
        Ok(Self {
            shared,
            compiled,
            stream: Stream::Plain(stream),
            facts,
            input: Zeroizing::default(),
            attempt: Attempt::default(),
            connected: Instant::now(),
            inner: None,
        })
    }

    /// What all clients share.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Settings that count for this client.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.compiled.settings
    }

    /// The connection.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// May the client send its password as it is?
    #[must_use]
    pub fn allows_plaintext(&self) -> bool {
        self.settings().allows_plaintext(&self.facts)
    }

    /// May the client begin TLS now?
    #[must_use]
    pub fn offers_tls(&self) -> bool {
        self.compiled.tls.is_some() && self.settings().offers_tls(&self.facts)
    }

    /// What the client has sent and nobody has taken yet.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// Takes the first `count` bytes of [`Client::input`] away for good.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.input.len());
        self.input.get_mut(..count).unwrap_or_default().zeroize();
        self.input.drain(..count);
    }

    /// Waits for bytes and appends them to [`Client::input`]. 0: the client has closed.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn read(&mut self) -> io::Result<usize> {
        self.stream.read(&mut self.input).await
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write(bytes).await
    }

    /// Begins TLS. What the client sent in the clear beyond its command is forgotten: nobody knows
    /// who wrote it (CVE-2011-0411).
    ///
    /// # Errors
    /// The handshake failed; the connection is of no more use.
    pub async fn start_tls(&mut self) -> io::Result<()> {
        self.input = Zeroizing::default();
        let Some(acceptor) = self.compiled.tls.clone() else {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "no TLS configured",
            ));
        };
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(stream) => {
                // Boxed: a handshake's state is large, and over soon.
                let secured = Box::pin(acceptor.accept(stream)).await?;
                self.stream = Stream::Tls(Box::new(secured));
                self.facts.transport = Transport::Tls;
                Ok(())
            }
            other => {
                self.stream = other;
                Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "TLS is active already",
                ))
            }
        }
    }

    /// `SO_COOKIE` of the descriptor that a manager will get: the client's own socket, or with TLS
    /// the inner end of the relay.
    pub(crate) fn handoff_cookie(&mut self) -> io::Result<u64> {
        if let Stream::Plain(stream) = &self.stream {
            return peer::socket_cookie(stream.as_fd());
        }
        let (outer, inner) = match self.inner.take() {
            Some(pair) => pair,
            None => seqpacket::stream_pair()?,
        };
        let cookie = peer::socket_cookie(&inner);
        self.inner = Some((outer, inner));
        cookie
    }

    pub(crate) fn attempt_begins(&mut self, mech: &str) {
        self.attempt.count += 1;
        // RFC 4422 §3.1: at most 20 letters. What is longer is shown as far as it serves to see that.
        self.attempt.mech = Some(mech.to_ascii_uppercase().chars().take(40).collect());
        self.attempt.failed = true;
    }

    pub(crate) fn attempt_failed(&mut self, user: Option<String>) {
        self.attempt.user = user;
    }

    pub(crate) fn attempt_succeeded(&mut self, user: &Username) {
        self.attempt.user = Some(user.to_string());
        self.attempt.failed = false;
    }
}

/// An IPv4 client of a socket for both is an IPv4 client.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
