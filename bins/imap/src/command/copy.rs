//! COPY and UID COPY: the same mails in another mailbox too. RFC 3501 §6.4.7, RFC 4315 §3.

use imap_proto::{Args, write};
use mailbox::{Copied, MailboxName};

use super::{After, Command, State};
use crate::session::{By, Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "COPY",
    valid_in: State::Selected,
    after: After::Show,
    run,
};
pub const UID_COMMAND: Command = Command {
    name: "UID COPY",
    valid_in: State::Selected,
    after: After::ShowByUid,
    run: run_uid,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    run_by(session, args, By::Seq)
}

fn run_uid(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    run_by(session, args, By::Uid)
}

fn run_by(session: &mut Session<'_>, args: Args<'_>, by: By) -> Result<Reply, Failure> {
    match copy(session, args, by)? {
        Some(copied) => Ok(Reply::ok("Copy completed.").with_code(copy_uid(&copied))),
        None => Ok(Reply::ok("No messages found.")),
    }
}

/// Copies a set to a mailbox; `None`: no mail of the set is there.
pub fn copy(
    session: &mut Session<'_>,
    mut args: Args<'_>,
    by: By,
) -> Result<Option<Copied>, Failure> {
    args.space()?;
    let set = super::take_set(&mut args, by)?;
    args.space()?;
    let wire = args.astring()?;
    args.end()?;
    let name = session.mailbox_name(&wire)?;
    let Some(selected) = &mut session.selected else {
        return Ok(None);
    };
    let seqs = selected.resolve(&set, by)?;
    let uids = selected.uids(&seqs);
    if uids.is_empty() {
        return Ok(None);
    }
    let copied = session
        .store
        .copy(&mut *selected.mailbox, &uids, &name)
        .map_err(super::try_create)?;
    if is_trash(session, &name) {
        session.counters.trashed += copied.to.len() as u64;
    }
    Ok(Some(copied).filter(|copied| !copied.to.is_empty()))
}

/// `COPYUID uidvalidity from to`
pub fn copy_uid(copied: &Copied) -> String {
    let mut code = format!("COPYUID {} ", copied.uid_validity).into_bytes();
    write::uid_set(&mut code, copied.from.iter().map(|uid| uid.get()));
    code.push(b' ');
    write::uid_set(&mut code, copied.to.iter().map(|uid| uid.get()));
    String::from_utf8_lossy(&code).into_owned()
}

/// Is this where mail goes before it is deleted? RFC 6154 §2; only the log wants to know.
fn is_trash(session: &Session<'_>, name: &MailboxName) -> bool {
    let uses = session.store.special_use(name);
    uses.iter()
        .any(|word| word.0.eq_ignore_ascii_case("\\Trash"))
}
