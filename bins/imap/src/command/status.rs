//! STATUS: numbers of a mailbox without selecting it. RFC 3501 §6.3.10.

use imap_proto::Args;
use imap_proto::status::{self, StatusItem};
use mailbox::Status;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session, write_name};

pub const COMMAND: Command = Command {
    name: "STATUS",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    args.space()?;
    let wire = args.astring()?;
    args.space()?;
    let items = status::items(&mut args)?;
    args.end()?;
    let name = session.mailbox_name(&wire)?;
    let is_selected = session
        .selected
        .as_ref()
        .is_some_and(|selected| *selected.mailbox.name() == name);
    let status = session.store.status(&name).map_err(super::without_code)?;
    session.client.write_with(|out| {
        out.extend_from_slice(b"* STATUS ");
        write_name(out, name.as_str());
        out.extend_from_slice(b" (");
        let asked = StatusItem::ALL
            .into_iter()
            .filter(|item| items.contains(item));
        let words: Vec<String> = asked
            .map(|item| format!("{} {}", item.name(), value(item, &status)))
            .collect();
        out.extend_from_slice(words.join(" ").as_bytes());
        out.extend_from_slice(b")\r\n");
    })?;
    match is_selected {
        // RFC 3501 §6.3.10: clients should not do so.
        true => Ok(Reply::ok("Status on selected mailbox completed.").with_code("CLIENTBUG")),
        false => Ok(Reply::ok("Status completed.")),
    }
}

fn value(item: StatusItem, status: &Status) -> u32 {
    match item {
        StatusItem::Messages => status.messages,
        StatusItem::Recent => status.recent,
        StatusItem::UidNext => status.uid_next.get(),
        StatusItem::UidValidity => status.uid_validity.get(),
        StatusItem::Unseen => status.unseen,
    }
}
