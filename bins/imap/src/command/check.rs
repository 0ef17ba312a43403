//! CHECK: a checkpoint. What was acknowledged is on disk already, so it only tells news. RFC 3501 §6.4.1.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "CHECK",
    valid_in: State::Selected,
    after: After::Show,
    run,
};

fn run(_session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    Ok(Reply::ok("Check completed."))
}
