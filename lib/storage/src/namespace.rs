//! Namespaces: which part of a name says where the mailbox is. RFC 2342.

mod open;
mod resolve;

use std::sync::Arc;

use mailbox::{MailboxName, NamespaceKind, NewUidValidity};

use crate::list::List;
use crate::names::Names;
use crate::settings::{Auto, MailboxSettings, Visibility};

pub use resolve::Target;

/// All namespaces of one user.
pub struct Namespaces {
    /// Those that have mailboxes, in the order of NAMESPACE.
    pub all: Vec<Namespace>,
    /// Those of other users.
    pub others: Vec<Others>,
}

/// `type = shared`: each of many users has a namespace in here. It is announced; what is in it only the
/// access lists of its owners could say.
pub struct Others {
    /// What stands before the user's name.
    pub prefix: String,
    /// Hierarchy separator.
    pub separator: char,
    /// Not told in NAMESPACE.
    pub hidden: bool,
}

/// One namespace of one user.
pub struct Namespace {
    /// Every name in it begins with this; ends with the separator unless empty.
    pub prefix: String,
    /// Rules of its names.
    pub names: Names,
    /// Its directories.
    pub list: List,
    /// Told in LIST?
    pub visibility: Visibility,
    /// Not told in NAMESPACE.
    pub hidden: bool,
    /// Has subscriptions of its own.
    pub subscriptions: bool,
    /// Mailboxes that the configuration knows.
    pub known: Vec<MailboxSettings>,
    /// Of its list.
    pub uid_validities: Arc<dyn NewUidValidity>,
    /// Number of the namespace that has the same mailboxes, and their subscriptions.
    pub alias_for: Option<usize>,
    /// The user's own, or everybody's.
    pub kind: NamespaceKind,
    order: u32,
}

impl Namespace {
    /// What the user calls these levels.
    #[must_use]
    pub fn display(&self, levels: &[String]) -> Option<MailboxName> {
        if self.list.is_inbox(levels) {
            return MailboxName::new(MailboxName::INBOX).ok();
        }
        let name = self.names.display(levels)?;
        MailboxName::new(&format!("{}{name}", self.prefix)).ok()
    }

    /// What the configuration says about a mailbox.
    #[must_use]
    pub fn setting(&self, levels: &[String]) -> Option<&MailboxSettings> {
        let name = if self.list.is_inbox(levels) {
            MailboxName::INBOX.to_owned()
        } else {
            self.names.display(levels)?
        };
        let exact = self.known.iter().find(|known| known.name == name);
        exact.or_else(|| {
            let mut patterns = self.known.iter().filter(|known| known.is_pattern());
            patterns.find(|known| config::wildcard_matches(known.name.as_bytes(), name.as_bytes()))
        })
    }

    /// Mailboxes that the configuration makes when they are first used.
    pub fn automatic(&self) -> impl Iterator<Item = &MailboxSettings> {
        let named = self.known.iter().filter(|known| !known.is_pattern());
        named.filter(|known| known.auto != Auto::No)
    }

    /// Does the configuration make this mailbox when it is first used?
    #[must_use]
    pub fn auto(&self, levels: &[String]) -> Auto {
        self.setting(levels)
            .filter(|setting| !setting.is_pattern())
            .map_or(Auto::No, |setting| setting.auto)
    }
}
