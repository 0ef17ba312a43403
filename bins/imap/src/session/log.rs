//! Log lines of a session: Dovecot's prefix, and the fields of the journal.

use std::fmt;

use mailbox::{MailboxName, Uid};
use service::journal::id;

/// Whose session it is, for every line in the log.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The user, as auth knows it.
    pub user: &'a str,
    /// The session's name from its first packet on.
    pub session: &'a str,
}

impl Who<'_> {
    /// What failed in the store, as far as it is not the client's own mistake.
    pub fn mailbox_failed(&self, name: Option<&MailboxName>, error: &mailbox::Error) {
        use mailbox::Error::{Config, Corrupted, Input, Locked, Syscall};
        match error {
            Config(_) | Corrupted { .. } | Locked { .. } | Syscall { .. } => {
                self.error(name, None, error)
            }
            Input(error) => self.info(format_args!("Reading the client's message failed: {error}")),
            _ => {}
        }
    }

    /// A mail could not be read, though its store could open it.
    pub fn unreadable(&self, name: &MailboxName, uid: Option<Uid>, error: &std::io::Error) {
        self.error(Some(name), uid, &format_args!("read() failed: {error}"));
    }

    /// Something that only tells what a client did.
    pub fn info(&self, text: fmt::Arguments<'_>) {
        tracing::info!(
            culver_user = self.user,
            culver_session = self.session,
            "{self}{text}"
        );
    }

    fn error(&self, name: Option<&MailboxName>, uid: Option<Uid>, what: &dyn fmt::Display) {
        let mailbox = name.map(MailboxName::as_str);
        let place = Place { mailbox, uid };
        tracing::error!(
            message_id = id::STORAGE_FAILED,
            culver_user = self.user,
            culver_session = self.session,
            culver_mailbox = mailbox,
            "{self}Error: {place}{what}"
        );
    }
}

/// `imap(user)<pid><session>: `
impl fmt::Display for Who<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "imap({})<{}><{}>: ",
            self.user,
            std::process::id(),
            self.session
        )
    }
}

/// `Mailbox INBOX: UID=7: `
struct Place<'a> {
    mailbox: Option<&'a str>,
    uid: Option<Uid>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mailbox) = self.mailbox {
            write!(out, "Mailbox {}: ", mailbox.escape_debug())?;
        }
        match self.uid {
            Some(uid) => write!(out, "UID={uid}: "),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_dovecots() {
        let who = Who {
            user: "demo",
            session: "abc",
        };
        assert_eq!(
            who.to_string(),
            format!("imap(demo)<{}><abc>: ", std::process::id())
        );
        let place = Place {
            mailbox: Some("a\nb"),
            uid: Uid::new(7),
        };
        assert_eq!(place.to_string(), "Mailbox a\\nb: UID=7: ");
    }
}
