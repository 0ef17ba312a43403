//! Lines of the log, in Dovecot's words: `auth: passwd-file(alice,192.0.2.1,<session>): Password mismatch`.

use auth_db::{Client, Level, Note};
use service::journal::{Clean, id};

/// Writes a database's note about a client's attempt.
pub fn note(client: &Client, note: &Note) {
    let remote = client
        .remote_ip()
        .map(|ip| ip.to_string())
        .unwrap_or_default();
    let session = client.session.as_deref().unwrap_or_default();
    let text = line(client, note);
    match note.level {
        Level::Notice => tracing::info!(
            culver_user = %Clean(&note.user),
            culver_session = session,
            culver_remote_ip = remote,
            "auth: {text}"
        ),
        Level::Info => tracing::info!(
            message_id = id::AUTH_FAILED,
            culver_user = %Clean(&note.user),
            culver_session = session,
            culver_remote_ip = remote,
            "auth: {text}"
        ),
        Level::Error => tracing::error!(
            message_id = id::AUTH_UNAVAILABLE,
            culver_user = %Clean(&note.user),
            culver_session = session,
            culver_remote_ip = remote,
            "auth: Error: {text}"
        ),
    }
}

/// `driver(user,address,master,<session>): text`, without what is not known.
fn line(client: &Client, note: &Note) -> String {
    let mut who = vec![Clean(&note.user).to_string()];
    who.extend(client.remote_ip().map(|ip| ip.to_string()));
    who.extend(note.master.then(|| "master".to_owned()));
    who.extend(
        client
            .session
            .as_ref()
            .map(|session| format!("<{session}>")),
    );
    format!("{}({}): {}", note.source, who.join(","), Clean(&note.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(user: &str, text: &str, master: bool) -> Note {
        Note {
            level: Level::Info,
            source: "passwd-file",
            user: user.to_owned(),
            master,
            text: text.to_owned(),
        }
    }

    #[test]
    fn lines_are_dovecots() {
        let client = Client {
            remote: Some("127.0.0.1:4711".parse().unwrap()),
            session: Some("SESS".to_owned()),
            ..Client::default()
        };
        assert_eq!(
            line(&client, &noted("alice", "Password mismatch", false)),
            "passwd-file(alice,127.0.0.1,<SESS>): Password mismatch"
        );
        assert_eq!(
            line(&client, &noted("admin", "unknown user", true)),
            "passwd-file(admin,127.0.0.1,master,<SESS>): unknown user"
        );
        assert_eq!(
            line(&Client::default(), &noted("nobody", "unknown user", false)),
            "passwd-file(nobody): unknown user"
        );
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let line = line(
            &Client::default(),
            &noted("eve\nNov 23 auth: x", "y\u{1b}[0m", false),
        );
        assert!(!line.contains(['\n', '\u{1b}']), "{line}");
    }
}
