//! APPEND: saves messages that the client sends, all or none. RFC 3501 §6.3.11, RFC 3502, RFC 4315 §3.
//!
//! *Invariant:* messages go through in pieces; no more of one than a piece is ever in memory.

use imap_proto::append::{Append, Message};
use imap_proto::date::DateTime;
use imap_proto::{Args, Sync, SyntaxError, write};
use mailbox::{Appended, MailDate, MailboxName, NewMail};

use super::{After, Command, State};
use crate::session::{Announced, Failure, Reply, Session, Settings, Upload};

pub const COMMAND: Command = Command {
    name: "APPEND",
    valid_in: State::Authenticated,
    after: After::Show,
    run,
};

/// Largest non-synchronising literal of LITERAL-. RFC 7888 §5.
const LITERAL_MINUS: u64 = 4096;

fn run(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    let append = Append::take(&mut args)?;
    if session.announced.is_none() {
        return Err(SyntaxError::new("Missing message size.").into());
    }
    let first = new_mail(session.settings, &append.message)?;
    let name = session.mailbox_name(&append.mailbox)?;
    check_size(session.settings, append.message.literal)?;
    let appended = save(session, &name, first)?;
    session.counters.appended += appended.uids.len() as u64;
    let mut code = format!("APPENDUID {} ", appended.uid_validity).into_bytes();
    write::uid_set(&mut code, appended.uids.iter().map(|uid| uid.get()));
    let code = String::from_utf8_lossy(&code).into_owned();
    Ok(Reply::ok("Append completed.").with_code(code))
}

/// From the client into the mailbox. No message is there before the line of the last one has ended well.
fn save(
    session: &mut Session<'_>,
    name: &MailboxName,
    mut mail: NewMail,
) -> Result<Appended, Failure> {
    let mut saving = session.store.begin_save(name).map_err(super::try_create)?;
    while let Some(announced) = session.announced {
        if announced.sync == Sync::Waits {
            session.client.line("+ OK")?;
        }
        session.announced = None;
        let mut upload = Upload::new(&mut session.client, announced.size);
        let saved = saving.save(&mail, &mut upload);
        // Whatever became of it, its bytes are no commands; nor are those of the next one.
        upload.discard()?;
        let line = session.client.end_of_append()?;
        session.announced = Announced::by(&line);
        saved?;
        if let Some(next) = Message::next(&line)? {
            mail = new_mail(session.settings, &next)?;
            check_size(session.settings, next.literal)?;
        }
    }
    Ok(saving.commit()?)
}

fn new_mail(settings: &Settings, message: &Message) -> Result<NewMail, Failure> {
    let (flags, keywords) = super::flags_and_keywords(&message.flags, settings)?;
    Ok(NewMail {
        flags,
        keywords,
        internal_date: message.date.map(mail_date),
        ..NewMail::default()
    })
}

fn check_size(settings: &Settings, (size, sync): (u64, Sync)) -> Result<(), Failure> {
    if size == 0 {
        return Err(Reply::no("Can't save a zero byte message.").into());
    }
    if sync == Sync::Sends && size > LITERAL_MINUS && settings.imap_literal_minus {
        return Err(Reply::bad("Non-synchronizing literal size too large.")
            .with_code("TOOBIG")
            .into());
    }
    Ok(())
}

fn mail_date(date: DateTime) -> MailDate {
    MailDate {
        seconds: date.unix,
        offset_minutes: i16::try_from(date.offset / 60).unwrap_or(0),
    }
}
