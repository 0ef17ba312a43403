//! Whose mail a command works on, and what userdb says about them.

use std::path::Path;

use broker::IdentitySettings;
use ipc::Username;
use ipc::VERSION;
use ipc::auth_master::{ClientInfo, Reply, Request};
use ipc::facts::Protocol;
use ipc::worker::Identity;
use sys::privileges;

use crate::cli::mail::Users;
use crate::cli::{Arguments, USERDB};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::user;

use super::open::Settings;

/// Whose mail.
#[derive(Debug, PartialEq, Eq)]
pub enum Whom {
    /// The one who runs doveadm.
    Caller,
    /// This user.
    One(String),
    /// All that match; each row says whose it is.
    Many(Selection),
}

/// Users to choose from.
#[derive(Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those that userdb lists.
    Like(String),
    /// Those that a file names.
    File(std::path::PathBuf),
}

impl Whom {
    pub fn of(users: &Users) -> Result<Self, Failure> {
        if users.socket.is_some() {
            return Err(Failure::Refused(
                "-S: there is no doveadm server to ask".to_owned(),
            ));
        }
        Ok(match (&users.file, &users.user) {
            (Some(file), _) => Self::Many(Selection::File(file.clone())),
            (None, _) if users.all => Self::Many(Selection::Like("*".to_owned())),
            (None, Some(mask)) if mask.contains(['*', '?']) => {
                Self::Many(Selection::Like(mask.clone()))
            }
            (None, Some(user)) => Self::One(user.clone()),
            (None, None) => Self::Caller,
        })
    }
}

/// auth, where users are looked up.
pub struct Userdb(Connection);

impl Userdb {
    pub fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let path = arguments.userdb.as_deref().unwrap_or(Path::new(USERDB));
        let hello = Request::Hello { version: VERSION };
        Connection::open::<_, Reply>("auth", path, &hello).map(Self)
    }

    /// Names, in order.
    pub fn select(&self, selection: &Selection) -> Result<Vec<String>, Failure> {
        match selection {
            Selection::Like(mask) => user::matching(&self.0, std::slice::from_ref(mask)),
            Selection::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Failure::Temporary(format!("open({}) failed: {error}", path.display()))
                })?;
                let names = text.lines().map(str::trim_end);
                Ok(names
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect())
            }
        }
    }

    /// Who a process for this user becomes.
    pub fn identity(&self, name: &str, settings: &Settings) -> Result<Identity, Failure> {
        let found = user::lookup(&self.0, &ClientInfo::of(Protocol::Doveadm), name)?;
        settings.identify(&found).map_err(|refused| {
            Failure::User(name.to_owned(), format!("User lookup failed: {refused}"))
        })
    }
}

/// The one who runs doveadm: no lookup, no other rights than those that are there.
pub fn caller(settings: &IdentitySettings) -> Result<Identity, Failure> {
    let missing = "USER environment is missing and -u option not used";
    let name = std::env::var("USER").map_err(|_| Failure::Refused(missing.to_owned()))?;
    let uid = privileges::effective_uid();
    if uid == 0 {
        let why = "Mail access for users with UID 0 not permitted: use -u";
        return Err(Failure::User(name, why.to_owned()));
    }
    let user = Username::try_from(name)
        .map_err(|error| Failure::Refused(format!("USER environment: {error}")))?;
    let lookup = |name: &str| config::expand::of_user(user.as_str(), name);
    let home = match settings.mail_home.as_str() {
        "" => std::env::var("HOME").ok(),
        template => config::expand::expand(template, &lookup).ok(),
    };
    Ok(Identity {
        gid: rustix::process::getegid().as_raw(),
        user,
        uid,
        groups: Vec::new(),
        chroot: None,
        home,
        mail: None,
        fields: Vec::new(),
    })
}
