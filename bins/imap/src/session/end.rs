//! Why a session ended, and what it did: the last line in the log.

use std::fmt;
use std::io;

use broker::StopReason;

use serde::{Deserialize, Serialize};

use super::{Parked, Settings};

/// Why a session ended.
#[derive(Debug)]
pub enum EndReason {
    /// LOGOUT.
    LoggedOut,
    /// The client hung up.
    Closed,
    /// Reading from or writing to the client failed.
    Connection(io::Error),
    /// No command for half an hour.
    Inactive,
    /// The client does not read what it asked for.
    WriteTimeout,
    /// Too many bad commands in a row.
    TooManyErrors,
    /// Bytes follow and nobody can tell whether they are a command.
    Desynchronised,
    /// An administrator or the end of the service.
    Stopped(StopReason),
    /// The selected mailbox is gone.
    MailboxDeleted,
    /// The mailbox of a session that was parked cannot be opened again.
    MailboxLost,
    /// It does not: it goes on, outside of its thread.
    Parked(Box<Parked>),
    /// A mail could not be read, and `imap_fetch_failure` says that this is the end.
    FetchFailed,
    /// A mail could not be read to the length that the client was told: nothing sensible can follow.
    Unreadable(io::Error),
}

impl EndReason {
    /// What the client hears in BYE; `None` where it has gone, or stands in the middle of a literal.
    pub fn farewell(&self) -> Option<&'static str> {
        match self {
            Self::LoggedOut
            | Self::Closed
            | Self::Connection(_)
            | Self::WriteTimeout
            | Self::FetchFailed
            | Self::Unreadable(_)
            | Self::Parked(_) => None,
            Self::Inactive => Some("Disconnected for inactivity."),
            Self::TooManyErrors => Some("Too many invalid IMAP commands."),
            Self::Desynchronised => Some("Invalid literal."),
            Self::Stopped(StopReason::Kicked) => Some("Disconnected by administrator."),
            Self::Stopped(StopReason::Drain) => Some("Server shutting down."),
            Self::MailboxDeleted => Some("Selected mailbox was deleted, have to disconnect."),
            Self::MailboxLost => Some("Selected mailbox can't be opened, have to disconnect."),
        }
    }
}

/// In Dovecot's words.
impl fmt::Display for EndReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedOut => out.write_str("Logged out"),
            Self::Closed => out.write_str("Connection closed"),
            Self::Connection(error) => write!(out, "Connection closed: {error}"),
            Self::Inactive => out.write_str("Inactivity"),
            Self::WriteTimeout => out.write_str("Inactivity - client does not read"),
            Self::TooManyErrors => out.write_str("Too many invalid IMAP commands."),
            Self::Desynchronised => out.write_str("Invalid literal"),
            Self::Stopped(StopReason::Kicked) => out.write_str("Kicked by administrator"),
            Self::Stopped(StopReason::Drain) => out.write_str("Server shutting down."),
            Self::MailboxDeleted => out.write_str("Selected mailbox was deleted"),
            Self::MailboxLost => out.write_str("Selected mailbox could not be opened again"),
            Self::Parked(_) => out.write_str("Hibernated"),
            Self::FetchFailed => out.write_str("FETCH failed"),
            Self::Unreadable(error) => write!(out, "FETCH failed: {error}"),
        }
    }
}

/// What a session did, for `imap_logout_format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Bytes from the client.
    pub input: u64,
    /// Bytes to the client.
    pub output: u64,
    /// Mails that were given `\Deleted`.
    pub deleted: u64,
    /// Mails removed.
    pub expunged: u64,
    /// Mails copied or moved to the mailbox for trash.
    pub trashed: u64,
    /// Headers sent, whole or in part.
    pub headers: u64,
    /// Their bytes.
    pub header_bytes: u64,
    /// Bodies sent, whole or in part.
    pub bodies: u64,
    /// Their bytes.
    pub body_bytes: u64,
    /// Mails appended.
    pub appended: u64,
    /// Mails that were too old, or too many, after its end.
    pub autoexpunged: u64,
}

/// A session that is over.
#[derive(Debug)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// What it did.
    pub counters: Counters,
    /// `imap_logout_format`.
    format: String,
}

impl Ended {
    pub(super) fn new(reason: EndReason, counters: Counters, settings: &Settings) -> Self {
        Self {
            reason,
            counters,
            format: settings.imap_logout_format.clone(),
        }
    }
}

/// `Disconnected: Logged out in=… out=…`
impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.counters.summary(&self.format);
        write!(out, "Disconnected: {} {summary}", self.reason)
    }
}

impl Counters {
    /// As `imap_logout_format` has it. One that cannot be expanded must not cost the administrator the whole line.
    pub fn summary(&self, format: &str) -> String {
        let expand = |format: &str| config::expand::expand(format, &|name| self.variable(name));
        expand(format)
            .or_else(|_| expand("in=%i out=%o"))
            .unwrap_or_default()
    }

    /// The variables of `imap_logout_format`.
    fn variable(&self, name: &str) -> Option<String> {
        let value = match name {
            "i" | "input" => self.input,
            "o" | "output" => self.output,
            "deleted" => self.deleted,
            "expunged" => self.expunged,
            "trashed" => self.trashed,
            "fetch_hdr_count" => self.headers,
            "fetch_hdr_bytes" => self.header_bytes,
            "fetch_body_count" => self.bodies,
            "fetch_body_bytes" => self.body_bytes,
            "appended" => self.appended,
            "autoexpunged" => self.autoexpunged,
            _ => return None,
        };
        Some(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_line_is_dovecots() {
        let counters = Counters {
            input: 48,
            output: 1501,
            ..Counters::default()
        };
        let ended = Ended::new(EndReason::LoggedOut, counters, &Settings::default());
        assert_eq!(
            ended.to_string(),
            "Disconnected: Logged out in=48 out=1501 deleted=0 expunged=0 trashed=0 \
             hdr_count=0 hdr_bytes=0 body_count=0 body_bytes=0"
        );
    }

    #[test]
    fn a_broken_format_still_says_something() {
        let settings = Settings {
            imap_logout_format: "%{nonsense}".to_owned(),
            ..Settings::default()
        };
        let ended = Ended::new(EndReason::Closed, Counters::default(), &settings);
        assert_eq!(
            ended.to_string(),
            "Disconnected: Connection closed in=0 out=0"
        );
    }
}
