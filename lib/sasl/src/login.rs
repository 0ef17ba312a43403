//! LOGIN: asks for the user name, then for the password. draft-murchison-sasl-login-00 §2.

use crate::credentials::{self, Credentials, Malformed, Password};

/// The first question. The draft says `User Name`, the world says this, and some clients compare it.
pub(crate) const USER_PROMPT: &[u8] = b"Username:";
/// The second question.
pub(crate) const PASSWORD_PROMPT: &[u8] = b"Password:";

/// The answer to the first question.
pub(crate) fn user(response: &[u8]) -> Result<String, Malformed> {
    credentials::user(response)
}

/// The answer to the second question ends the exchange.
pub(crate) fn credentials(user: String, response: &[u8]) -> Result<Credentials, Malformed> {
    Ok(Credentials {
        authzid: None,
        authcid: user,
        password: Password::new(response)?,
    })
}

#[cfg(test)]
mod tests {
    use crate::{Malformed, Mech, Step};

    /// Walks through the exchange, with the user name as initial response or as an answer.
    fn exchange(initial: Option<&[u8]>, answers: &[&[u8]]) -> Result<Step, Malformed> {
        let mut step = Mech::Login.begin(initial)?;
        for answer in answers {
            let Step::Challenge { next, .. } = step else {
                panic!("ended early")
            };
            step = next.feed(answer)?;
        }
        Ok(step)
    }

    #[test]
    fn asks_twice() {
        let Ok(Step::Challenge { prompt, next }) = Mech::Login.begin(None) else {
            panic!()
        };
        assert_eq!(prompt, b"Username:");
        let Ok(Step::Challenge { prompt, next }) = next.feed(b"alice") else {
            panic!()
        };
        assert_eq!(prompt, b"Password:");
        let Ok(Step::Credentials(credentials)) = next.feed(b"secret") else {
            panic!()
        };
        assert_eq!(
            (
                credentials.authcid.as_str(),
                credentials.password.as_bytes()
            ),
            ("alice", &b"secret"[..])
        );
        assert_eq!(credentials.authzid, None);
    }

    #[test]
    fn an_initial_response_is_the_user_name() {
        assert!(
            matches!(exchange(Some(b"alice"), &[b"secret"]), Ok(Step::Credentials(c)) if c.authcid == "alice")
        );
    }

    #[test]
    fn hostile_answers_are_refused() {
        let long = vec![b'x'; 1025];
        let cases: &[(&[&[u8]], Malformed)] = &[
            (&[b""], Malformed::EmptyUser),
            (&[b"al\0ice"], Malformed::Nul),
            (&[b"\xff"], Malformed::NotUtf8),
            (&[&long], Malformed::LongUser),
            (&[b"alice", b""], Malformed::EmptyPassword),
            (&[b"alice", b"a\0b"], Malformed::Nul),
            (&[b"alice", &long], Malformed::LongPassword),
        ];
        for (answers, error) in cases {
            assert_eq!(exchange(None, answers).unwrap_err(), *error, "{answers:?}");
        }
    }
}
