//! LSUB: subscribed names. RFC 3501 §6.3.9.

use imap_proto::Args;
use imap_proto::list::List;
use mailbox::ListEntry;

use super::list::write_entry;
use super::{After, Command, State};
use crate::session::{Failure, Reply, Session, pattern};

pub const COMMAND: Command = Command {
    name: "LSUB",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    let list = List::take_lsub(&mut args)?;
    let patterns: Vec<String> = list
        .patterns
        .iter()
        .filter_map(|wire| pattern(&list.reference, wire))
        .collect();
    for entry in session.store.list_subscribed(&patterns)? {
        let attributes = attributes(&entry);
        write_entry(session, "LSUB", &entry, &attributes)?;
    }
    Ok(Reply::ok("Lsub completed."))
}

/// `\Noselect` here means that only something below is subscribed, not that the mailbox is none.
fn attributes(entry: &ListEntry) -> Vec<String> {
    let above = (!entry.subscribed).then(|| "\\Noselect".to_owned());
    above
        .into_iter()
        .chain(entry.special_use.iter().map(|word| word.0.clone()))
        .collect()
}
