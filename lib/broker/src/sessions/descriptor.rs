//! Is a handed-over descriptor what login says it is? The kernel answers.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use ipc::facts::{Facts, Transport};
use rustix::net::sockopt::socket_domain;
use rustix::net::{AddressFamily, getpeername};

/// Is the descriptor what login says: in the clear the client's own socket, with TLS a local one?
/// A client that has gone has no address any more, which proves nothing against login.
pub(super) fn is_what_it_seems(client: &OwnedFd, facts: &Facts) -> bool {
    let Ok(domain) = socket_domain(client) else {
        return false;
    };
    match facts.transport {
        Transport::Tls => domain == AddressFamily::UNIX,
        Transport::Plain if domain == AddressFamily::UNIX => false,
        Transport::Plain => match getpeername(client).ok().flatten().map(SocketAddr::try_from) {
            Some(Ok(address)) => {
                address.ip().to_canonical() == facts.remote.ip()
                    && address.port() == facts.remote.port()
            }
            Some(Err(_)) => false,
            None => true,
        },
    }
}
