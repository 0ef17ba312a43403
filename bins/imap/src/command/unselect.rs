//! UNSELECT: leaves the mailbox and expunges nothing. RFC 3691 §2.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "UNSELECT",
    valid_in: State::Selected,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    session.selected = None;
    Ok(Reply::ok("Unselect completed."))
}
