//! Handing a client over to a manager.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use ipc::Token;
use ipc::handoff::{Refusal, Reply, Request};
use sys::seqpacket;
use tokio::net::TcpStream;

use crate::Client;
use crate::stream::Stream;

/// What became of a hand-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandedOver {
    /// A worker has the client, and answers its command.
    To {
        /// The worker's process id.
        worker_pid: u32,
    },
    /// Nobody took it; answer its command here.
    Nobody(Refusal),
}

impl Client {
    /// Hands the client over with everything it has sent beyond its command. `tag`: what the worker's answer
    /// begins with.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn hand_off(&mut self, token: Token, tag: &str) -> io::Result<HandedOver> {
        let plain = match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(stream) => Some(OwnedFd::from(stream.into_std()?)),
            other => {
                self.stream = other;
                None
            }
        };
        let handed = match (&plain, &self.inner) {
            (Some(fd), _) => {
                // Workers wait in their calls; so must the socket.
                seqpacket::set_blocking(fd)?;
                fd.as_fd()
            }
            (None, Some((_, inner))) => inner.as_fd(),
            (None, None) => return Err(io::ErrorKind::NotConnected.into()),
        };
        let facts = self.facts().clone();
        let unread = self.input.clone();
        let ask = |id| Request::Handoff {
            id,
            token,
            facts,
            tag: tag.to_owned(),
            unread,
        };
        let manager = self.shared().manager.clone();
        let reply = manager.call(ask, &[handed]).await;
        let outcome = match reply {
            Ok(Reply::Accepted { worker_pid, .. }) => HandedOver::To { worker_pid },
            Ok(Reply::Refused { why, .. }) => HandedOver::Nobody(why),
            Ok(Reply::Hello { .. }) => HandedOver::Nobody(Refusal::Unavailable),
            Err(error) => {
                self.log_trouble("hand-off", &error);
                HandedOver::Nobody(Refusal::Unavailable)
            }
        };
        if let (Some(fd), HandedOver::Nobody(_)) = (plain, outcome) {
            seqpacket::set_nonblocking(&fd)?;
            self.stream = Stream::Plain(TcpStream::from_std(fd.into())?);
        }
        Ok(outcome)
    }
}
