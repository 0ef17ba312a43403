//! MOVE and UID MOVE: mails go to another mailbox. RFC 6851 §3.

use imap_proto::Args;
use mailbox::{Expunges, UidSet};

use super::copy::{copy, copy_uid};
use super::{After, Command, State};
use crate::session::{By, Failure, Reply, Selected, Session};

pub const COMMAND: Command = Command {
    name: "MOVE",
    valid_in: State::Selected,
    after: After::Show,
    run,
};
pub const UID_COMMAND: Command = Command {
    name: "UID MOVE",
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

/// Copies, then removes what was copied: a mail may for a moment be in both places, never in none.
fn run_by(session: &mut Session<'_>, args: Args<'_>, by: By) -> Result<Reply, Failure> {
    if !session.selected.as_ref().is_some_and(Selected::is_writable) {
        return Err(Reply::no("Mailbox is read-only.").into());
    }
    let Some(copied) = copy(session, args, by)? else {
        return Ok(Reply::ok("No messages found."));
    };
    session
        .client
        .line(&format!("* OK [{}] Moved UIDs.", copy_uid(&copied)))?;
    if let Some(selected) = &mut session.selected {
        selected.mailbox.remove(&UidSet::from_iter(copied.from))?;
        let synced = selected.sync(&mut session.client, Expunges::Show, by)?;
        session.counters.expunged += synced.expunged;
    }
    Ok(Reply::ok("Move completed."))
}
