//! The commands, one file each.

mod altmove;
mod cache;
mod copy;
mod create;
mod deduplicate;
mod delete;
mod expunge;
mod fetch;
mod flags;
mod import;
mod index;
mod list;
mod path;
mod purge;
mod rename;
mod resync;
mod save;
mod search;
mod status;
mod subscribe;
mod update;

use super::action::Action;
use crate::cli::Command;
use crate::cli::mail::{Flags, Mailbox, Users};
use crate::cli::mailbox::MailboxCache;
use crate::failure::Failure;

/// A command and whose mail it works on, or why not.
type Ready<'u> = Result<(Box<dyn Action>, &'u Users), Failure>;

/// The command that `command` asks for, with its arguments checked, and for whom. `None`: it is not about
/// mail.
pub fn of(command: &Command) -> Option<Ready<'_>> {
    Some(match command {
        Command::Mailbox { command } => return mailbox(command),
        Command::Fetch(args) => ready(fetch::Fetch::new(args), &args.users),
        Command::Search(args) => ready(search::Search::new(args), &args.users),
        Command::Expunge(args) => ready(expunge::Expunge::new(args), &args.searching.users),
        Command::Save(args) => ready(Ok(save::Save::new(args)), &args.users),
        Command::Import(args) => ready(import::Import::new(args), &args.users),
        Command::Copy(args) => ready(copy::Copy::new(args, copy::Originals::Stay), &args.users),
        Command::Move(args) => ready(copy::Copy::new(args, copy::Originals::Go), &args.users),
        Command::Flags { command } => {
            let args = match command {
                Flags::Add(args) | Flags::Remove(args) | Flags::Replace(args) => args,
            };
            ready(flags::Change::new(command, args), &args.users)
        }
        Command::Purge(args) => ready(Ok(purge::Purge), &args.users),
        Command::Altmove(args) => ready(altmove::Altmove::new(args), &args.searching.users),
        Command::ForceResync(args) => ready(Ok(resync::Resync::new(args)), &args.users),
        Command::Index(args) => ready(Ok(index::Index::new(args)), &args.users),
        Command::Deduplicate(args) => {
            ready(deduplicate::Deduplicate::new(args), &args.searching.users)
        }
        _ => return None,
    })
}

fn mailbox(command: &Mailbox) -> Option<Ready<'_>> {
    Some(match command {
        Mailbox::List(args) => ready(Ok(list::List::new(args)), &args.users),
        Mailbox::Status(args) => ready(status::Status::new(args), &args.users),
        Mailbox::Create(args) => ready(create::Create::new(args), &args.users),
        Mailbox::Delete(args) => ready(Ok(delete::Delete::new(args)), &args.users),
        Mailbox::Rename(args) => ready(Ok(rename::Rename::new(args)), &args.users),
        Mailbox::Subscribe(args) => ready(
            Ok(subscribe::Subscribe::new(args, subscribe::Wish::Subscribe)),
            &args.users,
        ),
        Mailbox::Unsubscribe(args) => ready(
            Ok(subscribe::Subscribe::new(
                args,
                subscribe::Wish::Unsubscribe,
            )),
            &args.users,
        ),
        Mailbox::Path(args) => ready(Ok(path::Path::new(args)), &args.users),
        Mailbox::Update(args) => ready(update::Update::new(args), &args.users),
        Mailbox::Cache { command } => cache(command),
        Mailbox::Mutf7(_) => return None,
    })
}

fn cache(command: &MailboxCache) -> Ready<'_> {
    match command {
        MailboxCache::Decision(args) => ready(Ok(cache::Decide::new(args)), &args.users),
        MailboxCache::Purge(args) => ready(Ok(cache::Purge::new(args)), &args.users),
        MailboxCache::Remove(args) => ready(cache::Remove::new(args), &args.users),
    }
}

fn ready<A: Action + 'static>(action: Result<A, Failure>, users: &Users) -> Ready<'_> {
    Ok((Box::new(action?), users))
}
