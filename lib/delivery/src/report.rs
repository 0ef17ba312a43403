//! What became of a message.

use std::io;

use mailbox::{Error, MailboxName};

use crate::{Message, Settings};

/// Everything that one delivery tried.
#[derive(Debug, Default)]
pub struct Report {
    /// In order.
    pub attempts: Vec<Attempt>,
    /// What went wrong without hindering the delivery, for the log.
    pub warnings: Vec<String>,
}

/// One attempt to save.
#[derive(Debug)]
pub struct Attempt {
    /// Where.
    pub mailbox: MailboxName,
    /// Whether a copy is on disk there.
    pub result: Result<(), Error>,
}

/// Why no copy is on disk, as far as the sender needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The disk is full.
    DiskFull,
    /// The user may not have more.
    OverQuota,
    /// Anything else; the log has it.
    Internal,
}

impl Report {
    /// Whether the message was delivered: one copy is enough, as a second delivery would double it.
    ///
    /// # Errors
    /// Why not; the last attempt decides, it was the last resort.
    pub fn result(&self) -> Result<(), Failure> {
        if self.attempts.iter().any(|attempt| attempt.result.is_ok()) {
            return Ok(());
        }
        Err(self
            .attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.result.as_ref().err())
            .map_or(Failure::Internal, blame))
    }

    /// One line per attempt in the form of `deliver_log_format`.
    ///
    /// Variables: `%$` what happened, `%m` `%{msgid}`, `%s` `%{subject}`, `%f` `%{from}`, `%e`
    /// `%{from_envelope}`, `%p` `%{size}`, `%%`. What comes from the message has its control characters replaced.
    #[must_use]
    pub fn log_lines(&self, message: &Message, sender: &str, settings: &Settings) -> Vec<String> {
        let line = |attempt: &Attempt| {
            expand(
                &settings.deliver_log_format,
                &attempt.text(),
                message,
                sender,
            )
        };
        self.attempts.iter().map(line).collect()
    }
}

impl Attempt {
    /// Dovecot's words for it.
    fn text(&self) -> String {
        let mailbox = printable(self.mailbox.as_str().as_bytes(), 80);
        match &self.result {
            Ok(()) => format!("saved mail to {mailbox}"),
            Err(Error::NotFound { .. }) => {
                format!("save failed to open mailbox {mailbox}: Mailbox doesn't exist: {mailbox}")
            }
            Err(error) => format!(
                "save failed to {mailbox}: {}",
                printable(error.to_string().as_bytes(), 1000)
            ),
        }
    }
}

fn blame(error: &Error) -> Failure {
    match error {
        Error::Syscall { source, .. } => match source.kind() {
            io::ErrorKind::StorageFull => Failure::DiskFull,
            io::ErrorKind::QuotaExceeded => Failure::OverQuota,
            _ => Failure::Internal,
        },
        _ => Failure::Internal,
    }
}

fn expand(format: &str, text: &str, message: &Message, sender: &str) -> String {
    let mut line = String::new();
    let mut rest = format;
    while let Some((literal, tail)) = rest.split_once('%') {
        line.push_str(literal);
        let (variable, tail) = variable(tail);
        line.push_str(&value(variable, text, message, sender));
        rest = tail;
    }
    line.push_str(rest);
    line
}

/// The name after `%`, and what follows it.
fn variable(text: &str) -> (&str, &str) {
    if let Some((name, tail)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (name, tail);
    }
    let length = text.chars().next().map_or(0, char::len_utf8);
    text.split_at(length)
}

fn value(variable: &str, text: &str, message: &Message, sender: &str) -> String {
    let field = |name: &str, limit| message.field(name).map(|value| printable(&value, limit));
    match variable {
        "$" => text.to_owned(),
        "m" | "msgid" => field("Message-ID", 200).unwrap_or_else(|| "unspecified".to_owned()),
        "s" | "subject" => field("Subject", 80).unwrap_or_default(),
        "f" | "from" => field("From", 80).unwrap_or_default(),
        "e" | "from_envelope" => printable(sender.as_bytes(), 80),
        "p" | "size" => message.size().to_string(),
        "%" => "%".to_owned(),
        _ => String::new(),
    }
}

/// At most `limit` characters, those that could forge a log line replaced by `?`.
fn printable(text: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let mut short: String = text
        .chars()
        .take(limit)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if text.chars().nth(limit).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::message;

    fn attempt(name: &str, result: Result<(), Error>) -> Attempt {
        Attempt {
            mailbox: MailboxName::new(name).unwrap(),
            result,
        }
    }

    fn syscall(kind: io::ErrorKind) -> Error {
        Error::Syscall {
            call: "write",
            path: "/x".into(),
            source: kind.into(),
        }
    }

    #[test]
    fn lines_as_dovecot_writes_them() {
        let report = Report {
            attempts: vec![
                attempt("work", Err(Error::InvalidName { why: "no" })),
                attempt("INBOX", Ok(())),
            ],
            warnings: Vec::new(),
        };
        let lines = report.log_lines(
            &message("", b"Message-Id: <1\x07@x>\n\n"),
            "",
            &Settings::default(),
        );
        assert_eq!(
            lines,
            [
                "msgid=<1?@x>: save failed to work: no",
                "msgid=<1?@x>: saved mail to INBOX"
            ]
        );
        assert_eq!(report.result(), Ok(()));
    }

    #[test]
    fn other_formats() {
        let report = Report {
            attempts: vec![attempt("INBOX", Ok(()))],
            warnings: Vec::new(),
        };
        let format = |format: &str| {
            let settings = Settings {
                deliver_log_format: format.to_owned(),
                ..Settings::default()
            };
            let message = message("", b"Subject: S\r\nFrom: f@x\r\n\r\n");
            report.log_lines(&message, "e@x", &settings).concat()
        };
        assert_eq!(
            format("%{msgid} %s %f %e %p %%: %$"),
            "unspecified S f@x e@x 25 %: saved mail to INBOX"
        );
        assert_eq!(format("100%"), "100");
        assert_eq!(format("%{x"), "x");
        assert_eq!(format("%ä"), "");
    }

    #[test]
    fn the_last_attempt_decides_what_the_sender_hears() {
        let failed = |kinds: &[io::ErrorKind]| {
            let attempts = kinds
                .iter()
                .map(|kind| attempt("INBOX", Err(syscall(*kind))))
                .collect();
            Report {
                attempts,
                warnings: Vec::new(),
            }
            .result()
        };
        assert_eq!(
            failed(&[io::ErrorKind::StorageFull]),
            Err(Failure::DiskFull)
        );
        assert_eq!(
            failed(&[io::ErrorKind::Other, io::ErrorKind::QuotaExceeded]),
            Err(Failure::OverQuota)
        );
        assert_eq!(
            failed(&[io::ErrorKind::PermissionDenied]),
            Err(Failure::Internal)
        );
        assert_eq!(failed(&[]), Err(Failure::Internal));
    }
}
