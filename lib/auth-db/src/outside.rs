//! What databases need from the service around them: threads, PAM, a log.

use std::future::Future;
use std::net::IpAddr;

use zeroize::Zeroizing;

/// Which threads do some work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It waits: files, NSS.
    Lookup,
    /// It computes: slow hashes.
    Hash,
}

/// The service around the databases.
pub trait Outside {
    /// Runs `work` in another thread. `None`: it was not done (the service ends, or the work panicked).
    fn off_loop<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Option<T>>;

    /// Asks auth-worker.
    fn pam(&self, question: PamQuestion) -> impl Future<Output = PamVerdict>;

    /// Takes a line for the log.
    fn note(&self, note: Note);
}

/// What PAM is asked.
#[derive(Clone, Debug)]
pub struct PamQuestion {
    /// File in /etc/pam.d.
    pub service: String,
    /// The user.
    pub user: String,
    /// Its password.
    pub password: Zeroizing<Vec<u8>>,
    /// The client's address.
    pub remote: Option<IpAddr>,
    /// Open and close a session.
    pub session: bool,
    /// Establish credentials.
    pub setcred: bool,
}

/// What PAM says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PamVerdict {
    /// Let in; PAM may have changed the name.
    Accepted {
        /// The name afterwards.
        user: String,
    },
    /// Refused, with PAM's text.
    Refused {
        /// What it means.
        reason: PamRefusal,
        /// `pam_authenticate() failed: Authentication failure`, for the log.
        text: String,
    },
    /// Nobody answered; why, for the log.
    Failed(String),
}

/// Why PAM refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamRefusal {
    /// Wrong password.
    Mismatch,
    /// No such user.
    UnknownUser,
    /// The account is locked or has expired.
    Disabled,
    /// The password has expired.
    PasswordExpired,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How bad it is.
    pub level: Level,
    /// Driver or mechanism: what stands before the parenthesis.
    pub source: &'static str,
    /// Whom it is about: `alice`, and `master` beside it while a master user's password is checked.
    pub user: String,
    /// Whether the user is a master user.
    pub master: bool,
    /// The text. May hold anything a client sent: escape it.
    pub text: String,
}

/// How bad a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something happened that is nobody's failure.
    Notice,
    /// Somebody was refused, as should be.
    Info,
    /// An administrator must act.
    Error,
}
