//! Mailbox names of one namespace: what the user says ↔ levels on disk.

use imap_proto::mutf7;
use mailbox::Error;

use crate::location::{Encoding, Format, IMAP_DIR, Layout, Location};

/// The longest level on disk, bytes: what a file system takes.
const MAX_LEVEL: usize = 255;

/// Deepest hierarchy.
const MAX_LEVELS: usize = 32;

/// Names that stand where the format has something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    format: Format,
    mail_dir: String,
}

impl Reserved {
    /// Of one location.
    #[must_use]
    pub fn of(location: &Location) -> Self {
        Self {
            format: location.format,
            mail_dir: location.mail_dir.clone(),
        }
    }

    fn contains(&self, level: &str) -> bool {
        if !self.mail_dir.is_empty() && level == self.mail_dir {
            return true;
        }
        match self.format {
            Format::Mbox => {
                level == IMAP_DIR || level.ends_with(".lock") || level == ".subscriptions"
            }
            Format::Maildir => FILES.contains(&level),
            Format::Sdbox | Format::Mdbox => false,
        }
    }
}

/// Rules of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// How names become directories.
    pub layout: Layout,
    /// How names are written on disk.
    pub encoding: Encoding,
    /// Between levels, as the user sees them.
    pub separator: char,
    /// Where levels are directories: those that cannot be.
    pub reserved: Reserved,
}

impl Names {
    /// Levels in storage encoding of a name without its namespace's prefix.
    ///
    /// # Errors
    /// [`Error::InvalidName`], in the words of Dovecot: no mailbox can be called that.
    pub fn levels(&self, name: &str) -> Result<Vec<String>, Error> {
        let invalid = |why| Err(Error::InvalidName { why });
        if name.starts_with('~') {
            return invalid("Invalid mailbox name: Begins with '~'");
        }
        if name.starts_with(self.separator) {
            return invalid("Invalid mailbox name: Begins with hierarchy separator");
        }
        let levels: Vec<String> = name.split(self.separator).map(|l| self.encode(l)).collect();
        if levels.last().is_some_and(String::is_empty) {
            return invalid("Invalid mailbox name: Ends with hierarchy separator");
        }
        if levels.iter().any(String::is_empty) {
            return invalid("Invalid mailbox name: Has adjacent hierarchy separators");
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
        if self.layout == Layout::MaildirPlusPlus {
            let has_dot = level.contains('.');
            return has_dot.then_some("Character not allowed in mailbox name: '.'");
        }
        match level {
            "." => Some("Invalid mailbox name: Contains '.' part"),
            // The trash among them.
            _ if level.starts_with("..") => Some("Invalid mailbox name: Contains '..' part"),
            _ if self.reserved.contains(level) => {
                Some("Invalid mailbox name: Contains reserved name")
            }
            _ => None,
        }
    }
}

/// Files and directories of Maildir that stand where mailboxes would.
const FILES: [&str; 26] = [
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

    fn names(format: Format, layout: Layout, mail_dir: &str) -> Names {
        Names {
            layout,
            encoding: Encoding::Mutf7,
            separator: '/',
            reserved: Reserved {
                format,
                mail_dir: mail_dir.to_owned(),
            },
        }
    }

    fn plus() -> Names {
        names(Format::Maildir, Layout::MaildirPlusPlus, "")
    }

    fn fs() -> Names {
        names(Format::Maildir, Layout::Fs, "")
    }

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
                plus(),
                fs(),
                Names {
                    encoding: Encoding::Utf8,
                    ..fs()
                },
            ] {
                assert_eq!(
                    names.display(&names.levels(name).unwrap()).as_deref(),
                    Some(name)
                );
            }
        }
        assert!(fs().levels("dot.ted/x.y").is_ok() && fs().levels("lists/dovecot.org").is_ok());
        assert!(plus().levels("x/~y").is_ok());
    }

    #[test]
    fn what_leads_elsewhere_is_no_name() {
        for bad in [
            "", "/", "/etc", "a//b", "a/", "..", "a/../b", ".", "~x", "a/.", "..x",
        ] {
            assert!(plus().levels(bad).is_err(), "{bad}");
            assert!(fs().levels(bad).is_err(), "{bad}");
        }
        for bad in [
            "cur",
            "a/new",
            "dovecot-uidlist",
            "a/dovecot.index.log",
            "subscriptions",
        ] {
            assert!(fs().levels(bad).is_err(), "{bad}");
        }
        assert!(plus().levels("a.b").is_err() && plus().levels(&"ä".repeat(100)).is_err());
        let dots = Names {
            separator: '.',
            ..plus()
        };
        assert!(dots.levels("a/b").is_err() && dots.levels("a.b").is_ok());
    }

    /// The answers are those of `doveadm mailbox create` of Dovecot 2.3.19.
    #[test]
    fn each_format_has_names_of_its_own() {
        let sdbox = names(Format::Sdbox, Layout::Fs, "dbox-Mails");
        let mbox = names(Format::Mbox, Layout::Fs, "");
        for name in [
            ".x",
            "a/.x",
            "a..b",
            "cur",
            "x.y",
            "subscriptions",
            "a*b",
            "a\\b",
        ] {
            assert!(sdbox.levels(name).is_ok(), "{name}");
            assert!(mbox.levels(name).is_ok(), "{name}");
        }
        for name in ["dbox-Mails", "a/dbox-Mails"] {
            assert!(sdbox.levels(name).is_err() && mbox.levels(name).is_ok());
        }
        for name in ["x.lock", ".imap", "a/.imap"] {
            assert!(sdbox.levels(name).is_ok() && mbox.levels(name).is_err());
        }
    }
}
