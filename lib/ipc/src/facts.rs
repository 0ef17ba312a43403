//! What is known of a client's connection, the same from login to worker.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::SessionId;

/// Which protocol a session speaks; also what auth calls the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// ManageSieve.
    Managesieve,
    /// LMTP.
    Lmtp,
    /// doveadm.
    Doveadm,
    /// SMTP submission: what an MTA asks auth for.
    Smtp,
}

impl Protocol {
    /// The name in settings (`%s`, `protocol imap {}`) and log lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Managesieve => "sieve",
            Self::Lmtp => "lmtp",
            Self::Doveadm => "doveadm",
            Self::Smtp => "smtp",
        }
    }
}

/// How the client's bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// In the clear.
    Plain,
    /// TLS, ended by the login process.
    Tls,
}

/// One client's connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it speaks.
    pub protocol: Protocol,
    /// Its name in every log line.
    pub session: SessionId,
    /// Our end.
    pub local: SocketAddr,
    /// The client's end.
    pub remote: SocketAddr,
    /// Whether TLS protects it.
    pub transport: Transport,
}

impl Facts {
    /// Whether nobody between the client and us can listen: TLS, or the same host
    /// (`disable_plaintext_auth`, `secured` in Dovecot's auth protocol).
    #[must_use]
    pub fn is_secured(&self) -> bool {
        self.transport == Transport::Tls || self.remote.ip() == self.local.ip()
    }
}
