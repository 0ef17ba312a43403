//! Who is at the other end of a socket: told by the kernel, not by the peer.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::{PeerCredentials, PeerPidfd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

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

/// The process at the other end of a unix socket. It lives, and its pid is nobody else's, from Linux 6.5 on
/// (`SO_PEERPIDFD`); older kernels tell no more than who connected.
///
/// # Errors
/// What getsockopt(2) says. `ConnectionReset`: the peer is gone. A process that our pid namespace does not contain is refused:
/// it has no name here; and so is one that has ended while another has its end of the socket.
pub fn credentials(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let process = process(socket)?;
    let credentials = getsockopt(&socket, PeerCredentials)?;
    // Alive after its pid was read: the pid was not somebody else's by then.
    if let Process::Known(process) = &process
        && ready(process, PollFlags::IN)?
    {
        return Err(gone(socket));
    }
    named(Peer {
        pid: credentials.pid(),
        uid: credentials.uid(),
        gid: credentials.gid(),
    })
}

/// What the kernel has of the process that connected.
enum Process {
    Known(OwnedFd),
    /// It is too old to say.
    Unknown,
}

fn process(socket: BorrowedFd<'_>) -> io::Result<Process> {
    match getsockopt(&socket, PeerPidfd) {
        Ok(process) => Ok(Process::Known(process)),
        Err(Errno::ENOPROTOOPT) => Ok(Process::Unknown),
        // Nobody waits for it any more: kernels before 6.16 have no descriptor of such a process.
        Err(Errno::ESRCH | Errno::EINVAL) => Err(gone(socket)),
        Err(error) => Err(error.into()),
    }
}

/// Why a connection whose process has ended is of no use: it ended too, or somebody else goes on with it.
fn gone(socket: BorrowedFd<'_>) -> io::Error {
    match ready(socket, PollFlags::HUP) {
        Ok(true) => io::ErrorKind::ConnectionReset.into(),
        Ok(false) => io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the process that connected has ended, and another has its socket",
        ),
        Err(error) => error,
    }
}

fn ready(fd: impl AsFd, flags: PollFlags) -> io::Result<bool> {
    let mut fds = [PollFd::new(&fd, flags)];
    Ok(poll(&mut fds, Some(&Timespec::default()))? > 0)
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

    const CHILD: &str = "SYS_PEER_TEST_SOCKET";

    /// Connects, and gives its own end away. Does nothing but in the process that the next test starts.
    #[test]
    fn child() {
        let Some(path) = std::env::var_os(CHILD) else {
            return;
        };
        let socket = seqpacket::connect_to(path.as_ref()).unwrap();
        seqpacket::send(socket.as_fd(), b"mine", &[socket.as_fd()]).unwrap();
    }

    #[test]
    fn a_process_that_ended_is_no_peer_and_its_heir_neither() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = listener(&path);
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "peer::tests::child"])
            .env(CHILD, &path)
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let socket = seqpacket::accept(listener.as_fd()).unwrap();
        wait(&socket, PollFlags::IN);
        let mut received = seqpacket::recv(socket.as_fd(), &mut [0; 8]).unwrap();
        if let Ok(peer) = credentials(socket.as_fd()) {
            // It may have ended already.
            assert_eq!(peer.pid, pid);
        }
        child.wait().unwrap();
        let heir = received.fds.pop().unwrap();
        if let Ok(Process::Unknown) = process(socket.as_fd()) {
            println!("this kernel does not tell");
            return;
        }
        let refused = credentials(socket.as_fd()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{refused}");
        drop(heir);
        // A process that another test starts has a copy until it runs its program.
        wait(&socket, PollFlags::HUP);
        let gone = credentials(socket.as_fd()).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::ConnectionReset, "{gone}");
    }

    fn wait(socket: &OwnedFd, flags: PollFlags) {
        poll(&mut [PollFd::new(socket, flags)], None).unwrap();
    }

    fn listener(path: &std::path::Path) -> OwnedFd {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
        let listener = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        bind(&listener, &SocketAddrUnix::new(path).unwrap()).unwrap();
        listen(&listener, 1).unwrap();
        listener
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
