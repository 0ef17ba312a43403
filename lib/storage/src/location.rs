//! `mail_location`: `maildir:~/Maildir:LAYOUT=fs:INBOX=…:INDEX=…:CONTROL=…:UTF-8`.
//!
//! Split before variables are put in: a user name with a `:` in it is a name, not a parameter.

use std::path::{Path, PathBuf};

use mailbox::Error;

/// How mailbox names become directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Layout {
    /// `Maildir/.A.B`
    #[default]
    MaildirPlusPlus,
    /// `Maildir/A/B`
    Fs,
}

impl Layout {
    /// Separator of names unless the namespace sets another one.
    #[must_use]
    pub fn separator(self) -> char {
        match self {
            Self::MaildirPlusPlus => '.',
            Self::Fs => '/',
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

/// Where one namespace's mail is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Directory of all mailboxes.
    pub root: PathBuf,
    /// `INBOX=`: directory of INBOX, if it is not `root`.
    pub inbox: Option<PathBuf>,
    /// `CONTROL=`: where uidlists, keywords and subscriptions are, if not beside the mail.
    pub control: Option<PathBuf>,
    /// `INDEX=`: where index files are, if not beside the mail. `MEMORY`: nowhere.
    pub index: Index,
    /// `LAYOUT=`
    pub layout: Layout,
    /// `UTF-8`
    pub encoding: Encoding,
    /// `SUBSCRIPTIONS=`: name of the file.
    pub subscriptions: String,
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

/// Puts values into one part of a setting: variables, then `~/`.
pub trait Expand {
    /// # Errors
    /// An unknown variable, or `~` without a home.
    fn expand(&self, part: &str) -> Result<String, Error>;
}

impl Location {
    /// Reads the setting; empty: `~/Maildir`.
    ///
    /// # Errors
    /// [`Error::Config`] naming what is not understood.
    pub fn parse(setting: &str, expand: &dyn Expand) -> Result<Self, Error> {
        let setting = if setting.trim().is_empty() {
            "maildir:~/Maildir"
        } else {
            setting.trim()
        };
        let mut parts = split(setting).into_iter();
        let first = parts.next().unwrap_or_default();
        let (path, rest) = match first.as_str() {
            "maildir" | "auto" => (parts.next().unwrap_or_default(), parts),
            path if path.starts_with(['/', '~', '%']) => (first.clone(), parts),
            driver => {
                let text = format!(
                    "mail_location: driver {driver:?} is not supported by this version, only maildir"
                );
                return Err(Error::Config(text));
            }
        };
        let mut location = Self {
            root: directory(&path, expand)?,
            inbox: None,
            control: None,
            index: Index::Beside,
            layout: Layout::default(),
            encoding: Encoding::default(),
            subscriptions: "subscriptions".to_owned(),
        };
        for parameter in rest {
            location.parameter(&parameter, expand)?;
        }
        Ok(location)
    }

    fn parameter(&mut self, parameter: &str, expand: &dyn Expand) -> Result<(), Error> {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (key, value) {
            ("UTF-8", "") => self.encoding = Encoding::Utf8,
            ("LAYOUT", "maildir++" | "Maildir++") => self.layout = Layout::MaildirPlusPlus,
            ("LAYOUT", "fs") => self.layout = Layout::Fs,
            ("INBOX", path) => self.inbox = Some(directory(path, expand)?),
            ("CONTROL", path) => self.control = Some(directory(path, expand)?),
            ("INDEX", "MEMORY") => self.index = Index::Memory,
            ("INDEX", path) => self.index = Index::Under(directory(path, expand)?),
            ("SUBSCRIPTIONS", name) if !name.is_empty() && !name.contains('/') => {
                name.clone_into(&mut self.subscriptions);
            }
            // Both only concern files that we do not make.
            ("INDEXPVT" | "VOLATILEDIR" | "LISTINDEX", _) => {}
            _ => {
                let text = format!("mail_location: {parameter:?} is not supported by this version");
                return Err(Error::Config(text));
            }
        }
        Ok(())
    }
}

/// At single colons; `::` is a colon in a value.
fn split(setting: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = setting.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = character == ':' && characters.next_if_eq(&':').is_some();
        if character == ':' && !escaped {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

fn directory(part: &str, expand: &dyn Expand) -> Result<PathBuf, Error> {
    let path = expand.expand(part)?;
    let trimmed = path.trim_end_matches('/');
    if !path.starts_with('/') || path.split('/').any(|level| level == "..") {
        return Err(Error::Config(format!(
            "mail_location: {path:?} is not an absolute path"
        )));
    }
    Ok(Path::new(if trimmed.is_empty() { "/" } else { trimmed }).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home;

    impl Expand for Home {
        fn expand(&self, part: &str) -> Result<String, Error> {
            Ok(part
                .replace("%u", "x:INBOX=/etc")
                .replacen('~', "/home/x", 1))
        }
    }

    fn parse(setting: &str) -> Location {
        Location::parse(setting, &Home).unwrap()
    }

    #[test]
    fn the_whole_grammar() {
        let location =
            parse("maildir:~/Maildir/:LAYOUT=fs:INBOX=~/in:INDEX=/var/i:CONTROL=/c:UTF-8");
        assert_eq!(location.root, Path::new("/home/x/Maildir"));
        assert_eq!(location.inbox, Some("/home/x/in".into()));
        assert_eq!(location.control, Some("/c".into()));
        assert_eq!(location.index, Index::Under("/var/i".into()));
        assert_eq!(
            (location.layout, location.encoding),
            (Layout::Fs, Encoding::Utf8)
        );
        assert_eq!(parse("").root, Path::new("/home/x/Maildir"));
        assert_eq!(parse("~/Mail").root, Path::new("/home/x/Mail"));
        assert_eq!(parse("maildir:/a::b").root, Path::new("/a:b"));
        assert_eq!(parse("maildir:~/M:INDEX=MEMORY").index, Index::Memory);
    }

    #[test]
    fn a_user_name_is_no_parameter() {
        let location = parse("maildir:/var/mail/%u");
        assert_eq!(location.root, Path::new("/var/mail/x:INBOX=/etc"));
        assert_eq!(location.inbox, None);
    }

    #[test]
    fn what_is_not_supported_is_said() {
        for bad in [
            "mdbox:~/m",
            "maildir:~/m:LAYOUT=index",
            "maildir:~/m:FOO=1",
            "maildir:m",
            "imap:",
        ] {
            assert!(
                matches!(Location::parse(bad, &Home), Err(Error::Config(_))),
                "{bad}"
            );
        }
        assert!(Location::parse("maildir:/a/../../etc", &Home).is_err());
    }
}
