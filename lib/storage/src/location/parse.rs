//! Reading the setting.

use std::path::{Path, PathBuf};

use mailbox::Error;
use sys::fs::Fs;

use super::{DirNames, EmptyLevels, Encoding, Format, Index, Layout, Location, detect};

/// Puts values into one part of a setting: variables, then `~/`.
pub trait Expand {
    /// # Errors
    /// An unknown variable, or `~` without a home.
    fn expand(&self, part: &str) -> Result<String, Error>;
}

impl Location {
    /// Reads the setting. Where it names no format, or nothing at all, what is there decides; where
    /// nothing is there, it is `maildir:~/Maildir`.
    ///
    /// # Errors
    /// [`Error::Config`] naming what is not understood; a failed look at what is there.
    pub fn parse(setting: &str, fs: &Fs, expand: &dyn Expand) -> Result<Self, Error> {
        let setting = setting.trim();
        let (driver, rest) = driver(setting);
        let mut parts = split(rest).into_iter();
        let path = parts.next().unwrap_or_default();
        let (format, root) = match driver {
            None | Some("auto") if path.is_empty() => found_in_home(fs, expand)?,
            None | Some("auto") => {
                let root = directory(&path, expand)?;
                (found(fs, &root, setting)?, root)
            }
            Some(driver) => {
                let format = Format::by_name(driver);
                let format = format.ok_or_else(|| wrong(format!("unknown driver {driver:?}")))?;
                if path.is_empty() {
                    return Err(wrong("no directory is given".to_owned()));
                }
                (format, directory(&path, expand)?)
            }
        };
        let mut location = Self::of_format(format, root);
        for parameter in parts {
            location.parameter(&parameter, expand)?;
        }
        location.finish()
    }

    fn of_format(format: Format, root: PathBuf) -> Self {
        Self {
            format,
            root,
            inbox: None,
            control: None,
            index: Index::Beside,
            alt: None,
            volatile: None,
            layout: format.layout(),
            encoding: Encoding::default(),
            subscriptions: match format {
                Format::Mbox => ".subscriptions".to_owned(),
                _ => "subscriptions".to_owned(),
            },
            list_index: "dovecot.list.index".to_owned(),
            mailbox_dir: String::new(),
            mail_dir: String::new(),
            dir_names: DirNames::default(),
            empty_levels: EmptyLevels::default(),
        }
    }

    fn parameter(&mut self, parameter: &str, expand: &dyn Expand) -> Result<(), Error> {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (key, value) {
            ("UTF-8", "") => self.encoding = Encoding::Utf8,
            ("NO-NOSELECT", "") => self.empty_levels = EmptyLevels::Go,
            ("LAYOUT", name) => self.layout = layout(name)?,
            ("INBOX", path) => self.inbox = Some(directory(path, expand)?),
            // Without a value they are as if they were not there.
            ("CONTROL" | "INDEX" | "ALT" | "VOLATILEDIR", "") => {}
            ("CONTROL", path) => self.control = Some(directory(path, expand)?),
            ("INDEX", "MEMORY") => self.index = Index::Memory,
            ("INDEX", path) => self.index = Index::Under(directory(path, expand)?),
            ("ALT", path) => self.alt = Some(directory(path, expand)?),
            ("VOLATILEDIR", path) => self.volatile = Some(directory(path, expand)?),
            ("SUBSCRIPTIONS", name) => self.subscriptions = file_name(key, name)?,
            ("LISTINDEX", name) => self.list_index = file_name(key, name)?,
            ("MAILBOXDIR", name) => self.mailbox_dir = file_name(key, name)?,
            ("DIRNAME", name) => self.mail_dir = file_name(key, name)?,
            ("FULLDIRNAME", name) => {
                self.mail_dir = file_name(key, name)?;
                self.dir_names = DirNames::OfAll;
            }
            // They only concern files that we do not make.
            ("INDEXPVT" | "INDEXCACHE" | "ITERINDEX", _) => {}
            _ => return Err(wrong(format!("{parameter:?} is not supported"))),
        }
        Ok(())
    }

