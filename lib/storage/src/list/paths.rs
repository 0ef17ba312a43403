//! Where a mailbox's files are. The same as `doveadm mailbox path` of Dovecot 2.3.19 says.

use std::path::{Path, PathBuf};

use mailbox::{Error, Guid, Place};

use super::List;
use crate::location::{DirNames, Format, IMAP_DIR, Index, Layout, below};

impl List {
    /// Where a mailbox is or would be; `None`: in this layout, only those that are have a place.
    ///
    /// # Errors
    /// The list index cannot be read.
    pub fn place(&self, levels: &[String]) -> Result<Option<Place>, Error> {
        if self.location.layout != Layout::Index {
            return Ok(Some(self.place_to_be(levels)));
        }
        let guid = self.guid(levels)?;
        Ok(guid.map(|guid| self.place_at(&guid.to_string(), None)))
    }

    /// Where a new mailbox will be.
    #[must_use]
    pub fn place_to_be(&self, levels: &[String]) -> Place {
        let name = match self.location.layout {
            Layout::Index => Guid::generate().to_string(),
            Layout::Fs | Layout::MaildirPlusPlus => self.relative(levels),
        };
        let inbox = self.location.inbox.as_ref();
        self.place_at(&name, inbox.filter(|_| self.is_inbox(levels)))
    }

    /// Where a mailbox is that has a directory of this name below each of the roots.
    fn place_at(&self, name: &str, inbox: Option<&PathBuf>) -> Place {
        let location = &self.location;
        let usual = below(&self.named(&location.root, name), &location.mail_dir);
        let mail = match inbox {
            Some(inbox) => inbox.clone(),
            None => usual.clone(),
        };
        let beside = match (location.format, location.mail_dir.as_str()) {
            (Format::Mbox, "") => in_imap(&usual),
            (Format::Mbox, _) => usual,
            _ => mail.clone(),
        };
        let control = match &location.control {
            Some(control) => self.elsewhere(control, name),
            None => beside.clone(),
        };
        let index = match &location.index {
            Index::Beside => Some(beside),
            Index::Under(index) => Some(self.elsewhere(index, name)),
            Index::Memory => None,
        };
        let alt = location.alt.as_deref();
        let alt = alt.map(|alt| below(&self.named(alt, name), &location.mail_dir));
        Place {
            mail,
            control,
            index,
            alt,
        }
    }

    /// Directory of a mailbox, which those below it may be in too, under one of the roots.
    #[must_use]
    pub fn dir(&self, root: &Path, levels: &[String]) -> PathBuf {
        self.named(root, &self.relative(levels))
    }

    fn named(&self, root: &Path, name: &str) -> PathBuf {
        below(root, &self.location.mailbox_dir).join(name)
    }

    /// Whatever moves along when a mailbox is renamed; not all of it need be there.
    #[must_use]
    pub fn moving(&self, levels: &[String]) -> Vec<PathBuf> {
        let location = &self.location;
        let mut roots = vec![location.root.as_path()];
        roots.extend(location.control.as_deref());
        if let Index::Under(index) = &location.index {
            roots.push(index);
        }
        roots.extend(location.alt.as_deref());
        let mut all: Vec<PathBuf> = Vec::new();
        for root in roots {
            let dir = self.dir(root, levels);
            if location.format == Format::Mbox && location.mail_dir.is_empty() {
                all.push(in_imap(&dir));
            }
            all.push(dir);
        }
        all
    }

    /// Under `CONTROL=` or `INDEX=`.
    fn elsewhere(&self, root: &Path, name: &str) -> PathBuf {
        let dir = self.named(root, name);
        match (self.location.dir_names, self.location.format) {
            (DirNames::OfAll, _) => below(&dir, &self.location.mail_dir),
            (DirNames::OfMail, Format::Mbox) if self.location.mail_dir.is_empty() => in_imap(&dir),
            (DirNames::OfMail, _) => dir,
        }
    }

    /// Name of a mailbox's directory below any of the roots.
    fn relative(&self, levels: &[String]) -> String {
        match self.location.layout {
            Layout::MaildirPlusPlus => format!(".{}", levels.join(".")),
            // In the last one nothing has such a name.
            Layout::Fs | Layout::Index => levels.join("/"),
        }
    }
}

