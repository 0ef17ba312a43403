//! TLS after login: bytes between the client and the worker, until either ends.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;

use tokio::net::UnixStream;

use crate::Client;
use crate::stream::Stream;

/// Bytes on their way, per direction.
const BUFFER: usize = 8192;

impl Client {
    /// With TLS: relays until the session ends. Without: the worker has the socket itself.
    pub(crate) async fn relay(self) {
        let (Stream::Tls(mut client), Some((outer, inner))) = (self.stream, self.inner) else {
            return;
        };
        // Only the worker holds the inner end now: when it ends, we see it.
        drop(inner);
        let Ok(mut worker) = unix_stream(StdUnixStream::from(outer)) else {
            return;
        };
        // Either side ends a session by closing; there is nobody left to tell.
        let _ = tokio::io::copy_bidirectional_with_sizes(&mut *client, &mut worker, BUFFER, BUFFER)
            .await;
    }
}

fn unix_stream(stream: StdUnixStream) -> io::Result<UnixStream> {
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
