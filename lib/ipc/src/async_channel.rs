//! Connections to other services of ours for services that run on tokio.

use std::cell::RefCell;
use std::io::{self, ErrorKind::WouldBlock};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sys::peer::Peer;
use sys::seqpacket;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::channel::{MAX_RECORD, encode, take};

/// Longest time that a full queue of a listener is waited for.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A connection whose calls yield while they wait. One task reads it; any may write.
#[derive(Debug)]
pub struct AsyncChannel {
    socket: AsyncFd<OwnedFd>,
}

impl AsyncChannel {
    /// Wraps a connected SOCK_SEQPACKET socket. Call inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Syscall`].
    pub fn new(socket: OwnedFd) -> Result<Self, Error> {
        seqpacket::set_nonblocking(&socket).map_err(Error::syscall("ioctl"))?;
        let socket =
            sys::reactor::register_readable(socket).map_err(Error::syscall("epoll_ctl"))?;
        Ok(Self { socket })
    }

    /// Connects to the service that listens at `path`. A service that is busy, or being restarted, leaves its queue
    /// full: then this tries again for up to [`CONNECT_PATIENCE`], and holds nobody else up meanwhile.
    ///
    /// # Errors
    /// [`Error::Syscall`].
    pub async fn connect(path: &Path) -> Result<Self, Error> {
        let until = Instant::now() + CONNECT_PATIENCE;
        let mut pause = Duration::from_millis(1);
        loop {
            match seqpacket::try_connect_to(path) {
                Ok(socket) => return Self::new(socket),
                Err(error) if error.kind() == WouldBlock && Instant::now() < until => {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(100));
                }
                Err(error) => return Err(Error::syscall("connect")(error)),
            }
        }
    }

    /// Ends the connection for everybody who has it, in this process and at the other end.
    pub fn shut_down(&self) {
        seqpacket::shut_down(self.as_fd());
    }

    /// Who is at the other end, as the kernel saw it connect.
    ///
    /// # Errors
    /// [`Error::Syscall`].
    pub fn peer(&self) -> Result<Peer, Error> {
        sys::peer::credentials(self.as_fd()).map_err(Error::syscall("getsockopt"))
    }

    /// Sends one message with its descriptors; waits while the peer is slow.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Syscall`], [`Error::TooLarge`].
    pub async fn send<T: Serialize>(
        &self,
        message: &T,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), Error> {
        let record = encode(message)?;
        loop {
            match seqpacket::send(self.as_fd(), &record, fds) {
                Err(error) if error.kind() == WouldBlock => {
                    let twin = self.socket.get_ref().try_clone();
                    let twin = twin.map_err(Error::syscall("fcntl"))?;
                    let room = sys::reactor::writable(twin).await;
                    room.map_err(Error::syscall("epoll_wait"))?;
                }
                done => return done.map_err(Error::syscall("sendmsg")),
            }
        }
    }

    /// Waits for one message and its descriptors. Safe to cancel.
    ///
    /// # Errors
    /// [`Error::Closed`] when the peer is gone; a record that is not a `T` is
    /// [`Error::Malformed`].
    pub async fn recv<T: DeserializeOwned>(&self) -> Result<(T, Vec<OwnedFd>), Error> {
        loop {
            let mut ready = self
                .socket
                .readable()
                .await
                .map_err(Error::syscall("epoll_wait"))?;
            let read = ready.try_io(|socket| receive(socket.as_fd()));
            if let Ok(done) = read {
                return done.map_err(Error::syscall("recvmsg"))?;
            }
        }
    }
}

impl AsFd for AsyncChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().as_fd()
    }
}

/// A listening socket that systemd made.
#[derive(Debug)]
pub struct AsyncListener {
    socket: AsyncFd<OwnedFd>,
}

impl AsyncListener {
    /// Wraps a listening SOCK_SEQPACKET socket. Call inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Syscall`].
    pub fn new(socket: OwnedFd) -> Result<Self, Error> {
        seqpacket::set_nonblocking(&socket).map_err(Error::syscall("ioctl"))?;
        let socket =
            sys::reactor::register_readable(socket).map_err(Error::syscall("epoll_ctl"))?;
        Ok(Self { socket })
    }

    /// Waits for the next peer. Safe to cancel.
    ///
    /// # Errors
    /// [`Error::Syscall`]; out of descriptors is worth waiting for, not worth ending for.
    pub async fn accept(&self) -> Result<AsyncChannel, Error> {
        loop {
            let mut ready = self
                .socket
                .readable()
                .await
                .map_err(Error::syscall("epoll_wait"))?;
            if let Ok(accepted) = ready.try_io(|socket| seqpacket::accept(socket.as_fd())) {
                return AsyncChannel::new(accepted.map_err(Error::syscall("accept4"))?);
            }
        }
    }
}

/// What came out of one record.
type Decoded<T> = Result<(T, Vec<OwnedFd>), Error>;

/// Receives one record through a buffer that all channels of the thread share, so that none keeps or clears its
/// own.
fn receive<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> io::Result<Decoded<T>> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_RECORD]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let received = seqpacket::recv(socket, buffer)?;
        Ok(take(buffer, received))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_slow_reader_is_waited_for() {
        let (a, b) = seqpacket::pair().unwrap();
        let (a, b) = (AsyncChannel::new(a).unwrap(), AsyncChannel::new(b).unwrap());
        let record = "x".repeat(20_000);
        let sending = async {
            for _ in 0..100 {
                a.send(&record, &[]).await.unwrap();
            }
        };
        let receiving = async {
            for _ in 0..100 {
                assert_eq!(b.recv::<String>().await.unwrap().0, record);
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(sending, receiving);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_message_wakes_its_reader() {
        let (a, b) = seqpacket::pair().unwrap();
        let (a, b) = (AsyncChannel::new(a).unwrap(), AsyncChannel::new(b).unwrap());
        let (sent, received) = tokio::join!(a.send(&42_u32, &[]), b.recv::<u32>());
        sent.unwrap();
        assert_eq!(received.unwrap().0, 42);
    }
    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_full_queue_delays_the_caller_and_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = AsyncListener::new(crate::testing::listener(&path, 0)).unwrap();
        let mut waiting = Vec::new();
        while let Ok(socket) = seqpacket::try_connect_to(&path) {
            waiting.push(socket);
        }
        let connecting = tokio::spawn(async move { AsyncChannel::connect(&path).await });
        // With a blocking connect() this sleep would never end.
        sleep(Duration::from_secs(1)).await;
        assert!(!connecting.is_finished());
        for _ in 0..=waiting.len() {
            listener.accept().await.unwrap();
        }
        connecting.await.unwrap().unwrap();
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_queue_that_stays_full_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _listener = crate::testing::listener(&path, 0);
        let mut waiting = Vec::new();
        while let Ok(socket) = seqpacket::try_connect_to(&path) {
            waiting.push(socket);
        }
        let outcome = AsyncChannel::connect(&path).await;
        assert!(matches!(
            outcome,
            Err(Error::Syscall {
                call: "connect",
                ..
            })
        ));
    }
}
