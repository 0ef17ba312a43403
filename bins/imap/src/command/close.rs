//! CLOSE: expunges `\Deleted` mail without a word, then leaves the mailbox. RFC 3501 §6.4.2.

use imap_proto::Args;
use mailbox::{Change, Expunges};

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "CLOSE",
    valid_in: State::Selected,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    if let Some(mut selected) = session.selected.take()
        && selected.is_writable()
    {
        let closed = selected
            .mailbox
            .expunge(None)
            .and_then(|()| selected.mailbox.sync(Expunges::Show));
        match closed {
            Ok(changes) => session.counters.expunged += expunged(&changes),
            // CLOSE has no NO: the client is out, and the mail is still there.
            Err(error) => session.log(&error),
        }
    }
    Ok(Reply::ok("Close completed."))
}

fn expunged(changes: &[Change]) -> u64 {
    changes
        .iter()
        .filter(|change| matches!(change, Change::Expunged { .. }))
        .count() as u64
}
