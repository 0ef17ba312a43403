//! A client without manners: sends while nobody reads, reads what comes whenever it comes, and tells how it ended.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};
use regex::bytes::Regex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use testkit::Machine;

/// A connection.
#[derive(Debug)]
pub struct Wire {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// All that came, in the clear.
    pub received: Vec<u8>,
    /// The server ended it.
    pub closed: bool,
}

impl Wire {
    /// From an address of one's own to a port of the machine.
    ///
    /// # Panics
    /// The connection is refused.
    #[must_use]
    pub fn connect(machine: &Machine, from: Ipv4Addr, port: u16) -> Wire {
        let tcp = machine.connect_from(from, port);
        Wire::new(tcp)
    }

    /// Over a connection that is there.
    ///
    /// # Panics
    /// It cannot be made non-blocking.
    #[must_use]
    pub fn new(tcp: TcpStream) -> Wire {
        tcp.set_nonblocking(true).expect("a socket");
        tcp.set_nodelay(true).expect("a TCP socket");
        Wire {
            tcp,
            tls: None,
            received: Vec::new(),
            closed: false,
        }
    }

    /// Sends all of it; what the server says meanwhile is read. `false` if the server ended the connection.
    pub fn send(&mut self, bytes: &[u8], deadline: Instant) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() && !self.closed && Instant::now() < deadline {
            match self.write(rest) {
                Ok(0) => self.ready(PollFlags::IN | PollFlags::OUT, deadline),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(_) => self.closed = true,
            }
            self.read();
        }
        self.flush(deadline);
        rest.is_empty() && !self.closed
    }

    /// The same without reading anything.
    pub fn send_deaf(&mut self, bytes: &[u8], deadline: Instant) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() && Instant::now() < deadline {
            match self.write(rest) {
                Ok(0) => self.ready(PollFlags::OUT, deadline),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(_) => return false,
            }
        }
        rest.is_empty()
    }

    /// Reads until `enough` says so, the server ends it, or time is up; whether `enough` did.
    pub fn wait(&mut self, deadline: Instant, mut enough: impl FnMut(&[u8]) -> bool) -> bool {
        loop {
            self.read();
            if enough(&self.received) {
                return true;
            }
            if self.closed || Instant::now() >= deadline {
                return false;
            }
            self.ready(PollFlags::IN, deadline);
        }
    }

    /// Reads until the server says something like this: a regular expression over lines.
    ///
    /// # Panics
    /// The pattern is none.
    pub fn hears(&mut self, pattern: &str, deadline: Instant) -> bool {
        let pattern = Regex::new(&format!("(?m){pattern}")).expect("a pattern");
        self.wait(deadline, |received| pattern.is_match(received))
    }

    /// Reads until nothing came for so long.
    pub fn silence(&mut self, quiet: Duration) {
        loop {
            let before = self.received.len();
            self.wait(Instant::now() + quiet, |received| received.len() > before);
            if self.received.len() == before {
                return;
            }
        }
    }

    /// A TLS handshake; any certificate will do. `false` if the server did not want it.
    ///
    /// # Panics
    /// The name is none.
    pub fn handshake(&mut self, name: &str, deadline: Instant) -> bool {
        let name = ServerName::try_from(name.to_owned()).expect("a host name");
        let connection = ClientConnection::new(testkit::tls_config(), name).expect("a TLS client");
        self.tls = Some(Box::new(connection));
        while Instant::now() < deadline && !self.closed {
            self.flush(deadline);
            self.read();
            let tls = self.tls.as_deref();
            if tls.is_none_or(|tls| !tls.is_handshaking()) {
                break;
            }
            self.ready(PollFlags::IN, deadline);
        }
        self.flush(deadline);
        !self.closed && self.tls.as_deref().is_some_and(|tls| !tls.is_handshaking())
    }

    /// Asks for new keys. RFC 8446 §4.6.3.
    ///
    /// # Panics
    /// There is no TLS 1.3.
    pub fn update_keys(&mut self) {
        let tls = self.tls.as_deref_mut().expect("TLS");
        tls.refresh_traffic_keys().expect("TLS 1.3");
    }

    /// Did the server end it? Nothing is read: what it said before waits in the socket.
    #[must_use]
    pub fn hung_up(&self) -> bool {
        let mut fds = [PollFd::new(&self.tcp, PollFlags::RDHUP)];
        let now = Timespec::try_from(Duration::ZERO).expect("no time");
        poll(&mut fds, Some(&now)).is_ok_and(|count| count > 0)
    }

    /// Ends it with RST instead of FIN.
    ///
    /// # Panics
    /// The option cannot be set.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.tcp, Some(Duration::ZERO))
            .expect("SO_LINGER");
    }

    /// Writes to the transport what it takes now.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = self.tls.as_deref_mut() else {
            return would_block(self.tcp.write(bytes));
        };
        let count = tls.writer().write(bytes)?;
        while tls.wants_write() {
            match tls.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    fn flush(&mut self, deadline: Instant) {
        while let Some(tls) = self.tls.as_deref_mut()
            && tls.wants_write()
            && !self.closed
            && Instant::now() < deadline
        {
            match tls.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready(PollFlags::OUT, deadline);
                }
                Err(_) => self.closed = true,
            }
        }
    }

    fn read(&mut self) {
        let mut chunk = [0; 16384];
        while !self.closed {
            let count = match self.tls.as_deref_mut() {
                None => self.tcp.read(&mut chunk),
                Some(tls) => tls.read_tls(&mut self.tcp),
            };
            match count {
                Ok(0) => self.closed = true,
                Ok(count) => self.take(chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.closed = true,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let Some(tls) = self.tls.as_deref_mut() else {
            self.received.extend_from_slice(bytes);
            return;
        };
        match tls.process_new_packets() {
            Ok(state) => {
                let mut plain = vec![0; state.plaintext_bytes_to_read()];
                if tls.reader().read_exact(&mut plain).is_ok() {
                    self.received.extend(plain);
                }
                self.closed |= state.peer_has_closed();
            }
            Err(_) => self.closed = true,
        }
    }

    fn ready(&self, flags: PollFlags, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout =
            Timespec::try_from(left.min(Duration::from_millis(500))).expect("a short time");
        // Interrupted or not: the caller looks at the socket again.
        poll(&mut [PollFd::new(&self.tcp, flags)], Some(&timeout)).ok();
    }
}

fn would_block(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

/// Many connections from one address, as far as they come through. This process may have that many from now on.
///
/// # Panics
/// The limit of descriptors cannot be raised.
#[must_use]
pub fn many(machine: &Machine, from: Ipv4Addr, port: u16, count: usize) -> Vec<TcpStream> {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = 2 * count as u64 + 4096;
    limit.current = limit.current.map(|current| current.max(wanted));
    limit.maximum = limit.maximum.map(|maximum| maximum.max(wanted));
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("as root");
    machine.in_network(|| (0..count).filter_map(|_| open(from, port).ok()).collect())
}

fn open(from: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let fd = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    bind(
        fd.as_raw_fd(),
        &SockaddrIn::from(SocketAddrV4::new(from, 0)),
    )?;
    let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    connect(fd.as_raw_fd(), &SockaddrIn::from(target))?;
    Ok(TcpStream::from(fd))
}
