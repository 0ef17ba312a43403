//! RENAME: gives a mailbox and those below it another name. RFC 3501 §6.3.5.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "RENAME",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    args.space()?;
    let from = args.astring()?;
    args.space()?;
    let to = args.astring()?;
    args.end()?;
    let (from, to) = (session.mailbox_name(&from)?, session.new_mailbox_name(&to)?);
    session.store.rename(&from, &to)?;
    Ok(Reply::ok("Rename completed."))
}
