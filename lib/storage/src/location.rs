//! `mail_location`: `mdbox:~/mdbox:INDEX=/var/i/%u:ALT=/slow/%u:VOLATILEDIR=/run/x/%u:UTF-8`.
//!
//! Split before variables are put in: a user name with a `:` in it is a name, not a parameter.

mod detect;
mod parse;

use std::path::{Path, PathBuf};

pub use parse::Expand;

/// What the bytes of a location's mailboxes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// `maildir:`
    #[default]
    Maildir,
    /// `mbox:`
    Mbox,
    /// `sdbox:`, `dbox:`
    Sdbox,
    /// `mdbox:`
    Mdbox,
}

impl Format {
    /// The word before the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Maildir => "maildir",
            Self::Mbox => "mbox",
            Self::Sdbox => "sdbox",
            Self::Mdbox => "mdbox",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        match name {
            "maildir" => Some(Self::Maildir),
            "mbox" => Some(Self::Mbox),
            "sdbox" | "dbox" => Some(Self::Sdbox),
            "mdbox" => Some(Self::Mdbox),
            _ => None,
        }
    }

    /// sdbox or mdbox?
    #[must_use]
    pub fn is_dbox(self) -> bool {
        matches!(self, Self::Sdbox | Self::Mdbox)
    }

    fn layout(self) -> Layout {
        match self {
            Self::Maildir => Layout::MaildirPlusPlus,
            Self::Mbox | Self::Sdbox | Self::Mdbox => Layout::Fs,
        }
    }
}

/// How mailbox names become directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Layout {
    /// `Maildir/.A.B`
    #[default]
    MaildirPlusPlus,
    /// `mdbox/mailboxes/A/B/dbox-Mails`, `mail/A/B`
    Fs,
    /// `mdbox/mailboxes/<GUID>`: names are in the list index and nowhere else
    Index,
}

impl Layout {
    /// Separator of names unless the namespace sets another one.
    #[must_use]
    pub fn separator(self) -> char {
        match self {
            Self::MaildirPlusPlus => '.',
            Self::Fs => '/',
            Self::Index => '~',
        }
    }
}

/// How names are written on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Modified UTF-7.
    #[default]
    Mutf7,
    /// `:UTF-8`
    Utf8,
}

/// Where index files are.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Index {
    /// In the mailbox.
    #[default]
    Beside,
    /// Under this directory.
    Under(PathBuf),
    /// `INDEX=MEMORY`
    Memory,
}

/// Where `DIRNAME` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DirNames {
    /// In the path of mail (`DIRNAME=`).
    #[default]
    OfMail,
    /// Also in those under `CONTROL=` and `INDEX=` (`FULLDIRNAME=`).
    OfAll,
}

/// What becomes of levels above mailboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EmptyLevels {
    /// They stay until they are deleted.
    #[default]
    Stay,
    /// `NO-NOSELECT`: they go with the last mailbox below them.
    Go,
}

/// Where one namespace's mail is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// What the mailboxes' bytes are.
    pub format: Format,
    /// Directory of everything that has no other place.
    pub root: PathBuf,
    /// `INBOX=`: where INBOX is, if it is not among the others: a directory, or mbox's file.
    pub inbox: Option<PathBuf>,
    /// `CONTROL=`: where uidlists, keywords and subscriptions are, if not beside the mail.
    pub control: Option<PathBuf>,
    /// `INDEX=`
    pub index: Index,
    /// `ALT=`: where older mail may be.
    pub alt: Option<PathBuf>,
    /// `VOLATILEDIR=`: where locks are, that need not outlive a boot.
    pub volatile: Option<PathBuf>,
    /// `LAYOUT=`
    pub layout: Layout,
    /// `UTF-8`
    pub encoding: Encoding,
    /// `SUBSCRIPTIONS=`: name of the file.
    pub subscriptions: String,
    /// `LISTINDEX=`: name of the file.
    pub list_index: String,
    /// `MAILBOXDIR=`: directory in `root` that all mailboxes are in. dbox: `mailboxes`; mostly empty.
    pub mailbox_dir: String,
    /// `DIRNAME=`: what is in a mailbox's directory and holds its mail. dbox: `dbox-Mails`; mostly empty.
    pub mail_dir: String,
    /// Which paths have it.
    pub dir_names: DirNames,
    /// `NO-NOSELECT`
    pub empty_levels: EmptyLevels,
}

impl Location {
    /// Holds everything of mailboxes but what other keys lead elsewhere.
    #[must_use]
    pub fn mailboxes(&self) -> PathBuf {
        below(&self.root, &self.mailbox_dir)
    }

    /// Holds the uidvalidity counter. FORMATS.md §5.1 for mbox.
    #[must_use]
    pub fn control_root(&self) -> PathBuf {
        match &self.control {
            Some(control) => control.clone(),
            None => self.with_imap(&self.root),
        }
    }

    /// Holds `subscriptions`.
    #[must_use]
    pub fn subscriptions_dir(&self) -> &Path {
        self.control.as_deref().unwrap_or(&self.root)
    }

    /// Holds `dovecot.mailbox.log` and the list index; `None` where index files are nowhere.
    #[must_use]
    pub fn index_root(&self) -> Option<PathBuf> {
        match &self.index {
            Index::Beside => Some(self.with_imap(&self.root)),
            Index::Under(index) => Some(self.with_imap(index)),
            Index::Memory => None,
        }
    }

    /// Holds `mailboxes.lock`.
    #[must_use]
    pub fn lock_dir(&self) -> PathBuf {
        match (&self.volatile, self.index_root()) {
            (Some(volatile), _) => volatile.clone(),
            (None, Some(index)) => index,
            (None, None) => self.root.clone(),
        }
    }

    /// Every directory that mail may be in; mbox's INBOX stands for its directory, where its lock is.
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut all = vec![self.root.clone()];
        match (self.format, &self.inbox) {
            (Format::Mbox, Some(inbox)) => all.extend(inbox.parent().map(Path::to_owned)),
            (_, inbox) => all.extend(inbox.clone()),
        }
        all.extend(self.control.clone());
        all.extend(self.alt.clone());
        all.extend(self.volatile.clone());
        if let Index::Under(index) = &self.index {
            all.push(index.clone());
        }
        all
    }

    /// mbox keeps what is not mail in `.imap`.
    fn with_imap(&self, dir: &Path) -> PathBuf {
        match self.format {
            Format::Mbox if self.mail_dir.is_empty() => dir.join(IMAP_DIR),
            _ => dir.to_owned(),
        }
    }
}

/// Where mbox keeps what is not mail.
pub const IMAP_DIR: &str = ".imap";

/// `dir/name`; `dir` for no name.
pub fn below(dir: &Path, name: &str) -> PathBuf {
    match name {
        "" => dir.to_owned(),
        name => dir.join(name),
    }
}
