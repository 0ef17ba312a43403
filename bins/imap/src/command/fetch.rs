//! FETCH and UID FETCH: what is in mails. RFC 3501 §6.4.5.
//!
//! *Invariant:* a mail is sent in pieces; no more of it than one piece is ever in memory.

mod answer;
mod known;
mod plan;
mod source;
#[cfg(test)]
mod tests;

use imap_proto::{Args, Span, fetch};
use mailbox::{FlagChange, Flags, Seq};

use self::answer::Answered;
use self::plan::Plan;
pub use self::source::Remembered;
use super::{After, Command, State};
use crate::session::{By, EndReason, Failure, FetchFailure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "FETCH",
    valid_in: State::Selected,
    after: After::Hold,
    run,
};
pub const UID_COMMAND: Command = Command {
    name: "UID FETCH",
    valid_in: State::Selected,
    after: After::ShowByUid,
    run: run_uid,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    run_by(session, args, By::Seq)
}

fn run_uid(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    run_by(session, args, By::Uid)
}

fn run_by(session: &mut Session<'_>, mut args: Args<'_>, by: By) -> Result<Reply, Failure> {
    args.space()?;
    let set = super::take_set(&mut args, by)?;
    args.space()?;
    let items = fetch::items(&mut args)?;
    args.end()?;
    let Some(selected) = &session.selected else {
        return Ok(completed());
    };
    let seqs = selected.resolve(&set, by)?;
    let plan = Plan::new(items, by);
    let mut progress = Progress::default();
    let result = fetch_all(session, &seqs, &plan, &mut progress);
    // What the client has got is seen, whatever came behind it.
    let stored = store_seen(session, &progress.seen);
    result?;
    stored?;
    progress.reply(session)
}

/// What became of the mails so far.
#[derive(Default)]
struct Progress {
    /// Mails that get `\Seen` by having been fetched, ascending.
    seen: Vec<Span>,
    /// Mails that another session has removed.
    expunged: u64,
    /// Mails that could not be read.
    unreadable: u64,
}

impl Progress {
    fn saw(&mut self, seq: Seq) {
        match self.seen.last_mut() {
            Some(span) if span.last.checked_add(1) == Some(seq.get()) => span.last = seq.get(),
            _ => self.seen.push(Span {
                first: seq.get(),
                last: seq.get(),
            }),
        }
    }

    fn reply(&self, session: &Session<'_>) -> Result<Reply, Failure> {
        match (self.unreadable, self.expunged) {
            (0, 0) => Ok(completed()),
            (0, _) => {
                Ok(Reply::ok("Some messages were already expunged.").with_code("EXPUNGEISSUED"))
            }
            _ if session.settings.imap_fetch_failure == FetchFailure::DisconnectAfter => {
                Err(EndReason::FetchFailed.into())
            }
            _ => Err(Reply::no("Some messages couldn't be fetched.")
                .with_code("SERVERBUG")
                .into()),
        }
    }
}

fn fetch_all(
    session: &mut Session<'_>,
    seqs: &[Span],
    plan: &Plan,
    progress: &mut Progress,
) -> Result<(), Failure> {
    for seq in seqs
        .iter()
        .flat_map(|span| span.first..=span.last)
        .filter_map(Seq::new)
    {
        session.client.check_kicked()?;
        match answer::answer(session, seq, plan)? {
            Answered::Sent => {}
            Answered::SentAndSeen => progress.saw(seq),
            Answered::Expunged => progress.expunged += 1,
            Answered::Unreadable => {
                progress.unreadable += 1;
                if session.settings.imap_fetch_failure == FetchFailure::DisconnectImmediately {
                    return Err(EndReason::FetchFailed.into());
                }
            }
        }
    }
    Ok(())
}

fn store_seen(session: &mut Session<'_>, seqs: &[Span]) -> Result<(), Failure> {
    let Some(selected) = session.selected.as_mut().filter(|_| !seqs.is_empty()) else {
        return Ok(());
    };
    let change = FlagChange::Add(Flags::SEEN, Vec::new());
    let uids = selected.uids(seqs);
    // The client was told inside the FETCH responses.
    selected.expect(seqs, change.clone());
    Ok(selected.mailbox.store_flags(&uids, &change)?)
}

fn completed() -> Reply {
    Reply::ok("Fetch completed.")
}
