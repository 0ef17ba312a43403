//! IMAP before authentication. RFC 3501 §6.1, §6.2.

use imap_proto::{Command, Decoder, Event, HeadError, Limits, Messages, Refusal, Tag};
use login::{Client, Ended};
use zeroize::Zeroize as _;

use crate::answer::{self, Answer};
use crate::{authenticate, capability};

/// Wrong commands before the connection ends.
const MAX_BAD: u32 = 10;

/// Talks to a client until it is handed over or gone.
pub async fn run(client: &mut Client) -> Ended {
    let greeting = format!(
        "* OK [CAPABILITY {}] {}\r\n",
        capability::list(client),
        client.settings().login_greeting
    );
    if client.write(greeting.as_bytes()).await.is_err() {
        return Ended::Disconnected("Connection closed");
    }
    let mut decoder = Decoder::new(Limits::PRE_AUTH, Messages::Buffered);
    let mut bad = 0;
    loop {
        let (taken, event) = decoder.feed(client.input());
        client.consume(taken);
        let answer = match event {
            Event::Incomplete => match client.read().await {
                Ok(0) | Err(_) => return Ended::Disconnected("Connection closed"),
                Ok(_) => continue,
            },
            Event::NeedContinuation { .. } => Answer::Line("+ OK\r\n".to_owned()),
            Event::Command(command) => {
                let answer = execute(client, &command).await;
                // There may have been a password in it.
                command.into_bytes().zeroize();
                answer
            }
            Event::Refused { tag, reason } => refused(tag.as_ref(), reason),
            // Messages are buffered, that is, never asked for.
            Event::Message { .. } => too_long("Command too long"),
        };
        if matches!(answer, Answer::Bad(_)) {
            bad += 1;
        }
        if let Some(ended) = give(client, answer, &mut decoder).await {
            return ended;
        }
        if bad >= MAX_BAD {
            let bye = b"* BYE Too many invalid IMAP commands.\r\n";
            // Gone or not, it is over.
            let _ = client.write(bye).await;
            return Ended::Disconnected("Too many invalid commands");
        }
    }
}

/// Sends an answer. `Some`: the session is over.
async fn give(client: &mut Client, answer: Answer, decoder: &mut Decoder) -> Option<Ended> {
    match answer {
        Answer::Line(line) | Answer::Bad(line) => {
            let sent = client.write(line.as_bytes()).await;
            sent.is_err()
                .then_some(Ended::Disconnected("Connection closed"))
        }
        Answer::StartTls(line) => {
            if client.write(line.as_bytes()).await.is_err() || client.start_tls().await.is_err() {
                return Some(Ended::Disconnected("TLS handshaking failed"));
            }
            *decoder = Decoder::new(Limits::PRE_AUTH, Messages::Buffered);
            None
        }
        Answer::HandedOver { worker_pid } => Some(Ended::HandedOver { worker_pid }),
        Answer::Close(line, reason) => {
            // Gone or not, it is over.
            let _ = client.write(line.as_bytes()).await;
            Some(Ended::Disconnected(reason))
        }
    }
}

async fn execute(client: &mut Client, command: &Command) -> Answer {
    let head = match command.head() {
        Ok(head) => head,
        Err(HeadError::Tag) => {
            return Answer::Bad("* BAD Error in IMAP command received by server.\r\n".to_owned());
        }
        Err(HeadError::Name(tag)) => {
            return answer::bad(&tag, "Error in IMAP command received by server.");
        }
    };
    let (tag, mut args) = (head.tag, head.args);
    match head.name.as_str() {
        "LOGIN" => authenticate::login(client, &tag, args).await,
        "AUTHENTICATE" => authenticate::authenticate(client, &tag, args).await,
        "ID" => match imap_proto::id::take(&mut args) {
            Ok(_) => Answer::Line(format!(
                "* ID (\"name\" \"Culver\")\r\n{tag} OK ID completed.\r\n"
            )),
            Err(error) => answer::bad(&tag, &error.text),
        },
        "CAPABILITY" | "NOOP" | "LOGOUT" | "STARTTLS" => match args.end() {
            Ok(()) => plain(client, &head.name, &tag),
            Err(error) => answer::bad(&tag, &error.text),
        },
        _ => answer::bad(&tag, "Error in IMAP command received by server."),
    }
}

/// The commands without arguments.
fn plain(client: &Client, name: &str, tag: &Tag) -> Answer {
    match name {
        "CAPABILITY" => {
            let list = capability::list(client);
            Answer::Line(format!(
                "* CAPABILITY {list}\r\n{tag} OK Pre-login capabilities listed, post-login capabilities have more.\r\n"
            ))
        }
        "NOOP" => answer::ok(tag, "NOOP completed."),
        "LOGOUT" => Answer::Close(
            format!("* BYE Logging out\r\n{tag} OK Logout completed.\r\n"),
            "Aborted login by logging out",
        ),
        _ if client.offers_tls() => {
            Answer::StartTls(format!("{tag} OK Begin TLS negotiation now.\r\n"))
        }
        _ => answer::bad(tag, "TLS support isn't enabled, or TLS is active already."),
    }
}

/// A command beyond the limits. What is left of it must not be read as commands.
fn refused(tag: Option<&Tag>, reason: Refusal) -> Answer {
    match (reason, tag) {
        // Nothing follows: the client waits for our word.
        (
            Refusal::LiteralTooLong {
                sync: imap_proto::Sync::Waits,
                ..
            },
            Some(tag),
        ) => answer::bad(tag, "[TOOBIG] Literal too long."),
        (Refusal::LineTooLong, _) => too_long("Input line too long"),
        _ => too_long("Literal too long"),
    }
}

fn too_long(what: &'static str) -> Answer {
    Answer::Close(format!("* BAD {what}.\r\n* BYE {what}.\r\n"), what)
}
