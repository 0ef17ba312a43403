//! Waiting for descriptors on tokio.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the reactor of the current runtime, to wait until it can be read. Call inside a tokio
/// runtime. Nobody is woken when it can be written: with a peer that reads what was sent, that would be each time.
///
/// # Errors
/// What epoll_ctl(2) says.
pub fn register_readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    register(fd, Interest::READABLE)
}

/// Waits until `fd`, which the caller has duplicated for this, can be written. Call inside a tokio runtime.
///
/// # Errors
/// What epoll_ctl(2) says.
pub async fn writable(fd: OwnedFd) -> io::Result<()> {
    register(fd, Interest::WRITABLE)?.writable().await.map(drop)
}

fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one open descriptor that nobody else closes, and it answers the same
    // number as long as it lives.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}
