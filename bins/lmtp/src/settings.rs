//! Settings of lmtp, by their names in the configuration.

use serde::Deserialize;
use smtp_proto::Leniency;

/// What an administrator may decide about LMTP.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Name of this host in greeting and Received; empty: what the kernel says.
    pub hostname: String,
    /// Text of the greeting.
    pub login_greeting: String,
    /// Characters that separate user and detail in a local part; empty: none.
    pub recipient_delimiter: String,
    /// Add a Received field.
    pub lmtp_add_received_header: bool,
    /// Which address Delivered-To shows.
    pub lmtp_hdr_delivery_address: DeliveryAddress,
    /// Deviations from the grammar that clients may have.
    pub lmtp_client_workarounds: Vec<Workaround>,
    /// Most recipients in flight that are the same user; 0: no limit.
    pub lmtp_user_concurrency_limit: u32,
    /// A full mailbox is a temporary failure.
    pub quota_full_tempfail: bool,
    /// Where messages wait that are too large for memory.
    pub mail_temp_dir: String,
}

/// `lmtp_hdr_delivery_address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryAddress {
    /// No Delivered-To.
    None,
    /// The one of RCPT.
    Final,
    /// The one of `ORCPT=`, if it is given.
    Original,
}

/// One of `lmtp_client_workarounds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workaround {
    /// `MAIL FROM: <x@y>`.
    WhitespaceBeforePath,
    /// `MAIL FROM:x@y`.
    MailboxForPath,
}

impl Settings {
    /// What clients may do differently.
    pub fn leniency(&self) -> Leniency {
        let has = |workaround| self.lmtp_client_workarounds.contains(&workaround);
        Leniency {
            whitespace_before_path: has(Workaround::WhitespaceBeforePath),
            mailbox_for_path: has(Workaround::MailboxForPath),
        }
    }

    /// Name of this host, fit for headers and replies.
    pub fn host(&self) -> String {
        let system = || {
            rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned()
        };
        let name = if self.hostname.is_empty() {
            system()
        } else {
            self.hostname.clone()
        };
        let plain: String = name
            .chars()
            .filter(|character| matches!(character, '!'..='~'))
            .collect();
        if plain.is_empty() {
            "localhost".to_owned()
        } else {
            plain
        }
    }
}