/// `dir/.imap/box` for `dir/box`.
fn in_imap(path: &Path) -> PathBuf {
    let dir = path.parent().unwrap_or(path).join(IMAP_DIR);
    match path.file_name() {
        Some(name) => dir.join(name),
        None => dir,
    }
}

#[cfg(test)]
mod tests {
    use mailbox::Error;
    use sys::fs::Fs;

    use super::*;
    use crate::location::{Expand, Location};

    struct Home;

    impl Expand for Home {
        fn expand(&self, part: &str) -> Result<String, Error> {
            Ok(part.replacen('~', "/h", 1))
        }
    }

    /// Mail, index, control and alternative of INBOX, then of `A/B`; empty: none.
    const DOVECOT: &[(&str, [&str; 4], [&str; 4])] = &[
        (
            "maildir:~/M",
            ["/h/M", "/h/M", "/h/M", ""],
            ["/h/M/.A.B", "/h/M/.A.B", "/h/M/.A.B", ""],
        ),
        (
            "maildir:~/M:INDEX=/i:CONTROL=/c",
            ["/h/M", "/i/.INBOX", "/c/.INBOX", ""],
            ["/h/M/.A.B", "/i/.A.B", "/c/.A.B", ""],
        ),
        (
            "maildir:~/M:INBOX=/in:INDEX=/i:CONTROL=/c",
            ["/in", "/i/.INBOX", "/c/.INBOX", ""],
            ["/h/M/.A.B", "/i/.A.B", "/c/.A.B", ""],
        ),
        (
            "maildir:~/M:LAYOUT=fs",
            ["/h/M", "/h/M", "/h/M", ""],
            ["/h/M/A/B", "/h/M/A/B", "/h/M/A/B", ""],
        ),
        (
            "maildir:~/M:LAYOUT=fs:INDEX=/i:CONTROL=/c",
            ["/h/M", "/i/INBOX", "/c/INBOX", ""],
            ["/h/M/A/B", "/i/A/B", "/c/A/B", ""],
        ),
        (
            "maildir:~/M:LAYOUT=fs:DIRNAME=mails:INDEX=/i:CONTROL=/c",
            ["/h/M/INBOX/mails", "/i/INBOX", "/c/INBOX", ""],
            ["/h/M/A/B/mails", "/i/A/B", "/c/A/B", ""],
        ),
        (
            "maildir:~/M:LAYOUT=fs:FULLDIRNAME=mails:INDEX=/i:CONTROL=/c",
            ["/h/M/INBOX/mails", "/i/INBOX/mails", "/c/INBOX/mails", ""],
            ["/h/M/A/B/mails", "/i/A/B/mails", "/c/A/B/mails", ""],
        ),
        (
            "maildir:~/M:LAYOUT=fs:MAILBOXDIR=boxes:INDEX=/i:CONTROL=/c",
            ["/h/M", "/i/boxes/INBOX", "/c/boxes/INBOX", ""],
            ["/h/M/boxes/A/B", "/i/boxes/A/B", "/c/boxes/A/B", ""],
        ),
        (
            "maildir:~/M:MAILBOXDIR=boxes:INDEX=/i",
            ["/h/M", "/i/.INBOX", "/h/M", ""],
            ["/h/M/.A.B", "/i/.A.B", "/h/M/.A.B", ""],
        ),
        (
            "sdbox:~/s0",
            [
                "/h/s0/mailboxes/INBOX/dbox-Mails",
                "/h/s0/mailboxes/INBOX/dbox-Mails",
                "/h/s0/mailboxes/INBOX/dbox-Mails",
                "",
            ],
            [
                "/h/s0/mailboxes/A/B/dbox-Mails",
                "/h/s0/mailboxes/A/B/dbox-Mails",
                "/h/s0/mailboxes/A/B/dbox-Mails",
                "",
            ],
        ),
        (
            "sdbox:~/s:INDEX=/i:CONTROL=/c:ALT=/a",
            [
                "/h/s/mailboxes/INBOX/dbox-Mails",
                "/i/mailboxes/INBOX",
                "/c/mailboxes/INBOX",
                "/a/mailboxes/INBOX/dbox-Mails",
            ],
            [
                "/h/s/mailboxes/A/B/dbox-Mails",
                "/i/mailboxes/A/B",
                "/c/mailboxes/A/B",
                "/a/mailboxes/A/B/dbox-Mails",
            ],
        ),
        (
            "mdbox:~/m:INDEX=/i:CONTROL=/c:ALT=/a",
            [
                "/h/m/mailboxes/INBOX/dbox-Mails",
                "/i/mailboxes/INBOX",
                "/c/mailboxes/INBOX",
                "/a/mailboxes/INBOX/dbox-Mails",
            ],
            [
                "/h/m/mailboxes/A/B/dbox-Mails",
                "/i/mailboxes/A/B",
                "/c/mailboxes/A/B",
                "/a/mailboxes/A/B/dbox-Mails",
            ],
        ),
        (
            "sdbox:~/s1:DIRNAME=x:MAILBOXDIR=y:INDEX=/i",
            ["/h/s1/y/INBOX/x", "/i/y/INBOX", "/h/s1/y/INBOX/x", ""],
            ["/h/s1/y/A/B/x", "/i/y/A/B", "/h/s1/y/A/B/x", ""],
        ),
        (
            "sdbox:~/s2:INBOX=/in",
            ["/in", "/in", "/in", ""],
            [
                "/h/s2/mailboxes/A/B/dbox-Mails",
                "/h/s2/mailboxes/A/B/dbox-Mails",
                "/h/s2/mailboxes/A/B/dbox-Mails",
                "",
            ],
        ),
        (
            "sdbox:~/s3:INDEX=MEMORY",
            [
                "/h/s3/mailboxes/INBOX/dbox-Mails",
                "",
                "/h/s3/mailboxes/INBOX/dbox-Mails",
                "",
            ],
            [
                "/h/s3/mailboxes/A/B/dbox-Mails",
                "",
                "/h/s3/mailboxes/A/B/dbox-Mails",
                "",
            ],
        ),
        (
            "mbox:~/mail",
            [
                "/h/mail/inbox",
                "/h/mail/.imap/INBOX",
                "/h/mail/.imap/INBOX",
                "",
            ],
            ["/h/mail/A/B", "/h/mail/A/.imap/B", "/h/mail/A/.imap/B", ""],
        ),
        (
            "mbox:~/mail:INBOX=/var/mail/u",
            [
                "/var/mail/u",
                "/h/mail/.imap/INBOX",
                "/h/mail/.imap/INBOX",
                "",
            ],
            ["/h/mail/A/B", "/h/mail/A/.imap/B", "/h/mail/A/.imap/B", ""],
        ),
        (
            "mbox:~/mail:INBOX=/var/mail/u:INDEX=/i:CONTROL=/c",
            ["/var/mail/u", "/i/.imap/INBOX", "/c/.imap/INBOX", ""],
            ["/h/mail/A/B", "/i/A/.imap/B", "/c/A/.imap/B", ""],
        ),
        (
            "mbox:~/mail:DIRNAME=mbx:INDEX=/i:CONTROL=/c",
            ["/h/mail/inbox", "/i/INBOX", "/c/INBOX", ""],
            ["/h/mail/A/B/mbx", "/i/A/B", "/c/A/B", ""],
        ),
        (
            "mbox:~/mail:INDEX=MEMORY",
            ["/h/mail/inbox", "", "/h/mail/.imap/INBOX", ""],
            ["/h/mail/A/B", "", "/h/mail/A/.imap/B", ""],
        ),
    ];

    #[test]
    fn as_dovecot_answers() {
        for (setting, inbox, other) in DOVECOT {
            let fs = Fs::real();
            let list = List {
                location: Location::parse(setting, &fs, &Home).unwrap(),
                fs,
                has_inbox: true,
                indexed: None,
            };
            for (name, expected) in [("INBOX", inbox), ("A/B", other)] {
                let levels: Vec<String> = name.split('/').map(str::to_owned).collect();
                let place = list.place(&levels).unwrap().unwrap();
                let told = [
                    Some(place.mail),
                    place.index,
                    Some(place.control),
                    place.alt,
                ];
                let told = told.map(|path| path.unwrap_or_default().to_str().unwrap().to_owned());
                assert_eq!(told, *expected, "{setting} {name}");
            }
        }
    }
}
