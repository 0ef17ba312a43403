//! SEARCH and UID SEARCH: which mails match. RFC 3501 §6.4.4.

mod compile;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use imap_proto::Args;
use imap_proto::search::Program;
use mailbox::Seq;
use search::{Search, Trouble};

use super::{After, Command, State};
use crate::session::{By, Client, EndReason, Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "SEARCH",
    valid_in: State::Selected,
    after: After::Hold,
    run,
};
pub const UID_COMMAND: Command = Command {
    name: "UID SEARCH",
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
    let program = Program::take(&mut args)?;
    let Some(selected) = &session.selected else {
        return Ok(completed());
    };
    let search = compile::compile(&program, selected)?;
    let found = find(session, &search)?;
    let Some(selected) = &session.selected else {
        return Ok(completed());
    };
    session.client.write(b"* SEARCH")?;
    let mut number = String::new();
    for seq in found {
        let uid = || selected.mailbox.uid(seq).map_or(0, mailbox::Uid::get);
        number.clear();
        // Writing to memory does not fail.
        let _ = write!(number, " {}", if by == By::Uid { uid() } else { seq.get() });
        session.client.write(number.as_bytes())?;
    }
    session.client.write(b"\r\n")?;
    Ok(completed())
}

/// All mails that match, ascending. Nothing is told before all is known: a failure in between is a clean NO.
fn find(session: &mut Session<'_>, search: &Search) -> Result<Vec<Seq>, Failure> {
    let mut found = Vec::new();
    let mut progress = Progress::new();
    let mails = session
        .selected
        .as_ref()
        .map_or(0, |selected| selected.mailbox.len());
    for seq in (1..=mails).filter_map(Seq::new) {
        session.client.check_kicked()?;
        progress.tell(&mut session.client, seq, mails)?;
        let Some(selected) = &mut session.selected else {
            break;
        };
        match search.matches(&mut *selected.mailbox, seq) {
            Ok(true) => found.push(seq),
            // What is gone matches nothing.
            Ok(false) | Err(Trouble::Store(mailbox::Error::Expunged)) => {}
            Err(Trouble::Store(error)) => return Err(error.into()),
            Err(Trouble::Read(error)) => {
                session.log_unreadable(seq, &error);
                return Err(Reply::no(
                    "Internal error occurred. Refer to server log for more information.",
                )
                .with_code("SERVERBUG")
                .into());
            }
        }
    }
    Ok(found)
}

/// Tells clients that would lose patience how far a long search has come, in Dovecot's words.
struct Progress {
    began: Instant,
    next: Instant,
}

/// How often a long search says so.
const NOTICE: Duration = Duration::from_secs(10);

impl Progress {
    fn new() -> Self {
        let began = Instant::now();
        Self {
            began,
            next: began + NOTICE,
        }
    }

    fn tell(&mut self, client: &mut Client<'_>, seq: Seq, mails: u32) -> Result<(), EndReason> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        self.next = now + NOTICE;
        let (done, all) = (u64::from(seq.get()), u64::from(mails.max(1)));
        let left = now.duration_since(self.began).as_secs() * all.saturating_sub(done) / done;
        let percent = done * 100 / all;
        client.line(&format!(
            "* OK Searched {percent}% of the mailbox, ETA {}:{:02}",
            left / 60,
            left % 60
        ))?;
        client.flush()
    }
}

fn completed() -> Reply {
    Reply::ok("Search completed.")
}
