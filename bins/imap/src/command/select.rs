//! SELECT and EXAMINE: opens a mailbox. RFC 3501 §6.3.1, §6.3.2.

use imap_proto::Args;
use mailbox::Access;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Selected, Session};

pub const COMMAND: Command = Command {
    name: "SELECT",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run: select,
};
pub const EXAMINE_COMMAND: Command = Command {
    name: "EXAMINE",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run: examine,
};

fn select(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    open(session, args, Access::ReadWrite)?;
    Ok(opened(session, "Select completed."))
}

fn examine(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    open(session, args, Access::ReadOnly)?;
    Ok(opened(session, "Examine completed."))
}

fn open(session: &mut Session<'_>, mut args: Args<'_>, access: Access) -> Result<(), Failure> {
    args.space()?;
    let wire = args.astring()?;
    args.end()?;
    // A SELECT that fails leaves no mailbox selected. RFC 3501 §6.3.1.
    if session.selected.take().is_some() {
        session
            .client
            .line("* OK [CLOSED] Previous mailbox closed.")?;
    }
    let name = session.mailbox_name(&wire)?;
    let mailbox = session
        .store
        .open(&name, access)
        .map_err(super::without_code)?;
    let mut selected = Selected::new(mailbox);
    selected.tell_flags(&mut session.client)?;
    selected.tell_size(&mut session.client)?;
    if let Some(seq) = selected.mailbox.first_unseen() {
        session
            .client
            .line(&format!("* OK [UNSEEN {seq}] First unseen."))?;
    }
    let status = selected.mailbox.status();
    session.client.line(&format!(
        "* OK [UIDVALIDITY {}] UIDs valid",
        status.uid_validity
    ))?;
    session.client.line(&format!(
        "* OK [UIDNEXT {}] Predicted next UID",
        status.uid_next
    ))?;
    session.selected = Some(selected);
    Ok(())
}

fn opened(session: &Session<'_>, text: &'static str) -> Reply {
    let writable = session.selected.as_ref().is_some_and(Selected::is_writable);
    Reply::ok(text).with_code(if writable { "READ-WRITE" } else { "READ-ONLY" })
}
