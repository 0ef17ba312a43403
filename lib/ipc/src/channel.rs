//! A blocking connection to another of our services.

use std::any::type_name;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sys::seqpacket;
use zeroize::{Zeroize as _, Zeroizing};

use crate::Error;

/// Largest record, bytes: a hand-off with all its unread input fits.
pub const MAX_RECORD: usize = 64 * 1024;

/// A connection that is read and written by blocking calls; both may run in threads of their own.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
}

impl Channel {
    /// Wraps a connected, blocking SOCK_SEQPACKET socket.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Connects to the service that listens at `path`.
    ///
    /// # Errors
    /// [`Error::Syscall`].
    pub fn connect(path: &Path) -> Result<Self, Error> {
        seqpacket::connect_to(path)
            .map(Self::new)
            .map_err(Error::syscall("connect"))
    }

    /// Sends one message with its descriptors.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Syscall`], [`Error::TooLarge`].
    pub fn send<T: Serialize>(&self, message: &T, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
        let record = encode(message)?;
        seqpacket::send(self.socket.as_fd(), &record, fds).map_err(Error::syscall("sendmsg"))
    }

    /// Waits for one message and its descriptors.
    ///
    /// # Errors
    /// [`Error::Closed`] when the peer is gone; a record that is not a `T` is
    /// [`Error::Malformed`].
    pub fn recv<T: DeserializeOwned>(&self) -> Result<(T, Vec<OwnedFd>), Error> {
        let socket = self.socket.as_fd();
        let failed = Error::syscall("recvmsg");
        // Whoever waits, waits without a buffer: a worker's processes are many.
        let received = seqpacket::next_len(socket).and_then(|len| {
            let mut buffer = Zeroizing::new(vec![0; len.min(MAX_RECORD)]);
            let received = seqpacket::recv(socket, &mut buffer)?;
            Ok(decode(&buffer, received))
        });
        received.map_err(failed)?
    }

    /// Waits until there is a message, or the peer is gone. Of several threads that wait, a message wakes one.
    ///
    /// # Errors
    /// [`Error::Syscall`].
    pub fn wait(&self) -> Result<(), Error> {
        seqpacket::next_len(self.socket.as_fd())
            .map(drop)
            .map_err(Error::syscall("recv"))
    }

