//! What services write to the journal: structured fields beside a line in Dovecot's wording.
//!
//! The fields are given as tracing fields in lower case: `message_id` (one of [`id`]), `culver_user`,
//! `culver_session`, `culver_mailbox`, `culver_remote_ip`; journald shows them in capitals. Every
//! record has `CULVER_SERVICE`. Without a journal (tests, a shell) lines go to stderr with a
//! `<N>` priority, see sd-daemon(3).

mod native;

use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use self::native::Journal;

/// Names of events; the catalog (units/culver.catalog) tells cause and cure of each.
pub mod id {
    /// A client logged in.
    pub const LOGIN: &str = "0ab5af59ec55f626681e5c3724264129";
    /// A client left, or was sent away, before it had logged in.
    pub const LOGIN_ABORTED: &str = "4fae86e4b49bc15ed6b837f1744b8a5b";
    /// `mail_max_userip_connections` is reached.
    pub const TOO_MANY_CONNECTIONS: &str = "0e6496e90df80adfd119b493e3c34688";
    /// A password or user name was wrong.
    pub const AUTH_FAILED: &str = "ad8f444b5cea22d845bbbc362ea10dbd";
    /// A passdb or userdb does not answer.
    pub const AUTH_UNAVAILABLE: &str = "38decdc77d961d611e517cba4eb6ab70";
    /// A passdb or userdb block makes no sense.
    pub const AUTH_MISCONFIGURED: &str = "1224c4fd765784aee388019e67cf22e8";
    /// A token was made up, used twice, expired, or belongs to another connection.
    pub const HANDOFF_REFUSED: &str = "aeaa5614b2604557147a6d4c11dfcca2";
    /// What imap-hibernate gave back is not what it was given.
    pub const UNPARK_REFUSED: &str = "2c8e1f6a9b7d4e53a0c45d1f83b26e97";
    /// A process that may not do so connected to one of our sockets, or broke its protocol.
    pub const PEER_REFUSED: &str = "145ec9a0405b44e8b746b206051c3652";
    /// The uid, gid, home or chroot of a user is not allowed or missing.
    pub const USER_REFUSED: &str = "4546de7ffac1b3e5957e470fae72544d";
    /// A worker ended in a way it should not; its user's sessions are gone.
    pub const WORKER_CRASHED: &str = "6e335dd4e5a2a2dfb23e874a6f30df27";
    /// A worker could not become its user or open the user's mail.
    pub const WORKER_FAILED: &str = "16e4bf8c0074ad01608efc3046c3f86b";
    /// A session ended.
    pub const SESSION_ENDED: &str = "46b930e0f5d78a17d7e68cb21b648d3c";
    /// A session was ended by an error of ours.
    pub const SESSION_FAILED: &str = "811c40b034f1670b16276fee8bdd7db8";
    /// An administrator ended a session.
    pub const KICKED: &str = "5e7b799070e72f160d1b09162743733c";
    /// A message was saved.
    pub const DELIVERED: &str = "f2c45bdd9d0c764e16b4619f74df8b6e";
    /// A message was not saved; the sender keeps it.
    pub const DELIVERY_FAILED: &str = "465838094beb41352cc01dc5bf5fc93b";
    /// Mail on disk could not be read or written.
    pub const STORAGE_FAILED: &str = "7008adf22a16ad38bbd48972750ffe9f";
    /// The configuration has errors.
    pub const CONFIG_BROKEN: &str = "a91f046973b2cf49c4464ad4095bea11";
    /// A service is ready.
    pub const SERVICE_STARTED: &str = "f1408df3377f870f2e64de0bccbc1eb3";
    /// A service could not start or had to end.
    pub const SERVICE_FAILED: &str = "f346896361d04b8257fa1c2995d49a06";
    /// A service uses the new configuration.
    pub const RELOADED: &str = "71cc7225bd422065680a3a4838e501eb";
    /// A service could not load the new configuration and keeps the old one.
    pub const RELOAD_FAILED: &str = "bb52cadfd78fd6e59021a1531a506e48";
    /// A TLS handshake failed.
    pub const TLS_FAILED: &str = "580cacfafb820846cb71f50fbb76429c";
    /// The certificate or key cannot be used.
    pub const TLS_MISCONFIGURED: &str = "6cbfa9f219565b6b430bf800e4b2a72e";
    /// A limit of connections or processes is reached.
    pub const LIMIT_REACHED: &str = "3f57cef8280c246edb34dbe88c750f8b";
}

/// Sends all records of this process to the journal from now on. Call once, first of all.
pub fn open(service: &'static str) {
    // A second call in one process (tests) keeps the first subscriber: nothing to report.
    let _ = match Journal::connect(service) {
        Ok(journal) => tracing::subscriber::set_global_default(Records(journal)),
        Err(_) => tracing::subscriber::set_global_default(Records(Stderr)),
    };
}

/// Where records go.
trait Sink: Send + Sync + 'static {
    fn write(&self, event: &Event<'_>);
}

/// Events of INFO and above are records. There are no spans: fields name the session.
struct Records<S>(S);

impl<S: Sink> Subscriber for Records<S> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        self.0.write(event);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // Never enabled.
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Shows text from outside with its control characters escaped, so that one event is one line.
#[derive(Debug, Clone, Copy)]
pub struct Clean<'a>(pub &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Lines on stderr, for where there is no journal.
struct Stderr;

impl Sink for Stderr {
    fn write(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let priority = priority(*event.metadata().level());
        // One write: lines of several processes must not run into each other.
        let line = format!("<{priority}>culver: {}\n", Clean(&text.0));
        // Nowhere is left to report that stderr cannot be written.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_forges_a_line() {
        let shown = Clean("eve\r\nNov 23 auth: ok\u{1b}[0m\u{202e}").to_string();
        assert_eq!(shown, "eve\\r\\nNov 23 auth: ok\\u{1b}[0m\\u{202e}");
    }
}
