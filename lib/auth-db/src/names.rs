//! User names: which characters they may have, how they are normalised, and who logs in as whom.

use config::expand::{self, Template};

use crate::context::template;
use crate::settings::Settings;

/// Longest user name, bytes, before and after normalisation.
pub const MAX_USER: usize = 255;

/// All names in one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Whose password is checked and, after it, who logs in.
    pub user: String,
    /// As the client wrote it, without the login user of a master user.
    pub original: String,
    /// As whom a master user wants to log in; gone once it has.
    pub login_user: Option<String>,
    /// The master user who logged in as `user`.
    pub master: Option<String>,
}

/// Why a name is refused, in Dovecot's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("Empty username")]
    Empty,
    #[error("Username is too long")]
    TooLong,
    #[error(
        "Username character disallowed by auth_username_chars: 0x{byte:02x} (username: {user})"
    )]
    Character { byte: u8, user: String },
    #[error("Username with a control character")]
    Control,
    #[error("Username would climb in a path (username: {0})")]
    Dots(String),
    #[error("Master user login attempted to use empty login username")]
    EmptyLogin,
    #[error("Master user login attempted without master passdbs")]
    NoMasters,
    #[error("Two login users: one in the user name, one beside it")]
    TwoLogins,
}

/// The rules of `auth_username_*`, `auth_default_realm` and `auth_master_user_separator`.
#[derive(Debug)]
pub struct Rules {
    /// Indexed by byte; all true where `auth_username_chars` is empty.
    allowed: [bool; 256],
    translation: [u8; 256],
    format: Option<Template>,
    default_realm: String,
    separator: Option<char>,
}

impl Rules {
    /// Reads the settings.
    ///
    /// # Errors
    /// `auth_username_format` has an unknown variable.
    pub fn new(settings: &Settings) -> Result<Self, expand::Error> {
        let format = settings.auth_username_format.as_str();
        Ok(Self {
            allowed: allowed(settings.auth_username_chars.as_bytes()),
            translation: translation(settings.auth_username_translation.as_bytes()),
            format: if format.is_empty() {
                None
            } else {
                Some(template(format)?)
            },
            default_realm: settings.auth_default_realm.clone(),
            separator: settings.auth_master_user_separator.chars().next(),
        })
    }

    /// Who wants in: `claimed` may name a login user before the master user's separator; `authzid` is PLAIN's way to say
    /// the same.
    ///
    /// # Errors
    /// Says what is wrong with a name.
    pub fn claim(&self, claimed: &str, authzid: Option<&str>) -> Result<Names, Refused> {
        let (login, claimed) = match self
            .separator
            .and_then(|separator| claimed.split_once(separator))
        {
            Some(_) if authzid.is_some() => return Err(Refused::TwoLogins),
            Some((login, master)) => (Some(login), master),
            None => (authzid, claimed),
        };
        let user = self.normalise(claimed)?;
        let login = match login {
            Some("") => return Err(Refused::EmptyLogin),
            // Whoever logs in as itself needs no master passdb.
            Some(login) => Some(self.normalise(login)?).filter(|login| *login != user),
            None => None,
        };
        Ok(Names {
            user,
            original: claimed.to_owned(),
            login_user: login,
            master: None,
        })
    }

    /// A user to look up; nobody logs in.
    ///
    /// # Errors
    /// As [`Self::claim`].
    pub fn lookup(&self, name: &str) -> Result<Names, Refused> {
        let user = self.normalise(name)?;
        Ok(Names {
            user,
            original: name.to_owned(),
            login_user: None,
            master: None,
        })
    }

    /// The name as databases and paths know it.
    ///
    /// # Errors
    /// As [`Self::claim`].
    pub fn normalise(&self, name: &str) -> Result<String, Refused> {
        if name.is_empty() {
            return Err(Refused::Empty);
        }
        let mut name = name.to_owned();
        if !self.default_realm.is_empty() && !name.contains('@') {
            name = format!("{name}@{}", self.default_realm);
        }
        let translated: Vec<u8> = name.bytes().map(|byte| self.translate(byte)).collect();
        let refused = |byte| Refused::Character {
            byte,
            user: name.clone(),
        };
        if let Some(byte) = translated.iter().find(|byte| !self.is_allowed(**byte)) {
            return Err(refused(*byte));
        }
        let translated = String::from_utf8(translated).map_err(|_| refused(b'?'))?;
        let user = match &self.format {
            Some(format) => format
                .expand(&|name| expand::of_user(&translated, name).or(Some(String::new())))
                .map_err(|_| Refused::TooLong)?,
            None => translated,
        };
        check(&user)?;
        Ok(user)
    }

    fn translate(&self, byte: u8) -> u8 {
        self.translation
            .get(usize::from(byte))
            .copied()
            .unwrap_or(byte)
    }

    fn is_allowed(&self, byte: u8) -> bool {
        self.allowed
            .get(usize::from(byte))
            .copied()
            .unwrap_or(false)
    }
}

/// What holds for every name, whatever the settings say; also for one that a database returned.
///
/// # Errors
/// Says what is wrong with it.
pub fn check(user: &str) -> Result<(), Refused> {
    if user.is_empty() {
        return Err(Refused::Empty);
    }
    if user.len() > MAX_USER {
        return Err(Refused::TooLong);
    }
    if user.chars().any(char::is_control) {
        return Err(Refused::Control);
    }
    // A name becomes part of paths (home=/mail/%d/%n): neither it nor its halves may lead elsewhere.
    if user
        .split(['/', '@'])
        .any(|part| matches!(part, "." | ".."))
    {
        return Err(Refused::Dots(user.to_owned()));
    }
    Ok(())
}

fn allowed(chars: &[u8]) -> [bool; 256] {
    let mut allowed = [chars.is_empty(); 256];
    for byte in chars {
        if let Some(entry) = allowed.get_mut(usize::from(*byte)) {
            *entry = true;
        }
    }
    allowed
}

/// Pairs of bytes: from, to.
fn translation(pairs: &[u8]) -> [u8; 256] {
    let mut table: [u8; 256] = std::array::from_fn(|byte| u8::try_from(byte).unwrap_or(0));
    for [from, to] in pairs.as_chunks::<2>().0 {
        if let Some(entry) = table.get_mut(usize::from(*from)) {
            *entry = *to;
        }
    }
    table
}
