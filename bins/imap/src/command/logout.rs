//! LOGOUT: ends the session. RFC 3501 §6.1.3.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{EndReason, Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "LOGOUT",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    session.leaving = Some(EndReason::LoggedOut);
    session.client.line("* BYE Logging out")?;
    Ok(Reply::ok("Logout completed."))
}
