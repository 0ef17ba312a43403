//! PLAIN: `[authzid] NUL authcid NUL passwd`. RFC 4616 §2.

use crate::credentials::{Credentials, Malformed, Password, user};

/// Parses the one message of the mechanism.
pub(crate) fn credentials(message: &[u8]) -> Result<Credentials, Malformed> {
    let mut fields = message.split(|byte| *byte == 0);
    let (Some(authzid), Some(authcid), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Malformed::Parts);
    };
    Ok(Credentials {
        authzid: if authzid.is_empty() {
            None
        } else {
            Some(user(authzid)?)
        },
        authcid: user(authcid)?,
        password: Password::new(password)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_PASSWORD, MAX_USER};

    #[test]
    fn reads_the_examples_of_rfc_4616() {
        let plain = credentials(b"\0tim\0tanstaaftanstaaf").unwrap();
        assert_eq!((plain.authzid, plain.authcid.as_str()), (None, "tim"));
        assert_eq!(plain.password.as_bytes(), b"tanstaaftanstaaf");

        let as_ursel = credentials(b"Ursel\0Kurt\0xipj3plmq").unwrap();
        assert_eq!(as_ursel.authzid.as_deref(), Some("Ursel"));
        assert_eq!(as_ursel.authcid, "Kurt");
    }

    #[test]
    fn every_truncation_is_an_error_or_a_shorter_password() {
        let message = b"Ursel\0Kurt\0xipj3plmq";
        for len in 0..message.len() {
            let result = credentials(&message[..len]);
            if len <= b"Ursel\0Kurt\0".len() {
                assert!(result.is_err(), "{len}");
            } else {
                assert_eq!(result.unwrap().password.as_bytes(), &message[11..len]);
            }
        }
    }

    #[test]
    fn hostile_messages_are_refused() {
        let cases: &[(&[u8], Malformed)] = &[
            (b"", Malformed::Parts),
            (b"\0", Malformed::Parts),
            (b"\0\0", Malformed::EmptyUser),
            (b"\0\0pw", Malformed::EmptyUser),
            (b"\0alice\0", Malformed::EmptyPassword),
            (b"\0alice\0pw\0", Malformed::Parts),
            (b"\0\0\0", Malformed::Parts),
            (b"\0\xf3(\xf0\x9f\0x", Malformed::NotUtf8),
            (b"\xc3\0alice\0x", Malformed::NotUtf8),
        ];
        for (message, error) in cases {
            assert_eq!(credentials(message).unwrap_err(), *error, "{message:?}");
        }
    }

    #[test]
    fn lengths_are_bounded_exactly() {
        let message = |user: usize, password: usize| {
            [&b"\0"[..], &vec![b'u'; user], b"\0", &vec![b'p'; password]].concat()
        };
        assert!(credentials(&message(MAX_USER, MAX_PASSWORD)).is_ok());
        assert_eq!(
            credentials(&message(MAX_USER + 1, 1)).unwrap_err(),
            Malformed::LongUser
        );
        assert_eq!(
            credentials(&message(1, MAX_PASSWORD + 1)).unwrap_err(),
            Malformed::LongPassword
        );
    }

    #[test]
    fn a_latin_1_password_is_a_password() {
        assert_eq!(
            credentials(b"\0alice\0p\xe4ss")
                .unwrap()
                .password
                .as_bytes(),
            b"p\xe4ss"
        );
    }
}
