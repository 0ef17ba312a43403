//! Settings of a login process, as they count for one connection.

use config::{Networks, Secret};
use ipc::facts::{Facts, Transport};
use serde::Deserialize;

/// `ssl`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsPolicy {
    /// No TLS at all.
    No,
    /// TLS for those who want it.
    Yes,
    /// No authentication without TLS.
    Required,
}

/// What a login process reads from its snapshot.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// First words to the client.
    pub login_greeting: String,
    /// How the elements and the rest of a line are put together.
    pub login_log_format: String,
    /// Elements of a line about a client.
    pub login_log_format_elements: String,
    /// Proxies whose word about a client's address counts; also secured.
    pub login_trusted_networks: Networks,
    /// No password in the clear over a network.
    pub disable_plaintext_auth: bool,
    /// May, or must, clients use TLS?
    pub ssl: TlsPolicy,
    /// Certificate chain, PEM.
    pub ssl_cert: String,
    /// Its key, PEM.
    pub ssl_key: Secret,
    /// `TLSv1.2` or `TLSv1.3`; older ones do not exist here.
    pub ssl_min_protocol: String,
}

impl Settings {
    /// Is the connection as good as secret: TLS, this host, or a network that is trusted?
    #[must_use]
    pub fn is_secured(&self, facts: &Facts) -> bool {
        facts.is_secured() || self.login_trusted_networks.contain(facts.remote.ip())
    }

    /// May the client send its password as it is? RFC 3501 §6.2.3 `LOGINDISABLED`.
    #[must_use]
    pub fn allows_plaintext(&self, facts: &Facts) -> bool {
        let wanted = self.disable_plaintext_auth || self.ssl == TlsPolicy::Required;
        !wanted || self.is_secured(facts)
    }

    /// May the client begin TLS now?
    #[must_use]
    pub fn offers_tls(&self, facts: &Facts) -> bool {
        self.ssl != TlsPolicy::No
            && facts.transport == Transport::Plain
            && !self.ssl_cert.is_empty()
    }
}
