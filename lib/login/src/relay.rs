//! TLS after login: bytes between the client and the worker, until the session ends.
//!
//! *Invariant:* a session that its worker has ended does not live on here, whatever its client does.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::Client;
use crate::stream::Stream;

/// Most bytes on their way to a client.
const DOWN: usize = 8192;
/// Most bytes on their way from a client.
const UP: usize = 4096;
/// A client that does not take [`DOWN`] bytes in so long has gone.
const STALL: Duration = Duration::from_secs(5 * 60);
/// So long for the last words of TLS.
const FAREWELL: Duration = Duration::from_secs(5);

impl Client {
    /// With TLS: relays until the session ends. Without: the worker has the socket itself.
    pub(crate) async fn relay(mut self) {
        let stream = std::mem::replace(&mut self.stream, Stream::Gone);
        let (Stream::Tls(client), Some((outer, inner))) = (stream, self.inner.take()) else {
            return;
        };
        // The session may last for days: nothing is kept that it does not need.
        drop(self);
        // Only the worker holds the inner end now: when it ends, we see it.
        drop(inner);
        if let Ok(worker) = unix_stream(StdUnixStream::from(outer)) {
            relay(client, worker).await;
        }
    }
}

async fn relay(client: impl AsyncRead + AsyncWrite, worker: UnixStream) {
    let (from_client, mut to_client) = tokio::io::split(client);
    let (from_worker, to_worker) = worker.into_split();
    let up = async {
        // A client that has ended, or that nobody listens to any more, has nothing to say; the worker may have.
        let _ = client_to_worker(from_client, to_worker).await;
        std::future::pending::<()>().await;
    };
    let down = async {
        // There is nobody left to tell of a client that has gone.
        let _ = worker_to_client(from_worker, &mut to_client).await;
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
    // A client that does not read its good-bye waits for nobody.
    let _ = timeout(FAREWELL, to_client.shutdown()).await;
}

async fn client_to_worker(
    mut client: impl AsyncRead + Unpin,
    mut worker: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut chunk = vec![0; UP];
    loop {
        match client.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                worker
                    .write_all(chunk.get(..count).unwrap_or_default())
                    .await?
            }
        }
    }
    // Now the worker reads the end.
    worker.shutdown().await
}

async fn worker_to_client(
    worker: tokio::net::unix::OwnedReadHalf,
    client: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    loop {
        // No buffer while a session idles.
        worker.readable().await?;
        let mut chunk = vec![0; DOWN];
        let count = match worker.try_read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        let sent = async {
            client
                .write_all(chunk.get(..count).unwrap_or_default())
                .await?;
            client.flush().await
        };
        timeout(STALL, sent).await??;
    }
}

fn unix_stream(stream: StdUnixStream) -> io::Result<UnixStream> {
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client, a worker, and the task that relays between them.
    fn ends(
        room: usize,
    ) -> (
        tokio::io::DuplexStream,
        UnixStream,
        tokio::task::JoinHandle<()>,
    ) {
        let (client, theirs) = tokio::io::duplex(room);
        let (outer, worker) = UnixStream::pair().unwrap();
        (client, worker, tokio::spawn(relay(theirs, outer)))
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn bytes_go_both_ways() {
        let (mut client, mut worker, _relay) = ends(64);
        let (large, mut got) = (vec![b'x'; 100_000], vec![0; 100_000]);
        let (sent, received) = tokio::join!(worker.write_all(&large), client.read_exact(&mut got));
        sent.unwrap();
        received.unwrap();
        assert_eq!(got, large);
        client.write_all(b"a NOOP\r\n").await.unwrap();
        let mut command = [0; 8];
        worker.read_exact(&mut command).await.unwrap();
        assert_eq!(&command, b"a NOOP\r\n");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_session_that_has_ended_does_not_wait_for_its_client() {
        let (mut client, mut worker, relay) = ends(64);
        worker.write_all(b"* BYE\r\n").await.unwrap();
        drop(worker);
        // The client neither closes nor sends anything.
        relay.await.unwrap();
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "* BYE\r\n");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_client_that_reads_nothing_is_given_up() {
        let (client, mut worker, relay) = ends(64);
        worker.write_all(&[b'x'; 10_000]).await.unwrap();
        relay.await.unwrap();
        drop(client);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_client_that_has_ended_still_gets_its_answer() {
        let (mut client, mut worker, relay) = ends(64);
        client.write_all(b"a LOGOUT\r\n").await.unwrap();
        client.shutdown().await.unwrap();
        let mut command = String::new();
        worker.read_to_string(&mut command).await.unwrap();
        assert_eq!(command, "a LOGOUT\r\n");
        worker.write_all(b"a OK\r\n").await.unwrap();
        drop(worker);
        relay.await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "a OK\r\n");
    }
}
