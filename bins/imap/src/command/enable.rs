//! ENABLE: switches extensions on. There is none yet that needs it. RFC 5161 §3.1.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "ENABLE",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(_session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    while !args.is_empty() {
        args.space()?;
        args.atom()?;
    }
    Ok(Reply::ok("Enabled."))
}
