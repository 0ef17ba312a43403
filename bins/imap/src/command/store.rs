//! STORE and UID STORE: changes flags. RFC 3501 §6.4.6.

use imap_proto::store::{Store, StoreMode, StoreReply};
use imap_proto::{Args, Span};
use mailbox::{FlagChange, Flags, Seq};

use super::{After, Command, State};
use crate::session::{By, Failure, Reply, Selected, Session, Settings};

pub const COMMAND: Command = Command {
    name: "STORE",
    valid_in: State::Selected,
    after: After::Hold,
    run,
};
pub const UID_COMMAND: Command = Command {
    name: "UID STORE",
    valid_in: State::Selected,
    after: After::ShowByUid,
    run: run_uid,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    store(session, args, By::Seq)
}

fn run_uid(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    store(session, args, By::Uid)
}

fn store(session: &mut Session<'_>, mut args: Args<'_>, by: By) -> Result<Reply, Failure> {
    args.space()?;
    let set = super::take_set(&mut args, by)?;
    args.space()?;
    let store = Store::take(&mut args)?;
    let Some(selected) = &mut session.selected else {
        return Ok(completed());
    };
    let seqs = selected.resolve(&set, by)?;
    if !selected.is_writable() {
        return Ok(Reply::ok("Store ignored with read-only mailbox."));
    }
    let change = change(&store, session.settings)?;
    session.counters.deleted += newly_deleted(selected, &seqs, &change);
    let uids = selected.uids(&seqs);
    if uids.is_empty() {
        return Ok(completed());
    }
    if store.reply == StoreReply::Silent {
        selected.expect(&seqs, change.clone());
    }
    selected.mailbox.store_flags(&uids, &change)?;
    Ok(completed())
}

fn completed() -> Reply {
    Reply::ok("Store completed.")
}

fn change(store: &Store, settings: &Settings) -> Result<FlagChange, Failure> {
    let (flags, keywords) = super::flags_and_keywords(&store.flags, settings)?;
    Ok(match store.mode {
        StoreMode::Add => FlagChange::Add(flags, keywords),
        StoreMode::Remove => FlagChange::Remove(flags, keywords),
        StoreMode::Replace => FlagChange::Replace(flags, keywords),
    })
}

/// How many mails this change gives `\Deleted`, for the last log line.
fn newly_deleted(selected: &Selected, seqs: &[Span], change: &FlagChange) -> u64 {
    match change {
        FlagChange::Add(flags, _) | FlagChange::Replace(flags, _)
            if flags.contains(Flags::DELETED) =>
        {
            let seqs = seqs
                .iter()
                .flat_map(|span| span.first..=span.last)
                .filter_map(Seq::new);
            let states = seqs.filter_map(|seq| selected.mailbox.flags(seq));
            states
                .filter(|state| !state.flags.contains(Flags::DELETED))
                .count() as u64
        }
        _ => 0,
    }
}
