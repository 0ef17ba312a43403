//! What every command on mail is.

use std::path::PathBuf;

use super::session::{Session, Stop};
use crate::output::{Column, Formatter};

/// What a command reads beside mail.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Standard,
    /// A file of the caller's.
    File(PathBuf),
}

/// A command, its arguments checked.
pub trait Action {
    /// What it prints, and how unless told otherwise. `None`: nothing.
    fn prints(&self) -> Option<(Formatter, Vec<Column>)> {
        None
    }

    /// What it reads.
    fn reads(&self) -> Option<Input> {
        None
    }

    /// The user whose mail it reads, if that is another one.
    fn other_user(&self) -> Option<&str> {
        None
    }

    /// Where the mail is that it reads, if that is not where the user's mail is.
    fn other_location(&self) -> Option<&str> {
        None
    }

    /// Does it for one user.
    ///
    /// # Errors
    /// Rows go nowhere. All else is told, and counts in the session's exit code.
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop>;
}
