//! Settings of delivery, by their names in the configuration.

use serde::Deserialize;

/// What an administrator may decide about deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Make a mailbox that does not exist yet.
    pub lda_mailbox_autocreate: bool,
    /// Subscribe to a mailbox that was made by a delivery.
    pub lda_mailbox_autosubscribe: bool,
    /// Deliver `user+detail` into the mailbox `detail`.
    pub lmtp_save_to_detail_mailbox: bool,
    /// One line per attempt; variables: see [`crate::Report::log_lines`].
    pub deliver_log_format: String,
}

/// As in Dovecot 2.3.
impl Default for Settings {
    fn default() -> Self {
        Self {
            lda_mailbox_autocreate: false,
            lda_mailbox_autosubscribe: false,
            lmtp_save_to_detail_mailbox: false,
            deliver_log_format: "msgid=%m: %$".to_owned(),
        }
    }
}
