//! What PAM says, in the words that auth understands.

use std::net::IpAddr;

use ipc::worker_auth::{Extras, Refusal, Verdict};
use ipc::{Secret, Username};
use service::journal::{Clean, id};
use sys::pam::{self, Failure, Question, Reason};

/// `PAM_TTY`: what Dovecot sets, and pam_access files of installations name.
const TTY: &str = "dovecot";

/// One request of auth.
pub struct Asked {
    /// PAM service.
    pub service: String,
    /// Who.
    pub user: Username,
    /// The password.
    pub password: Secret,
    /// From where.
    pub remote: Option<IpAddr>,
    /// What besides.
    pub extras: Extras,
}

/// Asks PAM.
pub fn of(asked: &Asked) -> Verdict {
    // A name with a slash would be a path, outside of /etc/pam.d.
    if asked.service.is_empty() || asked.service.contains('/') || asked.service.starts_with('.') {
        return Verdict::Failed {
            reason: "invalid name of a PAM service".to_owned(),
        };
    }
    let remote = asked.remote.map(|address| address.to_string());
    let answer = pam::ask(&Question {
        service: &asked.service,
        user: asked.user.as_str(),
        password: asked.password.expose(),
        remote_host: remote.as_deref(),
        tty: TTY,
        extras: pam::Extras {
            session: asked.extras.session,
            setcred: asked.extras.setcred,
        },
    });
    // Greetings of those who get in are for nobody.
    let told = if answer.failure.is_some() {
        answer.messages.as_slice()
    } else {
        &[]
    };
    for message in told {
        tracing::info!(
            message_id = id::AUTH_FAILED,
            culver_user = asked.user.as_str(),
            "auth-worker: pam({}): {}",
            Clean(asked.user.as_str()),
            Clean(message)
        );
    }
    match answer.failure {
        None => accepted(asked, answer.user),
        Some(failure) => refused(&failure, &asked.service),
    }
}

fn accepted(asked: &Asked, user: Option<String>) -> Verdict {
    match user.map(Username::try_from) {
        None => Verdict::Accepted {
            user: asked.user.clone(),
        },
        Some(Ok(user)) => Verdict::Accepted { user },
        Some(Err(why)) => Verdict::Failed {
            reason: format!("PAM changed the user name to one that {why}"),
        },
    }
}

fn refused(failure: &Failure, service: &str) -> Verdict {
    let text = format!("{}() failed: {}", failure.call, failure.text);
    let refusal = |reason| Verdict::Refused {
        reason,
        text: text.clone(),
    };
    match failure.reason {
        Reason::Mismatch => refusal(Refusal::Mismatch),
        Reason::UnknownUser => refusal(Refusal::UnknownUser),
        Reason::Disabled => refusal(Refusal::Disabled),
        Reason::PasswordExpired => refusal(Refusal::PasswordExpired),
        Reason::Internal => Verdict::Failed {
            reason: format!("{text} (/etc/pam.d/{service} missing?)"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(service: &str, user: &str) -> Asked {
        Asked {
            service: service.to_owned(),
            user: Username::try_from(user.to_owned()).unwrap(),
            password: Secret::new(b"x".to_vec()),
            remote: None,
            extras: Extras::default(),
        }
    }

    #[test]
    fn services_are_names_not_paths() {
        for service in ["", "../../etc/passwd", "a/b", ".hidden"] {
            assert!(
                matches!(of(&asked(service, "demo")), Verdict::Failed { .. }),
                "{service}"
            );
        }
    }

    #[test]
    fn nobody_gets_in_through_a_service_that_is_not_there() {
        let verdict = of(&asked("culver-test-no-such-service", "no-such-user"));
        assert!(!matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
    }

    #[test]
    fn reasons_keep_their_meaning() {
        let failure = |reason| Failure {
            call: "pam_authenticate",
            reason,
            text: "Authentication failure".to_owned(),
        };
        let Verdict::Refused { reason, text } = refused(&failure(Reason::Mismatch), "culver")
        else {
            panic!()
        };
        assert_eq!(
            (reason, text.as_str()),
            (
                Refusal::Mismatch,
                "pam_authenticate() failed: Authentication failure"
            )
        );
        let Verdict::Failed { reason } = refused(&failure(Reason::Internal), "culver") else {
            panic!()
        };
        assert_eq!(
            reason,
            "pam_authenticate() failed: Authentication failure (/etc/pam.d/culver missing?)"
        );
    }
}
