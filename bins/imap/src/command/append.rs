//! APPEND: saves a message that the client sends. RFC 3501 §6.3.11, RFC 4315 §3.
//!
//! *Invariant:* the message goes through in pieces; no more of it than one piece is ever in memory.

use imap_proto::append::Append;
use imap_proto::date::DateTime;
use imap_proto::{Args, Sync, SyntaxError};
use mailbox::{Appended, MailDate, MailboxName, NewMail};

use super::{After, Command, State};
use crate::session::{Announced, Failure, Reply, Session, Upload};

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
    let Some(announced) = session.announced else {
        return Err(SyntaxError::new("Missing message size.").into());
    };
    let (flags, keywords) = super::flags_and_keywords(&append.flags, session.settings)?;
    let name = session.mailbox_name(&append.mailbox)?;
    if announced.size == 0 {
        return Err(Reply::no("Can't save a zero byte message.").into());
    }
    if announced.sync == Sync::Sends
        && announced.size > LITERAL_MINUS
        && session.settings.imap_literal_minus
    {
        return Err(Reply::bad("Non-synchronizing literal size too large.")
            .with_code("TOOBIG")
            .into());
    }
    let mail = NewMail {
        flags,
        keywords,
        internal_date: append.date.map(mail_date),
        ..NewMail::default()
    };
    let appended = save(session, announced, &name, &mail)?;
    session.counters.appended += 1;
    let uid = appended.uids.first().map_or(0, |uid| uid.get());
    Ok(Reply::ok("Append completed.")
        .with_code(format!("APPENDUID {} {uid}", appended.uid_validity)))
}

/// From the client into the mailbox. The message is not there before its line has ended well.
fn save(
    session: &mut Session<'_>,
    announced: Announced,
    name: &MailboxName,
    mail: &NewMail,
) -> Result<Appended, Failure> {
    let mut saving = session.store.begin_save(name).map_err(super::try_create)?;
    if announced.sync == Sync::Waits {
        session.client.line("+ OK")?;
    }
    session.announced = None;
    let mut upload = Upload::new(&mut session.client, announced.size);
    let saved = saving.save(mail, &mut upload);
    // Whatever became of it, its bytes are no commands.
    upload.discard()?;
    let rest = session.client.end_of_append()?;
    saved?;
    if !rest.is_empty() {
        return Err(Reply::bad("MULTIAPPEND is not supported.").into());
    }
    Ok(saving.commit()?)
}

fn mail_date(date: DateTime) -> MailDate {
    MailDate {
        seconds: date.unix,
        offset_minutes: i16::try_from(date.offset / 60).unwrap_or(0),
    }
}
