//! CAPABILITY: what this server can. RFC 3501 §6.1.1.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session, capabilities};

pub const COMMAND: Command = Command {
    name: "CAPABILITY",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    let capabilities = capabilities(session.settings);
    session
        .client
        .line(&format!("* CAPABILITY {capabilities}"))?;
    Ok(Reply::ok("Capability completed."))
}
