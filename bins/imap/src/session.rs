//! One client's session: reads commands, runs them, answers. A thread of its own, blocking.
//!
//! *Invariant:* while the session waits for the client, in either direction, it holds no lock of the store and no memory that
//! grows with what was asked.

mod capability;
mod client;
mod end;
mod expected;
mod log;
mod names;
mod parked;
mod picture;
mod recent;
mod reply;
mod selected;
mod settings;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::mem::take;

use broker::Stop;
use imap_proto::append::Message;
use imap_proto::{Command, Event, HeadError, Refusal, Sync, Tag};
use mailbox::{Expunges, MailStore, Seq};

pub use capability::capabilities;
pub use client::{Client, IDLE_TIMEOUT, Stream, Upload, Wake};
pub use end::{Counters, EndReason, Ended};
pub use log::Who;
pub use names::{pattern, write as write_name};
pub use parked::{Parked, Returned, Times};
pub use reply::{Failure, Reply, Status};
pub use selected::{By, Selected};
pub use settings::{FetchFailure, Settings};

use crate::command::{self, After, Remembered, State};

/// So many bad commands in a row end a session, as in Dovecot.
const MAX_ERRORS: u32 = 20;
/// A refused literal of up to so many bytes is read and dropped; beyond, hanging up is kinder.
const MAX_DROPPED: u64 = 64 << 20;

/// Whom a session serves, and how it begins.
pub struct Context<'a> {
    /// The user's mail.
    pub store: &'a mut dyn MailStore,
    /// Tells the session to end.
    pub stop: &'a Stop,
    /// What the administrator decided.
    pub settings: &'a Settings,
    /// For the log.
    pub who: Who<'a>,
    /// Where it begins.
    pub begin: Begin,
}

/// Where a session begins.
#[derive(Debug)]
pub enum Begin {
    /// The client has just logged in.
    LoggedIn {
        /// The tag of the command that logged in: the session answers it.
        tag: String,
        /// What the client had sent beyond that command.
        unread: Vec<u8>,
    },
    /// In IDLE, where it was parked.
    Back(Box<Returned>),
}

/// What became of a session.
#[derive(Debug)]
pub enum Outcome {
    /// It is over.
    Ended(Ended),
    /// It goes on outside of its thread.
    Parked(Box<Parked>),
}

/// A message that the client has announced and that nobody has read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Bytes.
    pub size: u64,
    /// Do they wait for our go-ahead?
    pub sync: Sync,
}

impl Announced {
    /// By the line behind another message of the same APPEND; `None`: that was the last one. RFC 3502.
    pub fn by(line: &[u8]) -> Option<Self> {
        let (size, sync) = Message::literal_of(line)?;
        Some(Self { size, sync })
    }
}

/// All that commands work on.
pub struct Session<'a> {
    /// The connection.
    pub client: Client<'a>,
    /// The user's mail.
    pub store: &'a mut dyn MailStore,
    /// What the administrator decided.
    pub settings: &'a Settings,
    /// For the log.
    pub who: Who<'a>,
    /// The mailbox that SELECT or EXAMINE opened.
    pub selected: Option<Selected>,
    /// For the last log line.
    pub counters: Counters,
    /// The message of the APPEND that is being run.
    pub announced: Option<Announced>,
    /// What the next FETCH may need again.
    pub remembered: Remembered,
    /// Why the session ends behind the running command.
    pub leaving: Option<EndReason>,
    /// Of the running command.
    tag: String,
    /// Bad commands since the last good one.
    errors: u32,
}

/// Serves one client until the session ends, or is parked.
pub fn run<'a>(stream: impl Stream + 'a, context: Context<'a>) -> Outcome {
    let settings = context.settings;
    let mut begin = context.begin;
    let client = match &mut begin {
        Begin::LoggedIn { unread, .. } => Client::new(stream, context.stop, take(unread)),
        Begin::Back(returned) => Client::again(stream, context.stop, returned.traffic()),
    };
    let mut client = match client {
        Ok(client) => client,
        Err(error) => {
            let reason = EndReason::Connection(error);
            return Outcome::Ended(Ended::new(reason, Counters::default(), settings));
        }
    };
    client.limit_commands(settings.imap_max_line_length.bytes());
    let mut session = Session {
        client,
        store: context.store,
        settings,
        who: context.who,
        selected: None,
        counters: Counters::default(),
        announced: None,
        remembered: Remembered::default(),
        leaving: None,
        tag: String::new(),
        errors: 0,
    };
    let Err(reason) = session.serve(begin);
    if let EndReason::Parked(parked) = reason {
        return Outcome::Parked(parked);
    }
    session.client.part(reason.farewell());
    Outcome::Ended(Ended::new(reason, session.counters(), settings))
}

