//! The drivers: where a user's password and userdb fields come from.

pub(crate) mod pam;
pub(crate) mod passwd;
pub(crate) mod passwd_file;
pub(crate) mod statics;

use zeroize::Zeroizing;

/// A user as a database that stores passwords knows it.
#[derive(Clone)]
pub(crate) struct Record {
    /// `{SCHEME}data`, or data in `default_scheme`; empty: nobody logs in by password.
    pub password: Zeroizing<String>,
    /// Scheme of a password without `{SCHEME}`.
    pub default_scheme: String,
    /// Other fields, expanded; names of userdb's with `userdb_` before them.
    pub fields: Vec<(String, String)>,
}

/// A database's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// Here is what it knows.
    Found(T),
    /// It does not know the user.
    Unknown,
    /// It cannot say; why, for the log.
    Failed(String),
}

impl<T> Answer<T> {
    /// Goes on with what was found.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Found(found) => Answer::Found(change(found)),
            Self::Unknown => Answer::Unknown,
            Self::Failed(why) => Answer::Failed(why),
        }
    }
}
