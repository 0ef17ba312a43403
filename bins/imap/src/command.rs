//! The table of commands: one file each.

mod append;
mod capability;
mod check;
mod close;
mod copy;
mod create;
mod delete;
mod enable;
mod expunge;
mod fetch;
mod id;
mod idle;
mod list;
mod logout;
mod lsub;
mod moving;
mod namespace;
mod noop;
mod rename;
mod search;
mod select;
mod status;
mod store;
mod subscribe;
mod unselect;
mod unsubscribe;

pub use fetch::Remembered;
pub use idle::go_on as go_on_idling;
use imap_proto::flag::{Flag, SystemFlag};
use imap_proto::{Args, SequenceSet, SyntaxError};
use mailbox::{Flags, Keyword};

use crate::session::{By, Failure, Reply, Session, Settings};

/// One command.
pub struct Command {
    /// In capitals; `UID FETCH` is one name.
    pub name: &'static str,
    /// When it makes sense.
    pub valid_in: State,
    /// What the client is told of the mailbox behind it.
    pub after: After,
    /// Parses its arguments and does it.
    pub run: fn(&mut Session<'_>, Args<'_>) -> Result<Reply, Failure>,
}

/// When a command makes sense. RFC 3501 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Always after login.
    Authenticated,
    /// With a selected mailbox.
    Selected,
}

/// What news of the selected mailbox may follow a command. RFC 3501 §7.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// None.
    Nothing,
    /// All but EXPUNGE: the client uses sequence numbers.
    Hold,
    /// All.
    Show,
    /// All, and FETCH with UID. RFC 3501 §6.4.8.
    ShowByUid,
}

/// All commands after login. RFC 3501 §6; the others name their RFC in their file.
static COMMANDS: [Command; 33] = [
    append::COMMAND,
    capability::COMMAND,
    check::COMMAND,
    close::COMMAND,
    copy::COMMAND,
    copy::UID_COMMAND,
    create::COMMAND,
    delete::COMMAND,
    enable::COMMAND,
    expunge::COMMAND,
    expunge::UID_COMMAND,
    fetch::COMMAND,
    fetch::UID_COMMAND,
    id::COMMAND,
    idle::COMMAND,
    list::COMMAND,
    logout::COMMAND,
    lsub::COMMAND,
    moving::COMMAND,
    moving::UID_COMMAND,
    namespace::COMMAND,
    noop::COMMAND,
    rename::COMMAND,
    search::COMMAND,
    search::UID_COMMAND,
    select::COMMAND,
    select::EXAMINE_COMMAND,
    status::COMMAND,
    store::COMMAND,
    store::UID_COMMAND,
    subscribe::COMMAND,
    unselect::COMMAND,
    unsubscribe::COMMAND,
];

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// A set of sequence numbers or UIDs.
fn take_set(args: &mut Args<'_>, by: By) -> Result<SequenceSet, Failure> {
    let text = match by {
        By::Seq => "Invalid messageset.",
        By::Uid => "Invalid uidset.",
    };
    SequenceSet::parse(args.atom()?).map_err(|_| SyntaxError::new(text).into())
}

/// Flags as storage knows them. Keywords are checked here: what is no keyword is answered with NO.
fn flags_and_keywords(
    flags: &[Flag],
    settings: &Settings,
) -> Result<(Flags, Vec<Keyword>), Failure> {
    let mut system = Flags::empty();
    let mut keywords: Vec<Keyword> = Vec::new();
    for flag in flags {
        match flag {
            Flag::System(flag) => system = system.with(system_flag(*flag)),
            Flag::Keyword(word) => {
                let keyword = keyword(word, settings)?;
                if !keywords.contains(&keyword) {
                    keywords.push(keyword);
                }
            }
        }
    }
    Ok((system, keywords))
}

fn keyword(word: &str, settings: &Settings) -> Result<Keyword, Failure> {
    if u32::try_from(word.len()).is_ok_and(|length| length > settings.mail_max_keyword_length) {
        return Err(Failure::cannot("Keyword length too long."));
    }
    Keyword::new(word).map_err(|_| Failure::cannot("Invalid characters in keyword."))
}

fn system_flag(flag: SystemFlag) -> Flags {
    match flag {
        SystemFlag::Answered => Flags::ANSWERED,
        SystemFlag::Flagged => Flags::FLAGGED,
        SystemFlag::Deleted => Flags::DELETED,
        SystemFlag::Seen => Flags::SEEN,
        SystemFlag::Draft => Flags::DRAFT,
    }
}

/// SELECT and STATUS tell of a missing mailbox without a response code, as Dovecot does.
fn without_code(error: mailbox::Error) -> Failure {
    match error {
        mailbox::Error::NotFound { .. } => Reply::of(&error).with_code("").into(),
        error => error.into(),
    }
}

/// APPEND, COPY and MOVE tell that CREATE would help. RFC 3501 §7.1.
fn try_create(error: mailbox::Error) -> Failure {
    match error {
        mailbox::Error::NotFound { .. } => Reply::of(&error).with_code("TRYCREATE").into(),
        error => error.into(),
    }
}
