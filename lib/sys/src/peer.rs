//! Who is at the other end of a socket: told by the kernel, not by the peer.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The process that connected, as it was when it connected (`SO_PEERCRED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Process id in our pid namespace.
    pub pid: i32,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
}

/// The process at the other end of a unix socket.
///
/// # Errors
/// What getsockopt(2) says.
pub fn credentials(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let credentials = rustix::net::sockopt::socket_peercred(socket)?;
    Ok(Peer {
        pid: credentials.pid.as_raw_nonzero().get(),
        uid: credentials.uid.as_raw(),
        gid: credentials.gid.as_raw(),
    })
}

/// The kernel's number for this very socket (`SO_COOKIE`): never used twice while the host runs.
///
/// # Errors
/// What getsockopt(2) says.
pub fn socket_cookie(socket: impl AsFd) -> io::Result<u64> {
    Ok(rustix::net::sockopt::socket_cookie(socket)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seqpacket;

    #[test]
    fn the_kernel_names_this_process() {
        let (a, _b) = seqpacket::pair().unwrap();
        let peer = credentials(a.as_fd()).unwrap();
        assert_eq!(peer.pid, i32::try_from(std::process::id()).unwrap());
    }

    #[test]
    fn cookies_differ_between_sockets_and_stay_with_one() {
        let (a, b) = seqpacket::pair().unwrap();
        assert_ne!(socket_cookie(&a).unwrap(), socket_cookie(&b).unwrap());
        assert_eq!(
            socket_cookie(&a).unwrap(),
            socket_cookie(a.try_clone().unwrap()).unwrap()
        );
    }
}
