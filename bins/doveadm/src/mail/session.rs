//! One user's mail while a command runs, and what went wrong so far.

use std::fs::File;
use std::io;

use mailbox::{Access, Error, ListEntry, MailStore, Mailbox, MailboxName, Seq, Uid, UidSet};
use search::Trouble;
use storage::Storage;

use super::progress::Progress;
use super::query::{Mailboxes, Query, Scope};
use crate::failure::{EX_CANTCREAT, EX_NOHOST, EX_NOTPOSSIBLE, EX_TEMPFAIL, EX_USAGE};
use crate::output::Rows;

/// One user's mail.
pub struct Session<'s> {
    /// As auth calls the user.
    pub user: String,
    /// Everything that is stored.
    pub storage: Storage,
    /// Where rows go.
    pub rows: &'s mut dyn Rows,
    /// How long work is shown.
    pub progress: Progress,
    /// What the command reads beside mail.
    pub input: Option<File>,
    /// Where mails are read that do not come from here.
    pub other: Option<Result<Storage, Error>>,
    /// Where mails go, while the session looks at the other place.
    pub destination: Option<Storage>,
    /// What scripts are told at the end.
    exit: u8,
}

/// Why a command stops at once: nobody reads its rows, or they cannot be printed so.
pub type Stop = io::Error;

/// A mailbox in which mails match.
pub struct Found {
    /// Its name.
    pub name: MailboxName,
    /// The picture.
    pub view: Box<dyn Mailbox>,
    /// The mails, ascending.
    pub mails: Vec<(Seq, Uid)>,
}

impl Found {
    /// The mails as a set.
    pub fn uids(&self) -> UidSet {
        self.mails.iter().map(|&(_, uid)| uid).collect()
    }
}

impl<'s> Session<'s> {
    pub fn new(user: String, storage: Storage, rows: &'s mut dyn Rows, progress: Progress) -> Self {
        Self {
            user,
            storage,
            rows,
            progress,
            input: None,
            other: None,
            destination: None,
            exit: 0,
        }
    }

    /// The exit code of the command.
    pub fn exit(&self) -> u8 {
        self.exit
    }

    /// Tells the administrator, and goes on.
    pub fn fail(&mut self, what: &str, error: &Error) {
        self.complain(&format!("{what}: {}", told(error)));
        self.fail_with(exit_code(error));
    }

    /// A failure that is none of the store's.
    pub fn fail_with(&mut self, code: u8) {
        // A temporary failure counts before all others, else the first one.
        if self.exit == 0 || code == EX_TEMPFAIL {
            self.exit = code;
        }
    }

    /// Prints a line as Dovecot does.
    pub fn complain(&mut self, what: &str) {
        let line: String = what
            .chars()
            .map(|letter| if letter.is_control() { '?' } else { letter })
            .collect();
        self.progress
            .aside(|| eprintln!("doveadm({}): Error: {line}", self.user));
    }

    /// A name, or the complaint that it is none.
    pub fn name(&mut self, what: &str, name: &str) -> Option<MailboxName> {
        match MailboxName::new(name) {
            Ok(name) => Some(name),
            Err(why) => {
                self.fail(what, &Error::InvalidName { why });
                None
            }
        }
    }

    /// Mailboxes that match; a single name is not looked for.
    pub fn list(&mut self, masks: &[String]) -> Vec<ListEntry> {
        if let [name] = masks
            && !name.contains(['*', '%'])
        {
            let named = self.name("Listing mailboxes failed", name);
            return named.into_iter().map(only_named).collect();
        }
        let all = ["*".to_owned()];
        let patterns = if masks.is_empty() { &all[..] } else { masks };
        self.storage.list(patterns).unwrap_or_else(|error| {
            self.fail("Listing mailboxes failed", &error);
            Vec::new()
        })
    }

    /// Mailboxes that match and can be opened; none is made for that, except for a single one that is
    /// named.
    pub fn selectable(&mut self, masks: &[String]) -> Vec<MailboxName> {
        let entries = self.list(masks).into_iter();
        let named = masks.len() == 1 && masks.iter().all(|mask| !mask.contains(['*', '%']));
        let candidates = entries.filter(|entry| entry.selectable && entry.exists);
        let names: Vec<MailboxName> = candidates.map(|entry| entry.name).collect();
        names
            .into_iter()
            .filter(|name| named || self.is_there(name))
            .collect()
    }

    /// As [`Self::selectable`], without one that is not there.
    pub fn existing(&mut self, masks: &[String]) -> Vec<MailboxName> {
        let names = self.selectable(masks).into_iter();
        names.filter(|name| self.is_there(name)).collect()
    }

    fn is_there(&mut self, name: &MailboxName) -> bool {
        self.storage.is_there(name).unwrap_or_else(|error| {
            self.fail(&format!("Looking for mailbox {name} failed"), &error);
            false
        })
    }

    /// From now on mails are read elsewhere. `false`: they cannot be, as was told.
    pub fn look_at_other(&mut self) -> bool {
        match self.other.take() {
            Some(Ok(other)) => {
                let here = std::mem::replace(&mut self.storage, other);
                self.destination = Some(here);
                true
            }
            Some(Err(error)) => {
                self.fail("Opening the mails to read failed", &error);
                false
            }
            None => false,
        }
    }

