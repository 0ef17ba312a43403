//! Why a command failed, and the exit code that scripts know it by (sysexits.h, as Dovecot uses it).

use std::process::ExitCode;

/// The command line makes no sense.
pub const EX_USAGE: u8 = 64;
const EX_NOUSER: u8 = 67;
const EX_NOHOST: u8 = 68;
const EX_TEMPFAIL: u8 = 75;
const EX_NOPERM: u8 = 77;
const EX_CONFIG: u8 = 89;

/// A failed command. What belongs on standard output was printed before.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments contradict each other or lack something.
    #[error("{0}")]
    Usage(String),
    /// No user of this name.
    #[error("userdb lookup: user {0} doesn't exist")]
    NoUser(String),
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
            Self::Nobody(_) | Self::NoUser(_) => eprintln!("{line}"),
            Self::WrongPassword | Self::NoUserTold => {}
            Self::Usage(_) | Self::Config(_) => eprintln!("doveadm: Error: {line}"),
            Self::Temporary(_) => eprintln!("doveadm: Fatal: {line}"),
        }
        ExitCode::from(self.code())
    }

    /// What scripts test.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => EX_USAGE,
            Self::NoUser(_) | Self::NoUserTold => EX_NOUSER,
            Self::Nobody(_) => EX_NOHOST,
            Self::WrongPassword => EX_NOPERM,
            Self::Temporary(_) => EX_TEMPFAIL,
            Self::Config(_) => EX_CONFIG,
        }
    }
}
