//! Which mailboxes are there.

use std::path::Path;

use mailbox::{Error, MailboxName};
use sys::fs::{EntryKind, FsResult, found, join};

use super::List;
use crate::location::{Format, IMAP_DIR, Layout};

/// Deepest directory that is looked into.
const MAX_DEPTH: usize = 32;

/// What has the shape of a mailbox or of a level above one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In storage encoding.
    pub levels: Vec<String>,
    /// Holds mail.
    pub selectable: bool,
    /// Is there; a name of the list index need not be.
    pub exists: bool,
    /// Is a file: nothing can be below it.
    pub no_inferiors: bool,
}

/// What is in a directory.
#[derive(Default)]
struct Entries {
    dirs: Vec<String>,
    files: Vec<String>,
}

impl List {
    /// Every mailbox and level but INBOX, in the file system's order. No root: none.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn scan(&self) -> Result<Vec<Found>, Error> {
        let mut all = match self.location.layout {
            Layout::Index => self.listed()?,
            Layout::Fs | Layout::MaildirPlusPlus => self.scan_dirs()?,
        };
        all.retain(|found| !self.is_inbox(&found.levels));
        Ok(all)
    }

    /// The same with INBOX, if it is there.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub(super) fn scan_all(&self) -> Result<Vec<Found>, Error> {
        let mut all = self.scan_dirs()?;
        let inbox = [MailboxName::INBOX.to_owned()];
        let is_there = self.has_inbox && self.is_selectable(&inbox)?;
        match all.iter_mut().find(|found| self.is_inbox(&found.levels)) {
            Some(found) => found.selectable |= is_there,
            None if is_there => all.push(Found {
                levels: inbox.to_vec(),
                selectable: true,
                exists: true,
                // Not even where it is a file: as Dovecot lists it.
                no_inferiors: false,
            }),
            None => {}
        }
        Ok(all)
    }

    fn scan_dirs(&self) -> FsResult<Vec<Found>> {
        let mut all = Vec::new();
        match self.location.layout {
            Layout::MaildirPlusPlus => self.scan_flat(&mut all)?,
            // No list index: no names.
            Layout::Index => {}
            Layout::Fs => {
                self.scan_tree(&self.location.mailboxes(), &mut Vec::new(), &mut all)?;
            }
        }
        Ok(all)
    }

    /// Is there a mailbox, or a level above one?
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn has(&self, levels: &[String]) -> Result<bool, Error> {
        let all = self.scan()?;
        Ok(all.iter().any(|found| found.levels.starts_with(levels)))
    }

    fn scan_flat(&self, all: &mut Vec<Found>) -> FsResult<()> {
        let entries = self.entries(&self.location.root, |name| name.starts_with(b"."))?;
        for name in entries.dirs {
            let levels = name.strip_prefix('.').unwrap_or_default().split('.');
            let levels: Vec<String> = levels.map(str::to_owned).collect();
            if levels.iter().all(|level| !level.is_empty()) {
                all.push(Found {
                    levels,
                    selectable: true,
                    exists: true,
                    no_inferiors: false,
                });
            }
        }
        Ok(())
    }

    /// Tells whether `dir` itself holds mail.
    fn scan_tree(
        &self,
        dir: &Path,
        above: &mut Vec<String>,
        all: &mut Vec<Found>,
    ) -> FsResult<bool> {
        let entries = self.entries(dir, |_| true)?;
        let holds_mail = self.holds_mail(&entries);
        if above.len() >= MAX_DEPTH {
            return Ok(holds_mail);
        }
        let mail_is_files = self.mail_is_files();
        let files = entries.files.iter().filter(|_| mail_is_files);
        for name in files.filter(|name| !self.is_internal_file(dir, name)) {
            all.push(Found {
                levels: [above.as_slice(), std::slice::from_ref(name)].concat(),
                selectable: true,
                exists: true,
                no_inferiors: true,
            });
        }
        for name in entries.dirs {
            if self.is_internal_dir(&name) {
                continue;
            }
            let child = dir.join(&name);
            above.push(name);
            let at = all.len();
            all.push(Found {
                levels: above.clone(),
                selectable: false,
                exists: true,
                no_inferiors: false,
            });
            let selectable = self.scan_tree(&child, above, all)?;
            if let Some(found) = all.get_mut(at) {
                found.selectable = selectable;
            }
            above.pop();
        }
        Ok(holds_mail)
    }

    fn mail_is_files(&self) -> bool {
        self.location.format == Format::Mbox && self.location.mail_dir.is_empty()
    }

    fn holds_mail(&self, entries: &Entries) -> bool {
        let mail_dir = &self.location.mail_dir;
        match (self.location.format, mail_dir.as_str()) {
            (Format::Mbox, _) => !mail_dir.is_empty() && entries.files.contains(mail_dir),
            (_, "") => entries.dirs.iter().any(|name| name == "cur"),
            _ => entries.dirs.contains(mail_dir),
        }
    }

    fn is_internal_dir(&self, name: &str) -> bool {
        if !self.location.mail_dir.is_empty() {
            return name == self.location.mail_dir;
        }
        match self.location.format {
            Format::Maildir => matches!(name, "cur" | "new" | "tmp"),
            Format::Mbox => name == IMAP_DIR,
            Format::Sdbox | Format::Mdbox => false,
        }
    }

    /// Of mbox.
    fn is_internal_file(&self, dir: &Path, name: &str) -> bool {
        name.ends_with(".lock")
            || name == self.location.subscriptions
            || self.has_inbox && self.location.inbox.as_deref() == Some(&dir.join(name))
    }

    /// Names that are not UTF-8 lead to no mailbox.
    fn entries(&self, dir: &Path, wanted: impl Fn(&[u8]) -> bool) -> FsResult<Entries> {
        let mut entries = Entries::default();
        let mut unsure = Vec::new();
        let listed = self.fs.read_dir(dir, &mut |name, kind| match kind {
            _ if !wanted(name) => {}
            EntryKind::Directory => entries.dirs.extend(String::from_utf8(name.to_vec())),
            EntryKind::File => entries.files.extend(String::from_utf8(name.to_vec())),
            EntryKind::Symlink | EntryKind::Unknown => unsure.push(name.to_vec()),
            EntryKind::Other => {}
        });
        found(listed)?;
        for name in unsure {
            let stat = self.fs.stat_opt(&join(dir, &name))?;
            match stat {
                Some(stat) if stat.is_dir() => entries.dirs.extend(String::from_utf8(name)),
                Some(stat) if stat.is_file() => entries.files.extend(String::from_utf8(name)),
                _ => {}
            }
        }
        Ok(entries)
    }
}
