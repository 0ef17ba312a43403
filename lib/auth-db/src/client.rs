//! What is known of a client.

use std::net::{IpAddr, SocketAddr};

/// The connection that somebody authenticates on, or on whose behalf a user is looked up.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// `imap`, `lmtp`, `doveadm`, …
    pub service: String,
    /// SASL mechanism, upper case; empty for lookups.
    pub mech: String,
    /// Our end, where there is a connection.
    pub local: Option<SocketAddr>,
    /// The client's end.
    pub remote: Option<SocketAddr>,
    /// Its session's name in every log line.
    pub session: Option<String>,
    /// Whether nobody between can listen.
    pub secured: bool,
}

impl Client {
    /// The client's address; IPv4 in IPv6's clothes is IPv4.
    #[must_use]
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.remote.map(|address| address.ip().to_canonical())
    }

    /// Our address, likewise.
    #[must_use]
    pub fn local_ip(&self) -> Option<IpAddr> {
        self.local.map(|address| address.ip().to_canonical())
    }
}
