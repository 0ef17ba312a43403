//! EXPUNGE and UID EXPUNGE: removes `\Deleted` mail. RFC 3501 §6.4.3, RFC 4315 §2.1.

use imap_proto::{Args, SequenceSet, SyntaxError};
use mailbox::{Expunges, UidSet};

use super::{After, Command, State};
use crate::session::{By, Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "EXPUNGE",
    valid_in: State::Selected,
    after: After::Show,
    run,
};
pub const UID_COMMAND: Command = Command {
    name: "UID EXPUNGE",
    valid_in: State::Selected,
    after: After::ShowByUid,
    run: run_uid,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    expunge(session, None)
}

fn run_uid(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    args.space()
        .map_err(|_| SyntaxError::new("Missing arguments."))?;
    let set = SequenceSet::take(&mut args).map_err(|_| SyntaxError::new("Invalid uidset."))?;
    args.end()?;
    let Some(selected) = &session.selected else {
        return Ok(completed());
    };
    let uids = selected.uids(&selected.resolve(&set, By::Uid)?);
    expunge(session, Some(&uids))
}

fn expunge(session: &mut Session<'_>, within: Option<&UidSet>) -> Result<Reply, Failure> {
    let Some(selected) = &mut session.selected else {
        return Ok(completed());
    };
    // As Dovecot: in a read-only mailbox there is nothing to remove, and that is no error.
    if selected.is_writable() && within.is_none_or(|uids| !uids.is_empty()) {
        selected.mailbox.expunge(within)?;
        let synced = selected.sync(&mut session.client, Expunges::Show, By::Seq)?;
        session.counters.expunged += synced.expunged;
    }
    Ok(completed())
}

fn completed() -> Reply {
    Reply::ok("Expunge completed.")
}
