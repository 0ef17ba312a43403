//! A client's bytes, in the clear or through TLS.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use zeroize::Zeroize as _;

/// Most bytes that one read takes in.
const CHUNK: usize = 4096;

/// The connection to a client.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Between two of the others, or handed over.
    Gone,
}

impl Stream {
    /// Appends what the client has sent to `into`; waits for it. 0: the client has closed.
    pub(crate) async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => loop {
                // No buffer while waiting: an idle client costs its socket and its task.
                stream.readable().await?;
                match try_read(stream, into) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return done,
                }
            },
            Self::Tls(stream) => {
                into.reserve(256);
                stream.read_buf(into).await
            }
            Self::Gone => Ok(0),
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Says good-bye where the protocol below has a word for it.
    pub(crate) async fn close(&mut self) {
        let closed = match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
            Self::Gone => Ok(()),
        };
        // The client has gone first: that is what was wanted.
        let _ = closed;
    }
}

fn try_read(stream: &TcpStream, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; CHUNK];
    let count = stream.try_read(&mut chunk)?;
    let read = chunk.get_mut(..count).unwrap_or_default();
    into.extend_from_slice(read);
    // There may be a password in it.
    read.zeroize();
    Ok(count)
}
