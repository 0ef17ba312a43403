//! A client that costs little itself: one login, one logout.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::StreamOwned;
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::ServerName;

use crate::servers::PASSWORD;

trait Bytes: Read + Write + Send {}
impl<T: Read + Write + Send> Bytes for T {}

/// A session.
pub struct Session {
    stream: BufReader<Box<dyn Bytes>>,
}

impl Session {
    /// Connected, greeted; with TLS if there is a configuration for it.
    pub fn open(tcp: TcpStream, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Bytes> = match tls {
            None => Box::new(tcp),
            Some(config) => {
                let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                let connection =
                    ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(connection, tcp))
            }
        };
        let mut session = Self {
            stream: BufReader::with_capacity(2048, stream),
        };
        session.line()?;
        Ok(session)
    }

    /// LOGIN.
    pub fn login(&mut self, user: &str) -> io::Result<()> {
        self.command(&format!("LOGIN {user} {PASSWORD}"))
    }

    /// One command; an error unless it is answered OK.
    pub fn command(&mut self, text: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("a {text}\r\n").as_bytes())?;
        stream.flush()?;
        loop {
            let line = self.line()?;
            if let Some(answer) = line.strip_prefix("a ") {
                let ok = answer.starts_with("OK");
                return if ok {
                    Ok(())
                } else {
                    Err(io::Error::other(line))
                };
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line),
        }
    }
}

/// TLS that trusts anybody and resumes nothing: every login pays its handshake.
pub fn tls() -> Arc<ClientConfig> {
    let mut config = testkit::client_config();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}
