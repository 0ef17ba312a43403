//! What auth asks auth-worker. Socket: `auth-worker` (/run/culver/auth-worker/auth-worker).
//!
//! One request at a time per connection; auth opens as many connections as it may have workers.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Secret, Username};

/// From auth.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// First message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// Does PAM let this user in?
    Pam {
        /// PAM service: a file in /etc/pam.d.
        service: String,
        /// The user.
        user: Username,
        /// Its password.
        password: Secret,
        /// The client's address (`PAM_RHOST`).
        remote: Option<IpAddr>,
        /// What to do besides.
        extras: Extras,
    },
}

/// Steps that only some PAM modules need (`args` of the passdb).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extras {
    /// `session=yes`: open a session and close it at once.
    pub session: bool,
    /// `setcred=yes`: establish credentials.
    pub setcred: bool,
}

/// From auth-worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// Answer to the first message.
    Hello {
        /// [`crate::VERSION`].
        version: u16,
    },
    /// What PAM said.
    Verdict(Verdict),
}

/// What PAM said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Let in; PAM may have changed the name.
    Accepted {
        /// The name afterwards.
        user: Username,
    },
    /// Not let in.
    Refused {
        /// What PAM means.
        reason: Refusal,
        /// What it said, for the log: `pam_authenticate() failed: Authentication failure`.
        text: String,
    },
    /// PAM is out of order.
    Failed {
        /// What it said, for the log.
        reason: String,
    },
}

/// Why PAM lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Wrong password.
    Mismatch,
    /// PAM does not know the user.
    UnknownUser,
    /// The account is locked or has expired.
    Disabled,
    /// The password has expired.
    PasswordExpired,
}
