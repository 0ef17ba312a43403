//! CHECK: a checkpoint. What was acknowledged is on disk already, so it only tells news. RFC 3501 §6.4.1.

use imap_proto::Args;
use mailbox::Expunges;

use super::{After, Command, State};
use crate::session::{By, Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "CHECK",
    valid_in: State::Selected,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    session.sync(Expunges::Show, By::Seq)?;
    Ok(Reply::ok("Check completed."))
}
