//! LIST: names of mailboxes. RFC 3501 §6.3.8; CHILDREN (RFC 3348), SPECIAL-USE (RFC 6154) with the options of RFC 5258
//! that it needs.

use imap_proto::list::{List, Return, Selection};
use imap_proto::{Args, write};
use mailbox::ListEntry;

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session, pattern, write_name};

pub const COMMAND: Command = Command {
    name: "LIST",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, mut args: Args<'_>) -> Result<Reply, Failure> {
    let list = List::take(&mut args)?;
    let [first, ..] = list.patterns.as_slice() else {
        return Ok(completed());
    };
    if first.is_empty() && list.patterns.len() == 1 && list.select.is_empty() {
        tell_root(session, &list.reference)?;
        return Ok(completed());
    }
    let patterns: Vec<String> = list
        .patterns
        .iter()
        .filter_map(|wire| pattern(&list.reference, wire))
        .collect();
    let shows = Shows::new(&list);
    for entry in select(session, &list, &patterns)? {
        let attributes = shows.attributes(&entry);
        write_entry(session, "LIST", &entry, &attributes)?;
    }
    Ok(completed())
}

fn completed() -> Reply {
    Reply::ok("List completed.")
}

/// Which mailboxes: those that exist, or those that are subscribed.
fn select(
    session: &mut Session<'_>,
    list: &List<'_>,
    patterns: &[String],
) -> Result<Vec<ListEntry>, Failure> {
    let mut entries = match list.select.contains(&Selection::Subscribed) {
        true => session.store.list_subscribed(patterns)?,
        false => session.store.list(patterns)?,
    };
    if list.select.contains(&Selection::Subscribed) {
        entries.retain(|entry| entry.subscribed);
    }
    if list.select.contains(&Selection::SpecialUse) {
        entries.retain(|entry| !entry.special_use.is_empty());
    }
    Ok(entries)
}

/// Which attributes the client wants to see.
struct Shows {
    form: Form,
    children: Shown,
    special_use: Shown,
    subscribed: Shown,
}

#[derive(PartialEq, Eq)]
enum Form {
    Plain,
    /// Of RFC 5258: nothing is told that was not asked for.
    Extended,
}

#[derive(PartialEq, Eq)]
enum Shown {
    Yes,
    No,
}

impl Shows {
    fn new(list: &List<'_>) -> Self {
        let returns = list.returns.as_deref().unwrap_or_default();
        let extended = list.returns.is_some() || !list.select.is_empty() || list.patterns.len() > 1;
        let shown = |asked: bool| if asked { Shown::Yes } else { Shown::No };
        let selects = |option| list.select.contains(&option);
        Self {
            form: if extended {
                Form::Extended
            } else {
                Form::Plain
            },
            children: shown(!extended || returns.contains(&Return::Children)),
            special_use: shown(
                !extended
                    || returns.contains(&Return::SpecialUse)
                    || selects(Selection::SpecialUse),
            ),
            subscribed: shown(
                returns.contains(&Return::Subscribed) || selects(Selection::Subscribed),
            ),
        }
    }

    fn attributes(&self, entry: &ListEntry) -> Vec<String> {
        let mut attributes = Vec::new();
        let mut add = |attribute: &str| attributes.push(attribute.to_owned());
        if entry.subscribed && self.subscribed == Shown::Yes {
            add("\\Subscribed");
        }
        match (entry.exists, entry.selectable, &self.form) {
            (false, _, Form::Extended) => add("\\NonExistent"),
            (false, _, Form::Plain) | (true, false, _) => add("\\Noselect"),
            (true, true, _) => {}
        }
        if self.children == Shown::Yes {
            match (entry.no_inferiors, entry.has_children) {
                (true, _) => add("\\Noinferiors"),
                (false, true) => add("\\HasChildren"),
                (false, false) => add("\\HasNoChildren"),
            }
        }
        if self.special_use == Shown::Yes {
            attributes.extend(entry.special_use.iter().map(|word| word.0.clone()));
        }
        attributes
    }
}

/// One line of LIST or LSUB.
pub fn write_entry(
    session: &mut Session<'_>,
    command: &str,
    entry: &ListEntry,
    attributes: &[String],
) -> Result<(), Failure> {
    session.client.write_with(|out| {
        out.extend_from_slice(format!("* {command} ").as_bytes());
        write::flags(out, attributes.iter().map(String::as_str));
        out.push(b' ');
        write::string(out, entry.separator.to_string().as_bytes());
        out.push(b' ');
        write_name(out, entry.name.as_str());
        out.extend_from_slice(b"\r\n");
    })?;
    Ok(())
}

/// `LIST "" ""`: the separator, and the root of the reference. RFC 3501 §6.3.8.
fn tell_root(session: &mut Session<'_>, reference: &[u8]) -> Result<(), Failure> {
    let separator = session.separator();
    let reference = pattern(reference, b"").unwrap_or_default();
    let root = reference
        .find(separator)
        .and_then(|at| reference.get(..=at))
        .unwrap_or_default();
    session.client.write_with(|out| {
        out.extend_from_slice(b"* LIST (\\Noselect) ");
        write::string(out, separator.to_string().as_bytes());
        out.push(b' ');
        write_name(out, root);
        out.extend_from_slice(b"\r\n");
    })?;
    Ok(())
}
