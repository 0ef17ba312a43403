//! What is known of a client, and what databases may insert of it.

use std::net::{IpAddr, SocketAddr};

use crate::fields::Fields;
use crate::names::{Names, user_value};
use crate::template::{Name, Values};

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

/// Everything that a template may insert.
pub(crate) struct Context<'a> {
    pub client: &'a Client,
    pub names: &'a Names,
    pub passdb: &'a Fields,
    pub userdb: &'a Fields,
}

impl Values for Context<'_> {
    fn value(&self, name: &Name) -> Option<String> {
        let client = self.client;
        let port = |address: Option<SocketAddr>| address.map(|address| address.port().to_string());
        match name {
            Name::User | Name::Username | Name::Domain => user_value(&self.names.user, name),
            Name::Service => Some(client.service.clone()),
            Name::LocalIp => client.local_ip().map(|ip| ip.to_string()),
            Name::RemoteIp => client.remote_ip().map(|ip| ip.to_string()),
            Name::LocalPort => port(client.local),
            Name::RemotePort => port(client.remote),
            Name::Home => self.userdb.get("home").map(str::to_owned),
            Name::Mech => Some(client.mech.clone()),
            Name::Secured => client.secured.then(|| "secured".to_owned()),
            Name::Pid => Some(std::process::id().to_string()),
            Name::Session => client.session.clone(),
            Name::AuthUser => Some(
                self.names
                    .master
                    .as_ref()
                    .unwrap_or(&self.names.user)
                    .clone(),
            ),
            Name::LoginUser => self.names.login_user.clone(),
            Name::OriginalUser => Some(self.names.original.clone()),
            Name::MasterUser => self.names.master.clone(),
            Name::Passdb(field) => self.passdb.get(field).map(str::to_owned),
            Name::Userdb(field) => self.userdb.get(field).map(str::to_owned),
        }
    }
}
