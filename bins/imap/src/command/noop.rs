//! NOOP: tells news. RFC 3501 §6.1.2.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "NOOP",
    valid_in: State::Authenticated,
    after: After::Show,
    run,
};

fn run(_session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    Ok(Reply::ok("NOOP completed."))
}
