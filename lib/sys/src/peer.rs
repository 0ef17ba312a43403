//! Who is at the other end of a socket: told by the kernel, not by the peer.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// The process that connected, as it was when it connected (`SO_PEERCRED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Process id in our pid namespace; never 0.
    pub pid: i32,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
}

/// The process at the other end of a unix socket.
///
/// # Errors
/// What getsockopt(2) says; a process that our pid namespace does not contain is refused: it has no name here.
pub fn credentials(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let credentials = getsockopt(&socket, PeerCredentials)?;
    named(Peer {
        pid: credentials.pid(),
        uid: credentials.uid(),
        gid: credentials.gid(),
    })
}

fn named(peer: Peer) -> io::Result<Peer> {
    if peer.pid <= 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the peer is no process of this system",
        ));
    }
    Ok(peer)
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
    fn a_peer_from_outside_is_refused() {
        let peer = |pid| Peer {
            pid,
            uid: 0,
            gid: 0,
        };
        assert!(named(peer(0)).is_err());
        assert_eq!(named(peer(1)).unwrap(), peer(1));
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
