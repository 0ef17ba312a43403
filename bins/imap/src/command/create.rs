//! CREATE: makes a mailbox. RFC 3501 §6.3.3.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "CREATE",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    args.space()?;
    let name = args.astring()?;
    args.end()?;
    let name = session.new_mailbox_name(&name)?;
    // It always exists, even where nothing is on disk yet. RFC 3501 §5.1.
    if name.is_inbox() {
        return Err(mailbox::Error::Exists { mailbox: name }.into());
    }
    session.store.create(&name)?;
    Ok(Reply::ok("Create completed."))
}
