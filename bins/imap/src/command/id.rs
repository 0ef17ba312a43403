//! ID: who are you, who are we. RFC 2971.

use imap_proto::{Args, id, write};

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session, Settings};

pub const COMMAND: Command = Command {
    name: "ID",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    // Dovecot answers an ID without arguments too.
    let theirs = if args.is_empty() {
        Vec::new()
    } else {
        id::take(&mut args)?
    };
    if let Some(text) = log_text(&theirs, &session.settings.imap_id_log) {
        session.who.info(format_args!("ID sent: {text}"));
    }
    let ours = ours(session.settings);
    session.client.write_with(|out| {
        out.extend_from_slice(b"* ID ");
        if ours.is_empty() {
            out.extend_from_slice(b"NIL");
        } else {
            write::list(
                out,
                ours.iter().flat_map(|(name, value)| [name, value]),
                |out, word| {
                    write::string(out, word.as_bytes());
                },
            );
        }
        out.extend_from_slice(b"\r\n");
    })?;
    Ok(Reply::ok("ID completed."))
}

/// `imap_id_send`: names and values in turns. `*` stands for what we know ourselves, and nothing else is told by it.
fn ours(settings: &Settings) -> Vec<(String, String)> {
    let mut words = settings.imap_id_send.split_whitespace();
    let mut fields = Vec::new();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        let value = match (value, name) {
            ("*", "name") => "Culver",
            ("*", "version") => env!("CARGO_PKG_VERSION"),
            ("*", "os") => "Linux",
            ("*", _) => continue,
            _ => value,
        };
        fields.push((name.to_owned(), value.to_owned()));
    }
    fields
}

/// `imap_id_log`: the names that are logged, or `*`.
fn log_text(theirs: &[id::Parameter<'_>], wanted: &str) -> Option<String> {
    let is_wanted = |name: &str| {
        wanted
            .split_whitespace()
            .any(|word| word == "*" || word.eq_ignore_ascii_case(name))
    };
    let fields: Vec<String> = theirs
        .iter()
        .map(|(name, value)| {
            (
                printable(name),
                value.as_deref().map_or_else(|| "NIL".to_owned(), printable),
            )
        })
        .filter(|(name, _)| is_wanted(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    (!fields.is_empty()).then(|| fields.join(", "))
}

/// Clients' words in a log line: nothing in them can end it or look like another.
fn printable(bytes: &[u8]) -> String {
    const LONGEST: usize = 200;
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    bytes
        .iter()
        .map(|byte| {
            if matches!(byte, b' '..=b'~') {
                char::from(*byte)
            } else {
                '?'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_say_of_ourselves() {
        let with = |text: &str| {
            ours(&Settings {
                imap_id_send: text.to_owned(),
                ..Settings::default()
            })
        };
        assert_eq!(with("name *"), [("name".to_owned(), "Culver".to_owned())]);
        assert_eq!(with("name x support-url *").len(), 1);
        assert!(with("").is_empty());
    }

    #[test]
    fn what_is_logged() {
        let theirs = [
            (b"name".as_slice().into(), Some(b"a\r\nb".as_slice().into())),
            (b"os".as_slice().into(), None),
        ];
        assert_eq!(log_text(&theirs, "*").as_deref(), Some("name=a??b, os=NIL"));
        assert_eq!(log_text(&theirs, "OS").as_deref(), Some("os=NIL"));
        assert_eq!(log_text(&theirs, ""), None);
    }
}