    /// Does something where mails go.
    pub fn at_destination<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let Some(here) = self.destination.take() else {
            return act(self);
        };
        let there = std::mem::replace(&mut self.storage, here);
        let done = act(self);
        self.destination = Some(std::mem::replace(&mut self.storage, there));
        done
    }

    /// Mailboxes in which mails may match.
    pub fn scope(&mut self, query: &Query) -> Vec<MailboxName> {
        match query.mailboxes() {
            Mailboxes::All => self.selectable(&[]),
            Mailboxes::Like(patterns) => self.selectable(&patterns),
        }
    }

    /// Opens a mailbox and looks for mails. `None`: there is none, or the failure was told.
    pub fn find(&mut self, name: &MailboxName, query: &Query, access: Access) -> Option<Found> {
        let found = self.look(name, query)?;
        match access {
            Access::ReadOnly => Some(found),
            // Only who changes a mailbox takes `\Recent` from its mails.
            Access::ReadWrite | Access::Upkeep => {
                drop(found.view);
                let view = self.view(name, access)?;
                let mails = found.mails.into_iter();
                let mails = mails.filter_map(|(_, uid)| Some((view.seq(uid)?, uid)));
                Some(Found {
                    name: found.name,
                    mails: mails.collect(),
                    view,
                })
            }
        }
    }

    fn view(&mut self, name: &MailboxName, access: Access) -> Option<Box<dyn Mailbox>> {
        match self.storage.open(name, access) {
            Ok(view) => Some(view),
            Err(Error::NotFound { .. }) => None,
            Err(error) => {
                self.fail(&format!("Syncing mailbox {name} failed"), &error);
                None
            }
        }
    }

    fn look(&mut self, name: &MailboxName, query: &Query) -> Option<Found> {
        let view = self.view(name, Access::ReadOnly)?;
        let guid = query.needs_guid().then(|| self.guid(name)).flatten();
        let separator = self.separator(name);
        let scope = Scope {
            name: name.as_str(),
            separator,
            guid: guid.as_deref(),
        };
        let mut found = Found {
            name: name.clone(),
            mails: Vec::new(),
            view,
        };
        let search = query.search(&scope, &*found.view);
        self.progress
            .begin("searching", u64::from(found.view.len()));
        for seq in (1..=found.view.len()).filter_map(Seq::new) {
            self.progress.step();
            match search.matches(&mut *found.view, seq) {
                Ok(true) => found
                    .mails
                    .extend(found.view.uid(seq).map(|uid| (seq, uid))),
                Ok(false) | Err(Trouble::Store(Error::Expunged)) => {}
                Err(Trouble::Store(error)) => {
                    self.fail(&format!("Searching mailbox {name} failed"), &error);
                }
                Err(Trouble::Read(error)) => {
                    self.complain(&format!("Searching mailbox {name} failed: {error}"));
                    self.fail_with(EX_TEMPFAIL);
                }
            }
        }
        self.progress.end();
        (!found.mails.is_empty()).then_some(found)
    }

    /// The mailbox's GUID, or the complaint that it cannot be told.
    pub fn guid(&mut self, name: &MailboxName) -> Option<String> {
        match self.storage.guid(name) {
            Ok(guid) => Some(guid.to_string()),
            Err(error) => {
                self.fail(&format!("Mailbox {name}: Failed to lookup GUID"), &error);
                None
            }
        }
    }

    /// The separator of names beside this one.
    pub fn separator(&self, name: &MailboxName) -> char {
        separator(&self.storage, name.as_str())
    }
}

/// The separator of the namespace that a name is in.
pub fn separator(storage: &Storage, name: &str) -> char {
    let namespaces = storage.namespaces();
    let around = namespaces
        .iter()
        .filter(|namespace| name.starts_with(&namespace.prefix));
    let nearest = around.max_by_key(|namespace| namespace.prefix.len());
    nearest
        .or(namespaces.first())
        .map_or('/', |namespace| namespace.separator)
}

fn only_named(name: MailboxName) -> ListEntry {
    ListEntry {
        name,
        separator: '/',
        selectable: true,
        exists: true,
        has_children: false,
        no_inferiors: false,
        subscribed: false,
        special_use: Vec::new(),
    }
}

/// In full for what only an administrator can mend, else as clients are told.
fn told(error: &Error) -> String {
    match error {
        Error::Corrupted { .. }
        | Error::Syscall { .. }
        | Error::Input(_)
        | Error::Config(_)
        | Error::Locked { .. } => error.to_string(),
        _ => error.client_text().1,
    }
}

/// What Dovecot's doveadm ends with.
fn exit_code(error: &Error) -> u8 {
    match error {
        Error::NotFound { .. } => EX_NOHOST,
        Error::Exists { .. } | Error::NotPossible { .. } => EX_NOTPOSSIBLE,
        Error::InvalidName { .. } => EX_USAGE,
        Error::Limit { .. } => EX_CANTCREAT,
        error if error.is_disk_full() => EX_CANTCREAT,
        _ => EX_TEMPFAIL,
    }
}
