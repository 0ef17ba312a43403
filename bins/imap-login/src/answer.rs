//! Answers to one command.

use imap_proto::Tag;
use ipc::handoff::Refusal;
use ipc::login_auth::Failure;

/// What a command comes to.
pub enum Answer {
    /// Send this line (with its tag and line end) and go on.
    Line(String),
    /// As `Line`, but the command was wrong: too many of these end the connection.
    Bad(String),
    /// Send this line and begin TLS.
    StartTls(String),
    /// A manager has the client.
    HandedOver {
        /// Process id of the worker, if it is known.
        worker_pid: Option<u32>,
    },
    /// Send this and close; the reason in Dovecot's words.
    Close(String, &'static str),
}

/// `tag OK text`
pub fn ok(tag: &Tag, text: &str) -> Answer {
    Answer::Line(format!("{tag} OK {text}\r\n"))
}

/// `tag NO text`
pub fn no(tag: &Tag, text: &str) -> Answer {
    Answer::Line(format!("{tag} NO {text}\r\n"))
}

/// `tag BAD text`
pub fn bad(tag: &Tag, text: &str) -> Answer {
    Answer::Bad(format!("{tag} BAD {text}\r\n"))
}

/// A client that auth does not let in. Codes: RFC 5530 §3.
pub fn failure(tag: &Tag, reason: Failure) -> Answer {
    match reason {
        Failure::Credentials | Failure::Disabled => {
            no(tag, "[AUTHENTICATIONFAILED] Authentication failed.")
        }
        Failure::Expired => no(tag, "[EXPIRED] Password expired."),
        Failure::Unavailable => no(tag, "[UNAVAILABLE] Temporary authentication failure."),
        Failure::Busy => no(
            tag,
            "[UNAVAILABLE] Too many authentications at once, try again later.",
        ),
        Failure::UnknownMech => no(tag, "Unsupported authentication mechanism."),
        Failure::Malformed => bad(tag, "Invalid SASL response."),
    }
}

/// A client that no manager takes.
pub fn refusal(tag: &Tag, why: Refusal) -> Answer {
    let text = match why {
        Refusal::TooManyConnections => {
            "[LIMIT] Maximum number of connections from user+IP exceeded \
             (mail_max_userip_connections)"
        }
        Refusal::BadToken | Refusal::Misconfigured | Refusal::Unavailable => {
            "[UNAVAILABLE] Internal error occurred. Refer to server log for more information."
        }
    };
    no(tag, text)
}