impl Session<'_> {
    /// What it did so far.
    fn counters(&self) -> Counters {
        let (input, output) = self.client.traffic();
        Counters {
            input,
            output,
            ..self.counters
        }
    }

    fn greet(&mut self, tag: &str) -> Result<(), EndReason> {
        let code = format!("CAPABILITY {}", capabilities(self.settings));
        self.reply(tag, &Reply::ok("Logged in").with_code(code))
    }

    fn serve(&mut self, begin: Begin) -> Result<Infallible, EndReason> {
        match begin {
            Begin::LoggedIn { tag, .. } => self.greet(&tag)?,
            Begin::Back(returned) => self.go_on(*returned)?,
        }
        loop {
            match self.client.next_event()? {
                Event::Command(command) => self.execute(&command)?,
                Event::Message {
                    command,
                    size,
                    sync,
                } => {
                    self.announced = Some(Announced { size, sync });
                    self.execute(&command)?;
                    self.skip_message()?;
                }
                Event::NeedContinuation { .. } => self.client.line("+ OK")?,
                Event::Refused { tag, reason } => self.refuse(tag.as_ref(), reason)?,
                Event::Incomplete => {}
            }
        }
    }

    /// Runs one command up to its tagged reply.
    fn execute(&mut self, command: &Command) -> Result<(), EndReason> {
        let head = match command.head() {
            Ok(head) => head,
            Err(HeadError::Tag) => {
                return self.reply("*", &Reply::bad("Error in IMAP tag: Invalid tag."));
            }
            Err(HeadError::Name(tag)) => {
                return self.reply(
                    tag.as_str(),
                    &Reply::bad("Error in IMAP command: Invalid command name."),
                );
            }
        };
        head.tag.as_str().clone_into(&mut self.tag);
        let (result, after) = match command::find(&head.name) {
            None => {
                let text = format!("Error in IMAP command {}: Unknown command.", head.name);
                (Err(Reply::bad(text).into()), After::Nothing)
            }
            Some(known) if known.valid_in == State::Selected && self.selected.is_none() => {
                let reply = Reply::bad("No mailbox selected.");
                (Err(reply.into()), After::Nothing)
            }
            Some(known) => ((known.run)(self, head.args), known.after),
        };
        self.conclude(&head.name, after, result)
    }

    /// Answers the running command.
    fn conclude(
        &mut self,
        name: &str,
        after: After,
        result: Result<Reply, Failure>,
    ) -> Result<(), EndReason> {
        let told = result.and_then(|reply| Ok(self.tell_news(after).map(|()| reply)?));
        let reply = match told {
            Ok(reply) | Err(Failure::Reply(reply)) => reply,
            Err(Failure::Syntax(error)) => {
                Reply::bad(format!("Error in IMAP command {name}: {}", error.text))
            }
            Err(Failure::Mailbox(error)) => {
                self.log(&error);
                Reply::of(&error)
            }
            Err(Failure::End(reason)) => return Err(reason),
        };
        let tag = take(&mut self.tag);
        self.reply(&tag, &reply)?;
        match self.leaving.take() {
            None => Ok(()),
            Some(reason) => self.client.flush_last().and(Err(reason)),
        }
    }

    /// Tells what changed in the selected mailbox behind a command that is done. Whatever happens here does not undo the
    /// command: it ends with its OK, or its client would do it again.
    fn tell_news(&mut self, after: After) -> Result<(), EndReason> {
        let (expunges, by) = match after {
            After::Nothing => return Ok(()),
            After::Hold => (Expunges::Hold, By::Seq),
            After::Show => (Expunges::Show, By::Seq),
            After::ShowByUid => (Expunges::Show, By::Uid),
        };
        match self.sync(expunges, by) {
            Err(Failure::End(EndReason::MailboxDeleted)) => {
                self.leaving = Some(EndReason::MailboxDeleted)
            }
            Err(Failure::End(reason)) => return Err(reason),
            Err(Failure::Mailbox(error)) => self.log(&error),
            Ok(()) | Err(Failure::Reply(_) | Failure::Syntax(_)) => {}
        }
        Ok(())
    }

    /// Brings the view of the selected mailbox up to date and tells what changed.
    pub fn sync(&mut self, expunges: Expunges, by: By) -> Result<(), Failure> {
        if let Some(selected) = &mut self.selected {
            selected.sync(&mut self.client, expunges, by)?;
        }
        Ok(())
    }

    fn reply(&mut self, tag: &str, reply: &Reply) -> Result<(), EndReason> {
        self.client.write_with(|out| reply.write(tag, out))?;
        if reply.status != Status::Bad {
            self.errors = 0;
            return Ok(());
        }
        self.errors += 1;
        if self.errors >= MAX_ERRORS {
            Err(EndReason::TooManyErrors)
        } else {
            Ok(())
        }
    }

    /// Answers a command that breaks a limit; the decoder drops the rest of it.
    fn refuse(&mut self, tag: Option<&Tag>, reason: Refusal) -> Result<(), EndReason> {
        let text = match reason {
            Refusal::LineTooLong => "Error in IMAP command: Too long argument.",
            Refusal::LiteralTooLong {
                size,
                sync: Sync::Sends,
            } if size > MAX_DROPPED => {
                return Err(EndReason::Desynchronised);
            }
            Refusal::LiteralTooLong { .. } => "Error in IMAP command: Literal size too large.",
            Refusal::Ambiguous => return Err(EndReason::Desynchronised),
        };
        self.reply(tag.map_or("*", Tag::as_str), &Reply::bad(text))
    }

    /// Reads over the messages of an APPEND that did not want them, and the end of its line.
    fn skip_message(&mut self) -> Result<(), EndReason> {
        while let Some(announced) = self.announced.take() {
            if announced.sync == Sync::Waits {
                break;
            }
            Upload::new(&mut self.client, announced.size).discard()?;
            let line = self.client.end_of_append()?;
            self.announced = Announced::by(&line);
        }
        Ok(())
    }

    /// What the administrator should know of a failure.
    pub fn log(&self, error: &mailbox::Error) {
        self.who.mailbox_failed(
            self.selected
                .as_ref()
                .map(|selected| selected.mailbox.name()),
            error,
        );
    }

    /// A mail that could not be read.
    pub fn log_unreadable(&self, seq: Seq, error: &std::io::Error) {
        if let Some(selected) = &self.selected {
            self.who
                .unreadable(selected.mailbox.name(), selected.mailbox.uid(seq), error);
        }
    }
}