    /// Receives a message that is there, by way of `buffer`, which has room for any record: [`MAX_RECORD`]. `None`: there is none.
    ///
    /// # Errors
    /// As [`Channel::recv`].
    pub fn try_recv<T: DeserializeOwned>(
        &self,
        buffer: &mut [u8],
    ) -> Result<Option<(T, Vec<OwnedFd>)>, Error> {
        match seqpacket::try_recv(self.socket.as_fd(), buffer) {
            Ok(received) => take(buffer, received).map(Some),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(Error::syscall("recvmsg")(error)),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.socket
    }
}

/// A record that leaves no copy of what it says behind: neither when it is dropped nor while it is made.
pub(crate) fn encode<T: Serialize>(message: &T) -> Result<Zeroizing<Vec<u8>>, Error> {
    let malformed = |error: postcard::Error| Error::Malformed {
        expected: type_name::<T>(),
        reason: error.to_string(),
    };
    let size = postcard::experimental::serialized_size(message).map_err(malformed)?;
    if size > MAX_RECORD {
        return Err(Error::TooLarge {
            what: type_name::<T>(),
            size,
        });
    }
    let mut record = Zeroizing::new(vec![0; size]);
    postcard::to_slice(message, &mut record).map_err(malformed)?;
    Ok(record)
}

/// What one record says, of which nothing stays in the buffer: it may hold a password, and lives on.
pub(crate) fn take<T: DeserializeOwned>(
    buffer: &mut [u8],
    received: seqpacket::Received,
) -> Result<(T, Vec<OwnedFd>), Error> {
    let len = received.len;
    let decoded = decode(buffer, received);
    buffer.get_mut(..len).unwrap_or_default().zeroize();
    decoded
}

/// What one record says.
fn decode<T: DeserializeOwned>(
    buffer: &[u8],
    received: seqpacket::Received,
) -> Result<(T, Vec<OwnedFd>), Error> {
    let malformed = |reason: String| Error::Malformed {
        expected: type_name::<T>(),
        reason,
    };
    if received.truncated {
        return Err(malformed("longer than any of ours".to_owned()));
    }
    if received.len == 0 && received.fds.is_empty() {
        return Err(Error::Closed);
    }
    let record = buffer.get(..received.len).unwrap_or_default();
    match postcard::take_from_bytes::<T>(record) {
        Ok((message, [])) => Ok((message, received.fds)),
        Ok((_, rest)) => Err(malformed(format!("{} bytes too many", rest.len()))),
        Err(error) => Err(malformed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Username;

    fn pair() -> (Channel, Channel) {
        let (a, b) = seqpacket::pair().unwrap();
        (Channel::new(a), Channel::new(b))
    }

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let (a, b) = pair();
        let sent = (7_u32, Username::try_from("demo".to_owned()).unwrap());
        a.send(&sent, &[b.as_fd()]).unwrap();
        let (got, fds): ((u32, Username), _) = b.recv().unwrap();
        assert_eq!(got, sent);
        assert_eq!(fds.len(), 1);
    }

    #[test]
    fn a_record_that_breaks_a_rule_is_refused() {
        let (a, b) = pair();
        a.send(&"forged\nline".to_owned(), &[]).unwrap();
        assert!(matches!(b.recv::<Username>(), Err(Error::Malformed { .. })));
        a.send(&(1_u8, 2_u8), &[]).unwrap();
        assert!(matches!(b.recv::<u8>(), Err(Error::Malformed { .. })));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_what_just_fits_is_not() {
        let (a, b) = pair();
        // A length of three bytes, then the bytes.
        assert!(matches!(
            a.send(&vec![7_u8; MAX_RECORD - 2], &[]),
            Err(Error::TooLarge { .. })
        ));
        let most = vec![7_u8; MAX_RECORD - 3];
        a.send(&most, &[]).unwrap();
        assert_eq!(b.recv::<Vec<u8>>().unwrap().0, most);
    }

    #[test]
    fn of_those_who_wait_one_gets_the_message() {
        let (a, b) = pair();
        let mut buffer = vec![0; MAX_RECORD];
        assert!(b.try_recv::<u8>(&mut buffer).unwrap().is_none());
        a.send(&7_u8, &[]).unwrap();
        b.wait().unwrap();
        assert_eq!(b.try_recv::<u8>(&mut buffer).unwrap().unwrap().0, 7);
        assert_eq!(buffer.first(), Some(&0));
        assert!(b.try_recv::<u8>(&mut buffer).unwrap().is_none());
        drop(a);
        b.wait().unwrap();
        let closed = b.try_recv::<u8>(&mut buffer);
        assert!(matches!(closed, Err(Error::Closed)));
    }

    #[test]
    fn a_closed_peer_is_told_apart() {
        let (a, b) = pair();
        drop(a);
        assert!(matches!(b.recv::<u8>(), Err(Error::Closed)));
    }

    /// A record of any bytes; what it says is said again in the same way.
    fn read<T: Serialize + DeserializeOwned>(record: &[u8]) {
        let received = seqpacket::Received {
            len: record.len(),
            fds: Vec::new(),
            truncated: false,
        };
        if let Ok((message, _)) = decode::<T>(record, received) {
            let again = encode(&message).unwrap();
            assert!(again.len() <= record.len());
            let message: T = postcard::from_bytes(&again).unwrap();
            assert_eq!(encode(&message).unwrap(), again);
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error() {
        use crate::{
            anvil, auth_master, deliver, handoff, hibernate, login_auth, worker, worker_auth,
        };
        bolero::check!().for_each(|record: &[u8]| {
            let all = [
                read::<anvil::Request>,
                read::<anvil::Reply>,
                read::<auth_master::Request>,
                read::<auth_master::Reply>,
                read::<deliver::Request>,
                read::<deliver::Reply>,
                read::<handoff::Request>,
                read::<handoff::Reply>,
                read::<hibernate::Request>,
                read::<hibernate::Reply>,
                read::<hibernate::Parked>,
                read::<login_auth::Request>,
                read::<login_auth::Reply>,
                read::<worker::ToWorker>,
                read::<worker::FromWorker>,
                read::<worker::Begin>,
                read::<worker::Rest>,
                read::<worker_auth::Request>,
                read::<worker_auth::Reply>,
            ];
            all.iter().for_each(|read| read(record));
        });
    }
}