    /// What follows from all parameters together.
    fn finish(mut self) -> Result<Self, Error> {
        if self.layout == Layout::Index && !self.format.is_dbox() {
            return Err(wrong("LAYOUT=index is only for sdbox and mdbox".to_owned()));
        }
        if self.format.is_dbox() {
            for (name, usual) in [
                (&mut self.mailbox_dir, "mailboxes"),
                (&mut self.mail_dir, "dbox-Mails"),
            ] {
                if name.is_empty() {
                    usual.clone_into(name);
                }
            }
        }
        if self.layout == Layout::Index {
            // No mailbox's directory is in another's.
            self.mail_dir.clear();
        }
        if self.layout == Layout::MaildirPlusPlus {
            let not_here = |what: &str| Err(wrong(format!("{what} is not for LAYOUT=maildir++")));
            if !self.mail_dir.is_empty() {
                return not_here("DIRNAME, which dbox needs,");
            }
            if self.alt.is_some() {
                return not_here("ALT");
            }
            // As Dovecot does.
            self.mailbox_dir.clear();
        }
        if self.inbox.is_none() && self.mail_dir.is_empty() && self.format == Format::Maildir {
            self.inbox = Some(self.root.clone());
        }
        if self.inbox.is_none() && self.format == Format::Mbox && self.layout == Layout::Fs {
            self.inbox = Some(self.root.join("inbox"));
        }
        Ok(self)
    }
}

/// `driver:rest`
fn driver(setting: &str) -> (Option<&str>, &str) {
    match setting.split_once(':') {
        Some((driver, rest))
            if !driver.is_empty()
                && driver
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') =>
        {
            (Some(driver), rest)
        }
        _ => (None, setting),
    }
}

fn found_in_home(fs: &Fs, expand: &dyn Expand) -> Result<(Format, PathBuf), Error> {
    let home = directory("~", expand)?;
    let found = detect::in_home(fs, &home)?;
    Ok(found.unwrap_or_else(|| (Format::Maildir, home.join("Maildir"))))
}

fn found(fs: &Fs, root: &Path, setting: &str) -> Result<Format, Error> {
    let found = detect::of_root(fs, root)?;
    if found.is_none() && fs.stat_opt(root)?.is_none() {
        // Nothing was ever delivered.
        return Ok(Format::Maildir);
    }
    found.ok_or_else(|| {
        wrong(format!(
            "don't know what to do with {setting:?}: try prefixing it with mbox: or maildir:"
        ))
    })
}

fn layout(name: &str) -> Result<Layout, Error> {
    match name.to_ascii_lowercase().as_str() {
        "maildir++" => Ok(Layout::MaildirPlusPlus),
        "fs" => Ok(Layout::Fs),
        "index" => Ok(Layout::Index),
        _ => Err(wrong(format!("layout {name:?} is not supported"))),
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
        return Err(wrong(format!("{path:?} is not an absolute path")));
    }
    Ok(Path::new(if trimmed.is_empty() { "/" } else { trimmed }).to_owned())
}

/// One name, which leads nowhere else.
fn file_name(key: &str, name: &str) -> Result<String, Error> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0', '~', '%']) {
        return Err(wrong(format!("{key}={name} is no file name")));
    }
    Ok(name.to_owned())
}

