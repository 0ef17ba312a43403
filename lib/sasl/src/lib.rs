//! SASL mechanisms as pure state machines: bytes of a client in, the next step out. No I/O, no base64, no password check.
//!
//! Callers: `auth`, which gets the responses as a login process received them, already decoded.
//!
//! A mechanism is consumed by each response, so a wrong step cannot be written down:
//!
//! ```
//! use sasl::{Mech, Step};
//!
//! let Ok(Step::Challenge { next, .. }) = Mech::Plain.begin(None) else { return };
//! let Ok(Step::Credentials(credentials)) = next.feed(b"\0alice\0secret") else { return };
//! assert_eq!(credentials.authcid, "alice");
//! ```

mod credentials;
mod login;
mod plain;

pub use credentials::{Credentials, Malformed, Password};

/// Longest user name (authentication or authorization identity) in bytes.
pub const MAX_USER: usize = 255;
/// Longest password in bytes. Hashing costs grow with it, and nobody types more.
pub const MAX_PASSWORD: usize = 1024;
/// Longest response that any mechanism here can accept: PLAIN with both identities.
pub const MAX_RESPONSE: usize = 2 * MAX_USER + MAX_PASSWORD + 2;

/// The mechanisms that the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mech {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login-00: two questions, two answers. Old Outlook speaks nothing else.
    Login,
}

impl Mech {
    /// The mechanism of this name; case does not matter (RFC 3501 §6.2.2). `None`: we do not have it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Plain, Self::Login]
            .into_iter()
            .find(|mech| mech.name().eq_ignore_ascii_case(name))
    }

    /// Its registered name, as CAPABILITY and logs write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// Begins an exchange. `initial` is the initial response (RFC 4959); `None`: the client sent none, which differs
    /// from an empty one.
    ///
    /// # Errors
    /// The initial response breaks the mechanism's rules.
    pub fn begin(self, initial: Option<&[u8]>) -> Result<Step, Malformed> {
        let (server, prompt): (Server, &'static [u8]) = match self {
            Self::Plain => (Server(State::Plain), b""),
            Self::Login => (Server(State::LoginUser), login::USER_PROMPT),
        };
        match initial {
            // LOGIN has no initial response of its own: an empty one says nothing, a full one is the user name.
            Some(b"") if self == Self::Login => Ok(Step::Challenge {
                prompt,
                next: server,
            }),
            Some(response) => server.feed(response),
            None => Ok(Step::Challenge {
                prompt,
                next: server,
            }),
        }
    }
}

/// What the server does next.
#[derive(Debug)]
pub enum Step {
    /// Send `prompt` (possibly empty; base64 is the protocol's business) and feed the answer to `next`.
    Challenge {
        /// The bytes to send.
        prompt: &'static [u8],
        /// Waits for the answer.
        next: Server,
    },
    /// The exchange is complete. Nothing is proved yet: somebody must check the password.
    Credentials(Credentials),
}

/// An exchange that waits for the client's next response.
#[derive(Debug)]
pub struct Server(State);

#[derive(Debug)]
enum State {
    Plain,
    LoginUser,
    LoginPassword { user: String },
}

impl Server {
    /// Takes the client's response, decoded from base64.
    ///
    /// # Errors
    /// The response breaks the mechanism's rules: the exchange has failed.
    pub fn feed(self, response: &[u8]) -> Result<Step, Malformed> {
        match self.0 {
            State::Plain => plain::credentials(response).map(Step::Credentials),
            State::LoginUser => {
                let next = Self(State::LoginPassword {
                    user: login::user(response)?,
                });
                Ok(Step::Challenge {
                    prompt: login::PASSWORD_PROMPT,
                    next,
                })
            }
            State::LoginPassword { user } => {
                login::credentials(user, response).map(Step::Credentials)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Mech::from_name("plain"), Some(Mech::Plain));
        assert_eq!(Mech::from_name("LOGIN"), Some(Mech::Login));
        for unknown in ["", "EXTERNAL", "NTLM", "PLAIN ", "XYZ", "ANONYMOUS"] {
            assert_eq!(Mech::from_name(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn no_initial_response_and_an_empty_one_differ() {
        assert!(matches!(
            Mech::Plain.begin(None),
            Ok(Step::Challenge { prompt: b"", .. })
        ));
        assert!(matches!(
            Mech::Plain.begin(Some(b"")),
            Err(Malformed::Parts)
        ));
        assert!(matches!(
            Mech::Login.begin(Some(b"")),
            Ok(Step::Challenge {
                prompt: b"Username:",
                ..
            })
        ));
    }

    #[test]
    fn secrets_are_not_printed() {
        let Ok(Step::Credentials(credentials)) = Mech::Plain.begin(Some(b"\0alice\0hunter2"))
        else {
            panic!()
        };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error() {
        bolero::check!().for_each(|bytes| {
            for mech in [Mech::Plain, Mech::Login] {
                let mut step = mech.begin(bytes.first().map(|_| bytes));
                while let Ok(Step::Challenge { next, .. }) = step {
                    step = next.feed(bytes);
                }
                if let Ok(Step::Credentials(credentials)) = step {
                    assert!((1..=MAX_USER).contains(&credentials.authcid.len()));
                    assert!((1..=MAX_PASSWORD).contains(&credentials.password.as_bytes().len()));
                }
            }
        });
    }
}
