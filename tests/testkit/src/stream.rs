//! A connection that a test client speaks over: lines and counted bytes, plain or TLS.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::client_tls::{self, Tls};

/// A buffered connection.
#[derive(Debug)]
pub struct Stream {
    transport: Transport,
    /// Read from the transport, not yet by the client.
    unread: Vec<u8>,
}

#[derive(Debug)]
enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Tls>),
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        tcp.set_nodelay(true).expect("TCP_NODELAY");
        Stream {
            transport: Transport::Tcp(tcp),
            unread: Vec::new(),
        }
    }
}

impl From<UnixStream> for Stream {
    fn from(unix: UnixStream) -> Self {
        Stream {
            transport: Transport::Unix(unix),
            unread: Vec::new(),
        }
    }
}

impl Stream {
    /// TLS from here on; any certificate is accepted. Bytes that came before the handshake are returned
    /// to nobody: a server must not have sent them.
    ///
    /// # Panics
    /// Not on plain TCP, or the server sent something before the handshake.
    #[must_use]
    pub fn tls(self) -> Stream {
        assert!(
            self.unread.is_empty(),
            "before the handshake: {:?}",
            String::from_utf8_lossy(&self.unread)
        );
        let Transport::Tcp(tcp) = self.transport else {
            panic!("TLS goes over TCP")
        };
        Stream {
            transport: Transport::Tls(Box::new(client_tls::connect(tcp))),
            unread: Vec::new(),
        }
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// The server closed the connection, or takes nothing for a minute.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let writer: &mut dyn Write = match &mut self.transport {
            Transport::Tcp(tcp) => tcp,
            Transport::Unix(unix) => unix,
            Transport::Tls(tls) => tls.as_mut(),
        };
        writer.write_all(bytes)?;
        writer.flush()
    }

    /// One line without its line end.
    ///
    /// # Errors
    /// The end came first (`UnexpectedEof`), or nothing for a minute.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            self.read_more()?;
        }
    }

    /// Exactly `count` bytes.
    ///
    /// # Errors
    /// As [`Stream::line`].
    pub fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < count {
            self.read_more()?;
        }
        Ok(self.unread.drain(..count).collect())
    }

    /// Everything until the server closes the connection.
    ///
    /// # Errors
    /// Nothing for a minute, or a reset.
    pub fn until_closed(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.read_more() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.unread));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 65536];
        let count = match &mut self.transport {
            Transport::Tcp(tcp) => tcp.read(&mut chunk),
            Transport::Unix(unix) => unix.read(&mut chunk),
            Transport::Tls(tls) => tls.read(&mut chunk),
        }?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread
            .extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(())
    }
}
