//! One client's connection: what it does, without reading what it says.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::unix::AsyncFd;

/// What a client has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// It said something.
    Speak,
    /// It hung up.
    Leave,
}

/// Waits until it does something. Safe to cancel.
pub async fn does(client: &AsyncFd<OwnedFd>) -> Did {
    loop {
        let Ok(mut ready) = client.readable().await else {
            return Did::Leave;
        };
        match ready.try_io(|socket| peek(socket.get_ref())) {
            Ok(Ok(0) | Err(_)) => return Did::Leave,
            Ok(Ok(_)) => return Did::Speak,
            // Not readable after all.
            Err(_) => {}
        }
    }
}

fn peek(socket: &OwnedFd) -> io::Result<usize> {
    loop {
        let mut byte = [0; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match recv(socket, &mut byte, flags) {
            Err(Errno::INTR) => {}
            peeked => return Ok(peeked?.0),
        }
    }
}

/// Says a line, if the client has room for all of it; how many bytes it took.
///
/// # Errors
/// It took a part: whatever is said next would be nonsense. Or it is gone.
pub fn say(socket: &OwnedFd, line: &[u8]) -> io::Result<u64> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match send(socket, line, flags) {
        Ok(count) if count == line.len() => Ok(count as u64),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        // It does not read; that is no reason to end it here.
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
