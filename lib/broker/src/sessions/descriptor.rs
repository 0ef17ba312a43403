//! Is a handed-over descriptor what login says it is? The kernel answers.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use ipc::facts::{Facts, Transport};
use rustix::net::sockopt::{socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketAddrAny, SocketType, getpeername, getsockname};

/// Is the descriptor what login says: in the clear the client's own connection, with TLS a local one?
/// A client that has gone has no address any more, which proves nothing against login.
pub(super) fn is_what_it_seems(client: &OwnedFd, facts: &Facts) -> bool {
    let (Ok(domain), Ok(SocketType::STREAM)) = (socket_domain(client), socket_type(client)) else {
        return false;
    };
    match facts.transport {
        Transport::Tls => domain == AddressFamily::UNIX,
        Transport::Plain if domain != AddressFamily::INET && domain != AddressFamily::INET6 => {
            false
        }
        Transport::Plain => match getpeername(client).ok().flatten() {
            Some(there) => {
                is(there, facts.remote)
                    && getsockname(client).is_ok_and(|here| is(here, facts.local))
            }
            None => true,
        },
    }
}

fn is(address: SocketAddrAny, said: SocketAddr) -> bool {
    SocketAddr::try_from(address).is_ok_and(|address| {
        address.ip().to_canonical() == said.ip() && address.port() == said.port()
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use ipc::SessionId;
    use ipc::facts::Protocol;

    use super::*;

    fn facts(local: SocketAddr, remote: SocketAddr, transport: Transport) -> Facts {
        Facts {
            protocol: Protocol::Imap,
            session: SessionId::try_from("x".to_owned()).unwrap(),
            local,
            remote,
            transport,
        }
    }

    #[test]
    fn a_client_is_told_by_its_addresses() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(host).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, remote) = listener.accept().unwrap();
            let local = server.local_addr().unwrap();
            let server = OwnedFd::from(server);
            let is = |local, remote, transport| {
                is_what_it_seems(&server, &facts(local, remote, transport))
            };
            assert!(is(local, remote, Transport::Plain));
            assert!(!is(local, local, Transport::Plain), "another client");
            assert!(!is(remote, remote, Transport::Plain), "another service");
            assert!(!is(local, remote, Transport::Tls), "TLS is relayed");
            drop(client);
        }
    }

    #[test]
    fn tls_is_a_local_connection() {
        let (inner, _outer) = UnixStream::pair().unwrap();
        let any = SocketAddr::from(([192, 0, 2, 1], 993));
        let inner = OwnedFd::from(inner);
        assert!(is_what_it_seems(&inner, &facts(any, any, Transport::Tls)));
        assert!(!is_what_it_seems(
            &inner,
            &facts(any, any, Transport::Plain)
        ));
    }

    #[test]
    fn what_is_no_connection_is_no_client() {
        let any = SocketAddr::from(([127, 0, 0, 1], 1));
        let files: [OwnedFd; 4] = [
            std::fs::File::open("/dev/null").unwrap().into(),
            std::io::pipe().unwrap().0.into(),
            UnixDatagram::unbound().unwrap().into(),
            UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        ];
        for file in files {
            for transport in [Transport::Plain, Transport::Tls] {
                assert!(!is_what_it_seems(&file, &facts(any, any, transport)));
            }
        }
    }
}
