//! DELETE: removes a mailbox. RFC 3501 §6.3.4.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "DELETE",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    args.space()?;
    let name = args.astring()?;
    args.end()?;
    let name = session.mailbox_name(&name)?;
    // A session cannot look into a mailbox that it has deleted itself.
    session
        .selected
        .take_if(|selected| *selected.mailbox.name() == name);
    session.store.delete(&name)?;
    Ok(Reply::ok("Delete completed."))
}
