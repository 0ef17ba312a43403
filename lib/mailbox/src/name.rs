//! Names of mailboxes.

use std::fmt;

/// A mailbox as the user names it: UTF-8, with its namespace's prefix and separator. INBOX is
/// always upper case. 1 to 1,000 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(String);

impl MailboxName {
    /// The name of every user's first mailbox.
    pub const INBOX: &'static str = "INBOX";

    /// Checks a name; any spelling of INBOX becomes `INBOX`.
    ///
    /// # Errors
    /// The rule that the name breaks, for the client.
    pub fn new(name: &str) -> Result<Self, &'static str> {
        if name.is_empty() {
            return Err("Mailbox name must not be empty");
        }
        if name.len() > 1000 {
            return Err("Mailbox name too long");
        }
        if name.chars().any(char::is_control) {
            return Err("Mailbox name must not have control characters");
        }
        if name.eq_ignore_ascii_case(Self::INBOX) {
            return Ok(Self(Self::INBOX.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name in UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is it INBOX?
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0 == Self::INBOX
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
