//! What an administrator may decide about IMAP sessions, by the names in the configuration.

use std::time::Duration;

use config::{Seconds, Size};
use serde::Deserialize;

/// Settings of the `imap` service that sessions read.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Empty: what we can. `+X Y`: that and X and Y. Else: exactly this.
    pub imap_capability: String,
    /// What broken clients need.
    pub imap_client_workarounds: Vec<String>,
    /// What becomes of a FETCH that cannot read a mail.
    pub imap_fetch_failure: FetchFailure,
    /// How long a session idles before it is parked; 0: for ever.
    pub imap_hibernate_timeout: Seconds,
    /// Which fields of the client's ID are logged; `*`: all.
    pub imap_id_log: String,
    /// What our ID says: names and values in turns; `*` as a value: what we know ourselves.
    pub imap_id_send: String,
    /// `* OK Still here` in IDLE so often; 0: never.
    pub imap_idle_notify_interval: Seconds,
    /// LITERAL- instead of LITERAL+: no non-synchronising literals above 4 KiB. RFC 7888.
    pub imap_literal_minus: bool,
    /// The end of the last log line.
    pub imap_logout_format: String,
    /// Longest command without its literals, bytes.
    pub imap_max_line_length: Size,
    /// Longest keyword, bytes.
    pub mail_max_keyword_length: u32,
    /// In IDLE a mailbox that cannot tell of changes is looked at so often; 0: never.
    pub mailbox_idle_check_interval: Seconds,
}

/// What becomes of a FETCH that cannot read a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FetchFailure {
    /// The client is disconnected at once.
    DisconnectImmediately,
    /// The rest is fetched, then the client is disconnected.
    DisconnectAfter,
    /// The rest is fetched, then the answer is NO.
    NoAfter,
}

impl Settings {
    /// Is this word among `imap_client_workarounds`?
    pub fn works_around(&self, word: &str) -> bool {
        self.imap_client_workarounds.iter().any(|name| name == word)
    }

    /// How long IDLE stays in its thread; `None`: to its end.
    pub fn hibernate_timeout(&self) -> Option<Duration> {
        Some(self.imap_hibernate_timeout.duration()).filter(|timeout| !timeout.is_zero())
    }

    /// How often IDLE speaks; `None`: never.
    pub fn notify_interval(&self) -> Option<Duration> {
        Some(self.imap_idle_notify_interval.duration()).filter(|interval| !interval.is_zero())
    }
}

/// Dovecot's defaults; in service the configuration's table has them.
#[cfg(test)]
impl Default for Settings {
    fn default() -> Self {
        Self {
            imap_capability: String::new(),
            imap_client_workarounds: Vec::new(),
            imap_fetch_failure: FetchFailure::DisconnectImmediately,
            imap_hibernate_timeout: Seconds(0),
            imap_id_log: String::new(),
            imap_id_send: "name *".to_owned(),
            imap_idle_notify_interval: Seconds(120),
            imap_literal_minus: false,
            imap_logout_format:
                "in=%i out=%o deleted=%{deleted} expunged=%{expunged} trashed=%{trashed} \
                hdr_count=%{fetch_hdr_count} hdr_bytes=%{fetch_hdr_bytes} \
                body_count=%{fetch_body_count} body_bytes=%{fetch_body_bytes}"
                    .to_owned(),
            imap_max_line_length: Size(64 << 10),
            mail_max_keyword_length: 50,
            mailbox_idle_check_interval: Seconds(30),
        }
    }
}
