//! LOGIN and AUTHENTICATE. RFC 3501 §6.2.2, §6.2.3; SASL-IR: RFC 4959.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imap_proto::{Args, Decoder, Event, Limits, Messages, Tag};
use ipc::login_auth::Failure;
use ipc::{Secret, Token};
use login::{Client, HandedOver, Step};
use zeroize::Zeroizing;

use crate::answer::{self, Answer};
use crate::capability;

/// No password before TLS, and the client is told what it has done.
const EXPOSED: &str = "* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but \
                       your client did it anyway. If anyone was listening, the password was \
                       exposed.\r\n";
const PRIVACY: &str =
    "[PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.";

/// LOGIN: user and password become SASL PLAIN, the one way to auth.
pub async fn login(client: &mut Client, tag: &Tag, mut args: Args<'_>) -> Answer {
    let credentials = (|| {
        args.space()?;
        let user = args.astring()?;
        args.space()?;
        let password = args.astring()?;
        args.end().map(|()| (user, password))
    })();
    let Ok((user, password)) = credentials else {
        return answer::bad(tag, "Invalid arguments.");
    };
    let password = Zeroizing::new(password.into_owned());
    if !client.allows_plaintext() {
        return Answer::Line(format!("{EXPOSED}{tag} NO {PRIVACY}\r\n"));
    }
    if user.contains(&0) || password.contains(&0) {
        return answer::bad(tag, "NUL is not allowed in a user name or password.");
    }
    let mut plain = Vec::with_capacity(user.len() + password.len() + 2);
    plain.push(0);
    plain.extend_from_slice(&user);
    plain.push(0);
    plain.extend_from_slice(&password);
    match client.authenticate("PLAIN", Some(Secret::new(plain))).await {
        Ok((_, Step::Success { token, .. })) => hand_over(client, tag, token).await,
        Ok((_, Step::Failure(reason))) | Err(reason) => answer::failure(tag, reason),
        Ok((_, Step::Challenge(_))) => answer::failure(tag, Failure::Unavailable),
    }
}

/// AUTHENTICATE: passes challenges and responses between client and auth.
pub async fn authenticate(client: &mut Client, tag: &Tag, args: Args<'_>) -> Answer {
    let Some((mech, initial)) = arguments(args) else {
        return answer::bad(tag, "Invalid arguments.");
    };
    if capability::is_plaintext(&mech) && !client.allows_plaintext() {
        return answer::no(tag, PRIVACY);
    }
    let initial = match initial.map(initial_response).transpose() {
        Ok(initial) => initial,
        Err(NotBase64) => return answer::bad(tag, "Invalid base64 data in initial response."),
    };
    let (mut exchange, mut step) = match client.authenticate(&mech, initial).await {
        Ok(begun) => begun,
        Err(reason) => return answer::failure(tag, reason),
    };
    loop {
        step = match step {
            Step::Success { token, .. } => return hand_over(client, tag, token).await,
            Step::Failure(reason) => return answer::failure(tag, reason),
            Step::Challenge(challenge) => match ask(client, &challenge).await {
                Ok(response) => match exchange.answer(response, client).await {
                    Ok(step) => step,
                    Err(reason) => return answer::failure(tag, reason),
                },
                Err(error) => return aborted(tag, error),
            },
        };
    }
}

fn arguments(mut args: Args<'_>) -> Option<(String, Option<&[u8]>)> {
    args.space().ok()?;
    let mech = String::from_utf8(args.atom().ok()?.to_vec()).ok()?;
    if args.is_empty() {
        return Some((mech, None));
    }
    args.space().ok()?;
    Some((mech, Some(args.rest())))
}

struct NotBase64;

/// `=` stands for an empty response. RFC 4959 §3.
fn initial_response(text: &[u8]) -> Result<Secret, NotBase64> {
    if text == b"=" {
        return Ok(Secret::new(Vec::new()));
    }
    STANDARD
        .decode(text)
        .map(Secret::new)
        .map_err(|_| NotBase64)
}

enum Unanswered {
    /// The client sent `*`.
    Cancelled,
    NotBase64,
    TooLong,
    Gone,
}

/// Sends a challenge and waits for the client's line.
async fn ask(client: &mut Client, challenge: &[u8]) -> Result<Secret, Unanswered> {
    let line = format!("+ {}\r\n", STANDARD.encode(challenge));
    client
        .write(line.as_bytes())
        .await
        .map_err(|_| Unanswered::Gone)?;
    let mut decoder = Decoder::new(Limits::PRE_AUTH, Messages::Buffered);
    loop {
        let (taken, event) = decoder.feed_line(client.input());
        client.consume(taken);
        match event {
            Event::Command(line) => return response(&Zeroizing::new(line.into_bytes())),
            Event::Incomplete => {}
            _ => return Err(Unanswered::TooLong),
        }
        match client.read().await {
            Ok(0) | Err(_) => return Err(Unanswered::Gone),
            Ok(_) => {}
        }
    }
}

/// `*` gives up. RFC 3501 §6.2.2.
fn response(line: &[u8]) -> Result<Secret, Unanswered> {
    if line == b"*" {
        return Err(Unanswered::Cancelled);
    }
    let decoded = STANDARD.decode(line);
    decoded.map(Secret::new).map_err(|_| Unanswered::NotBase64)
}

fn aborted(tag: &Tag, why: Unanswered) -> Answer {
    match why {
        Unanswered::Cancelled => answer::bad(tag, "Authentication aborted by client."),
        Unanswered::NotBase64 => answer::bad(tag, "Invalid base64 data in continued response."),
        Unanswered::TooLong => Answer::Close(
            "* BYE Authentication response too long.\r\n".to_owned(),
            "Too long response",
        ),
        Unanswered::Gone => Answer::Close(String::new(), "Connection closed"),
    }
}

async fn hand_over(client: &mut Client, tag: &Tag, token: Token) -> Answer {
    match client.hand_off(token, tag.as_str()).await {
        Ok(HandedOver::To { worker_pid }) => Answer::HandedOver { worker_pid },
        Ok(HandedOver::Nobody(why)) => answer::refusal(tag, why),
        Err(_) => Answer::Close(String::new(), "Connection closed"),
    }
}