fn wrong(what: String) -> Error {
    Error::Config(format!("mail_location: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home(String);

    impl Expand for Home {
        fn expand(&self, part: &str) -> Result<String, Error> {
            Ok(part.replace("%u", "x:INBOX=/etc").replacen('~', &self.0, 1))
        }
    }

    fn try_parse(setting: &str) -> Result<Location, Error> {
        Location::parse(setting, &Fs::real(), &Home("/nonexistent/x".into()))
    }

    fn parse(setting: &str) -> Location {
        try_parse(setting).unwrap()
    }

    #[test]
    fn the_whole_grammar() {
        let location =
            parse("maildir:~/Maildir/:LAYOUT=fs:INBOX=~/in:INDEX=/var/i:CONTROL=/c:UTF-8");
        assert_eq!(location.root, Path::new("/nonexistent/x/Maildir"));
        assert_eq!(location.inbox, Some("/nonexistent/x/in".into()));
        assert_eq!(location.control, Some("/c".into()));
        assert_eq!(location.index, Index::Under("/var/i".into()));
        assert_eq!(
            (location.layout, location.encoding),
            (Layout::Fs, Encoding::Utf8)
        );
        assert_eq!(parse("").root, Path::new("/nonexistent/x/Maildir"));
        assert_eq!(parse("~/Mail").root, Path::new("/nonexistent/x/Mail"));
        assert_eq!(parse("maildir:/a::b").root, Path::new("/a:b"));
        assert_eq!(parse("maildir:~/M:INDEX=MEMORY").index, Index::Memory);
        let dbox = parse("mdbox:~/m:ALT=/a:VOLATILEDIR=/v:LISTINDEX=l:NO-NOSELECT:FULLDIRNAME=d");
        assert_eq!(dbox.alt, Some("/a".into()));
        assert_eq!(dbox.lock_dir(), Path::new("/v"));
        assert_eq!(dbox.list_index, "l");
        assert_eq!(dbox.empty_levels, EmptyLevels::Go);
        assert_eq!(
            (dbox.mailbox_dir.as_str(), dbox.mail_dir.as_str()),
            ("mailboxes", "d")
        );
        assert_eq!(dbox.dir_names, DirNames::OfAll);
        assert_eq!(dbox.layout, Layout::Fs);
    }

    #[test]
    fn a_user_name_is_no_parameter() {
        let location = parse("maildir:/var/mail/%u");
        assert_eq!(location.root, Path::new("/var/mail/x:INBOX=/etc"));
        assert_eq!(location.inbox, Some(location.root));
    }

    #[test]
    fn what_is_not_supported_is_said() {
        for bad in [
            "imapc:~/m",
            "maildir:~/m:LAYOUT=none",
            "maildir:~/m:FOO=1",
            "maildir:~/m:DIRNAME=x",
            "maildir:~/m:ALT=/a",
            "sdbox:~/m:LAYOUT=maildir++",
            "maildir:m",
            "maildir",
            "mbox:",
            "imap:",
            "maildir:~/m:SUBSCRIPTIONS=a/b",
            "mdbox:~/m:MAILBOXDIR=..",
            "maildir:/a/../../etc",
        ] {
            assert!(matches!(try_parse(bad), Err(Error::Config(_))), "{bad}");
        }
    }

    /// The answers are those of `doveadm mailbox path` of Dovecot 2.3.19.
    #[test]
    fn what_is_there_decides() {
        let home = tempfile::tempdir().unwrap();
        let parse = |setting: &str| {
            let expand = Home(home.path().to_str().unwrap().to_owned());
            let location = Location::parse(setting, &Fs::real(), &expand).unwrap();
            let root = location.root.strip_prefix(home.path()).unwrap().to_owned();
            (location.format, root.to_str().unwrap().to_owned())
        };
        let make = |dir: &str| std::fs::create_dir_all(home.path().join(dir)).unwrap();
        for empty in ["Maildir", "mail", "sdbox", "mdbox"] {
            make(empty);
        }
        assert_eq!(parse(""), (Format::Maildir, "Maildir".to_owned()));
        for (dir, format, root) in [
            ("Mail/.imap", Format::Mbox, "Mail"),
            ("mail/.imap", Format::Mbox, "mail"),
            ("Maildir/cur", Format::Maildir, "Maildir"),
            ("mdbox/storage", Format::Mdbox, "mdbox"),
            ("sdbox/mailboxes", Format::Sdbox, "sdbox"),
        ] {
            make(dir);
            assert_eq!(parse(""), (format, root.to_owned()), "{dir}");
            assert_eq!(parse(&format!("~/{root}")).0, format);
            assert_eq!(parse(&format!("auto:~/{root}")).0, format);
        }
        make("mdbox/mailboxes");
        assert_eq!(parse("~/mdbox").0, Format::Mdbox);
        std::fs::create_dir(home.path().join("box")).unwrap();
        std::fs::write(home.path().join("box/inbox"), "").unwrap();
        assert_eq!(parse("~/box").0, Format::Mbox);
    }

    #[test]
    fn any_text_is_a_location_or_an_error() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            for driver in ["", "maildir:", "mdbox:~/m:"] {
                let _ = try_parse(&format!("{driver}{text}"));
            }
        });
    }
}
