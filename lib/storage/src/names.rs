//! Mailbox names of one namespace: what the user says ↔ levels on disk.

use imap_proto::mutf7;
use mailbox::Error;

use crate::location::{Encoding, Layout};

/// The longest level on disk, bytes: what a file system takes.
const MAX_LEVEL: usize = 255;

/// Deepest hierarchy.
const MAX_LEVELS: usize = 32;

/// Rules of one namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// How names become directories.
    pub layout: Layout,
    /// How names are written on disk.
    pub encoding: Encoding,
    /// Between levels, as the user sees them.
    pub separator: char,
}

impl Names {
    /// Levels in storage encoding of a name without its namespace's prefix.
    ///
    /// # Errors
    /// [`Error::InvalidName`]: no mailbox can be called that.
    pub fn levels(&self, name: &str) -> Result<Vec<String>, Error> {
        if name.starts_with('~') {
            return Err(Error::InvalidName {
                why: "Invalid mailbox name: Begins with '~'",
            });
        }
        let levels: Vec<String> = name.split(self.separator).map(|l| self.encode(l)).collect();
        let invalid = |why| Err(Error::InvalidName { why });
        if levels.iter().any(String::is_empty) {
            return invalid("Invalid mailbox name: it has an empty level");
        }
        if levels.len() > MAX_LEVELS {
            return invalid("Mailbox name has too many levels");
        }
        if let Some(why) = levels.iter().find_map(|level| self.fault(level)) {
            return invalid(why);
        }
        let one_directory = levels.iter().map(|level| level.len() + 1).sum::<usize>();
        if self.layout == Layout::MaildirPlusPlus && one_directory > MAX_LEVEL {
            return invalid("Mailbox name too long");
        }
        Ok(levels)
    }

    /// The name, without prefix, of levels on disk; `None` where no name leads there.
    #[must_use]
    pub fn display(&self, levels: &[String]) -> Option<String> {
        let decoded: Option<Vec<String>> = levels.iter().map(|level| self.decode(level)).collect();
        let name = decoded?.join(&self.separator.to_string());
        (self.levels(&name).ok()? == levels).then_some(name)
    }

    /// UTF-8 levels, for what is hashed.
    #[must_use]
    pub fn plain(&self, levels: &[String]) -> Vec<String> {
        levels
            .iter()
            .map(|level| self.decode(level).unwrap_or_else(|| level.clone()))
            .collect()
    }

    fn encode(&self, level: &str) -> String {
        match self.encoding {
            Encoding::Mutf7 => mutf7::encode(level),
            Encoding::Utf8 => level.to_owned(),
        }
    }

    fn decode(&self, level: &str) -> Option<String> {
        match self.encoding {
            Encoding::Mutf7 => mutf7::decode(level.as_bytes()),
            Encoding::Utf8 => Some(level.to_owned()),
        }
    }

    fn fault(&self, level: &str) -> Option<&'static str> {
        if level.len() > MAX_LEVEL {
            return Some("Mailbox name too long");
        }
        if level.contains(['/', '\0']) {
            return Some("Character not allowed in mailbox name: '/'");
        }
        match self.layout {
            Layout::MaildirPlusPlus => level
                .contains('.')
                .then_some("Character not allowed in mailbox name: '.'"),
            Layout::Fs => (level.starts_with('.') || RESERVED.contains(&level))
                .then_some("Invalid mailbox name"),
        }
    }
}

/// Files and directories that stand where mailboxes would.
const RESERVED: [&str; 26] = [
    "cur",
    "dovecot-acl",
    "dovecot-acl-list",
    "dovecot-keywords",
    "dovecot-keywords.lock",
    "dovecot-shared",
    "dovecot-uidlist",
    "dovecot-uidlist.lock",
    "dovecot-uidlist.tmp",
    "dovecot-uidvalidity",
    "dovecot.index",
    "dovecot.index.cache",
    "dovecot.index.log",
    "dovecot.index.log.2",
    "dovecot.list.index",
    "dovecot.list.index.log",
    "dovecot.list.index.log.2",
    "dovecot.mailbox.log",
    "dovecot.mailbox.log.2",
    "mailboxes.lock",
    "maildirfolder",
    "maildirsize",
    "new",
    "subscriptions",
    "subscriptions.lock",
    "tmp",
];

#[cfg(test)]
mod tests {
    use super::*;

    const PLUS: Names = Names {
        layout: Layout::MaildirPlusPlus,
        encoding: Encoding::Mutf7,
        separator: '/',
    };
    const FS: Names = Names {
        layout: Layout::Fs,
        encoding: Encoding::Mutf7,
        separator: '/',
    };

    #[test]
    fn names_go_both_ways() {
        for name in [
            "a",
            "Sub/Deep/Leaf",
            "Entwürfe",
            "Archive & Co",
            "with space",
            "INBOX/x",
        ] {
            for names in [
                PLUS,
                FS,
                Names {
                    encoding: Encoding::Utf8,
                    ..FS
                },
            ] {
                assert_eq!(
                    names.display(&names.levels(name).unwrap()).as_deref(),
                    Some(name)
                );
            }
        }
        assert!(FS.levels("dot.ted/x.y").is_ok() && FS.levels("lists/dovecot.org").is_ok());
        assert!(PLUS.levels("x/~y").is_ok());
    }

    #[test]
    fn what_leads_elsewhere_is_no_name() {
        for bad in [
            "", "/", "/etc", "a//b", "a/", "..", "a/../b", ".", "~x", "a/.b",
        ] {
            assert!(PLUS.levels(bad).is_err(), "{bad}");
            assert!(FS.levels(bad).is_err(), "{bad}");
        }
        for bad in [
            "cur",
            "a/new",
            "dovecot-uidlist",
            "a/dovecot.index.log",
            "subscriptions",
        ] {
            assert!(FS.levels(bad).is_err(), "{bad}");
        }
        assert!(PLUS.levels("a.b").is_err() && PLUS.levels(&"ä".repeat(100)).is_err());
        let dots = Names {
            separator: '.',
            ..PLUS
        };
        assert!(dots.levels("a/b").is_err() && dots.levels("a.b").is_ok());
    }
}
