//! SUBSCRIBE: adds a name to those that LSUB tells. RFC 3501 §6.3.6.

use imap_proto::Args;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "SUBSCRIBE",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    args.space()?;
    let name = args.astring()?;
    args.end()?;
    let name = session.mailbox_name(&name)?;
    let entries = session.store.list(&[name.as_str().to_owned()])?;
    if !entries
        .iter()
        .any(|entry| entry.name == name && entry.selectable)
    {
        return Err(super::without_code(mailbox::Error::NotFound {
            mailbox: name,
        }));
    }
    session.store.subscribe(&name)?;
    Ok(Reply::ok("Subscribe completed."))
}
