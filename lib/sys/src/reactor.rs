//! Waiting for descriptors on tokio.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the reactor of the current runtime. Call inside a tokio runtime.
///
/// # Errors
/// What epoll_ctl(2) says.
pub fn register(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one open descriptor that nobody else closes, and it answers the same
    // number as long as it lives.
    unsafe { AsyncFd::register(fd) }.map_err(io::Error::from)
}
