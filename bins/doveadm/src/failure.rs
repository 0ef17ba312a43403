//! Why a command failed, and the exit code that scripts know it by (sysexits.h, as Dovecot uses it).

use std::process::ExitCode;

/// The command line makes no sense.
pub const EX_USAGE: u8 = 64;
/// What was asked for cannot be done.
pub const EX_NOTPOSSIBLE: u8 = 65;
const EX_NOUSER: u8 = 67;
/// No such mailbox; nobody logged in.
pub const EX_NOHOST: u8 = 68;
/// No room.
pub const EX_CANTCREAT: u8 = 73;
/// Try again later.
pub const EX_TEMPFAIL: u8 = 75;
const EX_NOPERM: u8 = 77;
const EX_CONFIG: u8 = 89;

/// A failed command. What belongs on standard output was printed before.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments contradict each other or lack something.
    #[error("{0}")]
    Usage(String),
    /// The arguments are refused before anything is done.
    #[error("{0}")]
    Refused(String),
    /// Mail commands failed; standard error says so already.
    #[error("")]
    Mail(u8),
    /// The file is of no kind that doveadm knows.
    #[error("{0}")]
    Data(String),
    /// No user of this name.
    #[error("userdb lookup: user {0} doesn't exist")]
    NoUser(String),
    /// Mail of this user cannot be worked on.
    #[error("doveadm({0}): Error: {1}")]
    User(String, String),
    /// No user of this name, for a command on mail.
    #[error("doveadm({0}): Error: User doesn't exist")]
    UserMissing(String),
    /// No user of some name; standard error says so already.
    #[error("")]
    NoUserTold,
    /// Nobody matches.
    #[error("{0}")]
    Nobody(&'static str),
    /// The password is wrong; standard output says so already.
    #[error("")]
    WrongPassword,
    /// Try again later, or look at the log of the service.
    #[error("{0}")]
    Temporary(String),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] config::Error),
}

impl Failure {
    /// Prints the line for the administrator.
    pub fn tell(&self) -> ExitCode {
        let line = self.to_string();
        match self {
            Self::Nobody(_) | Self::NoUser(_) | Self::User(..) | Self::UserMissing(_) => {
                eprintln!("{line}");
            }
            Self::WrongPassword | Self::NoUserTold | Self::Mail(_) => {}
            Self::Usage(_) | Self::Config(_) => eprintln!("doveadm: Error: {line}"),
            Self::Temporary(_) | Self::Refused(_) | Self::Data(_) => {
                eprintln!("doveadm: Fatal: {line}");
            }
        }
        ExitCode::from(self.code())
    }

    /// What scripts test.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Refused(_) => EX_USAGE,
            Self::Data(_) => EX_NOTPOSSIBLE,
            Self::Mail(code) => *code,
            Self::NoUser(_) | Self::NoUserTold | Self::UserMissing(_) => EX_NOUSER,
            Self::Nobody(_) => EX_NOHOST,
            Self::WrongPassword => EX_NOPERM,
            Self::Temporary(_) | Self::User(..) => EX_TEMPFAIL,
            Self::Config(_) => EX_CONFIG,
        }
    }
}
