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
    },
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
    /// Wrong password.
    PasswordMismatch,
    /// PAM does not know the user.
    UnknownUser,
    /// The account or its password has expired, or the account is locked.
    Expired,
    /// PAM is out of order.
    Failed {
        /// What it said, for the log.
        reason: String,
    },
}
