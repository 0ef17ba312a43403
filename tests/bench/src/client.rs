//! A client that costs little itself: one login, one logout.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::StreamOwned;
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::ServerName;

use crate::servers::PASSWORD;

/// Read at once, bytes: little, since there are hundreds of clients.
const CHUNK: usize = 4096;
/// Of every command.
const TAG: &str = "tag";

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
            stream: BufReader::with_capacity(CHUNK, stream),
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
        self.count(text).map(|_| ())
    }

    /// IDLE, begun.
    pub fn idle(&mut self) -> io::Result<()> {
        self.say(format!("{TAG} IDLE\r\n").as_bytes())?;
        match self.line()?.starts_with('+') {
            true => Ok(()),
            false => Err(io::Error::other("no continuation for IDLE")),
        }
    }

    /// One command; how many bytes came before its answer. No line of mail may begin with the tag.
    pub fn count(&mut self, text: &str) -> io::Result<u64> {
        self.say(format!("{TAG} {text}\r\n").as_bytes())?;
        self.answer()
    }

    /// APPEND without waiting for leave: LITERAL+.
    pub fn append(&mut self, mailbox: &str, message: &[u8]) -> io::Result<()> {
        let mut bytes = format!("{TAG} APPEND {mailbox} {{{}+}}\r\n", message.len()).into_bytes();
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(b"\r\n");
        self.say(&bytes)?;
        self.answer().map(|_| ())
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(bytes)?;
        stream.flush()
    }

    fn answer(&mut self) -> io::Result<u64> {
        let mut before = 0;
        let mut line = Vec::new();
        loop {
            line.clear();
            match self.stream.read_until(b'\n', &mut line)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => before += count as u64,
            }
            let Some(answer) = line.strip_prefix(TAG.as_bytes()) else {
                continue;
            };
            return if answer.starts_with(b" OK") {
                Ok(before - line.len() as u64)
            } else {
                Err(io::Error::other(String::from_utf8_lossy(&line)))
            };
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
