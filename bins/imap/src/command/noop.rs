//! NOOP: tells news. RFC 3501 §6.1.2.

use imap_proto::Args;
use mailbox::Expunges;

use super::{After, Command, State};
use crate::session::{By, Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "NOOP",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    session.sync(Expunges::Show, By::Seq)?;
    Ok(Reply::ok("NOOP completed."))
}
