//! Mailbox names between the wire and the store. RFC 3501 §5.1.

use imap_proto::{mutf7, write};
use mailbox::MailboxName;

use super::{Failure, Reply, Session};

impl Session<'_> {
    /// The mailbox that a client means.
    pub fn mailbox_name(&self, wire: &[u8]) -> Result<MailboxName, Failure> {
        let name = decode(wire)?;
        // Some clients name a mailbox with a separator behind it, as they would in CREATE.
        let separator = self.separator();
        let name = match name.strip_suffix(separator) {
            Some(name) if self.settings.works_around("tb-extra-mailbox-sep") => name,
            _ => &name,
        };
        checked(name)
    }

    /// The mailbox that CREATE means: a separator at the end only announces children. RFC 3501 §6.3.3.
    pub fn new_mailbox_name(&self, wire: &[u8]) -> Result<MailboxName, Failure> {
        let name = decode(wire)?;
        checked(name.strip_suffix(self.separator()).unwrap_or(&name))
    }

    /// Hierarchy separator of the first namespace.
    pub fn separator(&self) -> char {
        self.store
            .namespaces()
            .first()
            .map_or('/', |namespace| namespace.separator)
    }
}

/// Appends a name as clients read it.
pub fn write(out: &mut Vec<u8>, name: &str) {
    write::astring(out, mutf7::encode(name).as_bytes());
}

/// A pattern of LIST in UTF-8; `None`: no mailbox can match it.
pub fn pattern(reference: &[u8], pattern: &[u8]) -> Option<String> {
    let absolute = matches!(pattern.first(), Some(b'/' | b'~'));
    let whole = if absolute {
        pattern.to_vec()
    } else {
        [reference, pattern].concat()
    };
    mutf7::decode(&whole)
}

fn decode(wire: &[u8]) -> Result<String, Failure> {
    mutf7::decode(wire).ok_or_else(|| Reply::no("Mailbox name is not valid mUTF-7.").into())
}

fn checked(name: &str) -> Result<MailboxName, Failure> {
    let invalid = |why: &str| {
        Failure::cannot(format!(
            "Invalid mailbox name: {}.",
            why.trim_end_matches('.')
        ))
    };
    if name.is_empty() {
        return Err(invalid("Name is empty"));
    }
    MailboxName::new(name).map_err(invalid)
}
