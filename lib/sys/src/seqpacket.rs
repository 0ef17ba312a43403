//! SOCK_SEQPACKET sockets: one record per call, file descriptors beside it.
//!
//! Blocking and non-blocking alike: the caller decides by the flags of the descriptor.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::cmsg_space;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    accept_with, connect, recvmsg, sendmsg, socket_with, socketpair,
};

/// Most descriptors that one record may carry; a record with more is refused by the receiver.
pub const MAX_FDS: usize = 4;

/// Most descriptors in a [`bundle`]; the kernel takes twice as many.
pub const MAX_BUNDLE: usize = 126;

/// One received record.
#[derive(Debug)]
pub struct Received {
    /// Bytes written into the caller's buffer. 0 with no descriptors: the peer closed.
    pub len: usize,
    /// Descriptors that came along, close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// The record, or its descriptors, did not fit: it must not be used.
    pub truncated: bool,
}

/// Sends `bytes` as one record, with `fds` beside it.
///
/// # Errors
/// What sendmsg(2) says; `EAGAIN` on a non-blocking socket whose peer is slow; never SIGPIPE.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    send_by(&mut space, socket, bytes, fds)
}

fn send_by(
    space: &mut [MaybeUninit<u8>],
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut ancillary = SendAncillaryBuffer::new(space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "too many descriptors for one record",
        ));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::EOR;
    let sent = loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags) {
            Err(rustix::io::Errno::INTR) => {}
            done => break done?,
        }
    };
    if sent != bytes.len() {
        return Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "the record was cut",
        ));
    }
    Ok(())
}

/// Length of the record that [`recv`] gives next, bytes; waits for it as that does. 0: none comes any more, or it
/// is empty.
///
/// # Errors
/// What recv(2) says.
pub fn next_len(socket: BorrowedFd<'_>) -> io::Result<usize> {
    loop {
        let mut nothing: [u8; 0] = [];
        match rustix::net::recv(socket, &mut nothing, RecvFlags::PEEK | RecvFlags::TRUNC) {
            Err(rustix::io::Errno::INTR) => {}
            done => return Ok(done?.1),
        }
    }
}

/// Receives one record into `buffer`.
///
/// # Errors
/// What recvmsg(2) says; `EAGAIN` on a non-blocking socket with nothing to read.
pub fn recv(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    receive(&mut space, socket, buffer, RecvFlags::empty())
}

/// Receives one record into `buffer`, if there is one: never waits, whatever the flags of the descriptor.
///
/// # Errors
/// What recvmsg(2) says; `EAGAIN`: there is nothing to read.
pub fn try_recv(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    receive(&mut space, socket, buffer, RecvFlags::DONTWAIT)
}

fn receive(
    space: &mut [MaybeUninit<u8>],
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> io::Result<Received> {
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let mut ancillary = RecvAncillaryBuffer::new(space);
    let message = loop {
        let mut iov = [IoSliceMut::new(buffer)];
        match recvmsg(socket, &mut iov, &mut ancillary, flags) {
            Err(rustix::io::Errno::INTR) => {}
            done => break done?,
        }
    };
    let mut fds = Vec::new();
    for control in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = control {
            fds.extend(rights);
        }
    }
    let truncated = message
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    Ok(Received {
        len: message.bytes,
        fds,
        truncated,
    })
}

/// Packs descriptors into one, with `bytes`: a socket in whose queue they lie, and which nobody writes to any more. They stay
/// open as long as it does.
///
/// # Errors
/// What socketpair(2) and sendmsg(2) say; more than [`MAX_BUNDLE`].
pub fn bundle(bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<OwnedFd> {
    let (bundle, inside) = pair()?;
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_BUNDLE))];
    send_by(&mut space, inside.as_fd(), bytes, fds)?;
    Ok(bundle)
}

/// Copies of what lies in a [`bundle`].
///
/// # Errors
/// What recvmsg(2) says.
pub fn unbundle(bundle: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_BUNDLE))];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    receive(&mut space, bundle, buffer, flags)
}

/// Connects to the listening socket at `path`, waiting while its queue is full; the result blocks.
///
/// # Errors
/// What socket(2) and connect(2) say.
pub fn connect_to(path: &Path) -> io::Result<OwnedFd> {
    connected(path, SocketFlags::CLOEXEC)
}

/// Connects to the listening socket at `path` without waiting; neither does the result.
///
/// # Errors
/// What socket(2) and connect(2) say; `EAGAIN` while the queue of the listener is full: nothing tells when to try
/// again.
pub fn try_connect_to(path: &Path) -> io::Result<OwnedFd> {
    connected(path, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

fn connected(path: &Path, flags: SocketFlags) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Accepts a connection without waiting on it: the result is non-blocking.
///
/// # Errors
/// What accept4(2) says.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(accept_with(
        listener,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
    )?)
}

/// Two connected ends, both blocking.
///
/// # Errors
/// What socketpair(2) says.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Two connected ends of a byte stream, both blocking: what login relays TLS through.
///
/// # Errors
/// What socketpair(2) says.
pub fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Ends a connection in both directions, whoever else has a descriptor of it.
pub fn shut_down(socket: BorrowedFd<'_>) {
    // One that is not connected any more is what was wanted.
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
}

/// Makes reads and writes on `fd` return `EAGAIN` instead of waiting.
///
/// # Errors
/// What ioctl(2) says.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, true)?)
}

/// Makes reads and writes on `fd` wait.
///
/// # Errors
/// What ioctl(2) says.
pub fn set_blocking(fd: impl AsFd) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, false)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_arrives_whole_with_its_descriptor() {
        let (a, b) = pair().unwrap();
        let (passed, _other) = stream_pair().unwrap();
        send(a.as_fd(), b"hello", &[passed.as_fd()]).unwrap();
        assert_eq!(next_len(b.as_fd()).unwrap(), 5);
        let mut buffer = [0; 16];
        let received = recv(b.as_fd(), &mut buffer).unwrap();
        assert_eq!(&buffer[..received.len], b"hello");
        assert_eq!(received.fds.len(), 1);
        assert!(!received.truncated);
    }

    #[test]
    fn a_bundle_keeps_what_is_in_it() {
        let (a, b) = stream_pair().unwrap();
        let bundle = bundle(b"two", &[a.as_fd(), b.as_fd()]).unwrap();
        drop((a, b));
        for _ in 0..2 {
            let mut buffer = [0; 16];
            let copies = unbundle(bundle.as_fd(), &mut buffer).unwrap();
            assert_eq!((&buffer[..copies.len], copies.fds.len()), (&b"two"[..], 2));
            let [a, b] = &copies.fds[..] else {
                panic!("{copies:?}")
            };
            rustix::io::write(a, b"x").unwrap();
            assert_eq!(rustix::io::read(b, &mut buffer).unwrap(), 1);
        }
    }

    #[test]
    fn a_record_too_long_for_the_buffer_is_marked() {
        let (a, b) = pair().unwrap();
        send(a.as_fd(), b"hello", &[]).unwrap();
        let mut buffer = [0; 2];
        assert!(recv(b.as_fd(), &mut buffer).unwrap().truncated);
    }

    #[test]
    fn a_closed_peer_reads_as_nothing() {
        let (a, b) = pair().unwrap();
        drop(a);
        assert_eq!(next_len(b.as_fd()).unwrap(), 0);
        let received = recv(b.as_fd(), &mut [0; 2]).unwrap();
        assert_eq!(received.len, 0);
    }
}
