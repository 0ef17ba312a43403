//! `index`: mailboxes are brought up to date, and what clients are going to ask for is cached.

use mailbox::{Access, Error, MailStore, MailboxName};

use crate::cli::mail;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};

pub struct Index {
    masks: Vec<String>,
    max_recent: Option<u32>,
}

impl Index {
    pub fn new(args: &mail::Index) -> Self {
        Self {
            masks: args.masks.clone(),
            max_recent: args.max_recent,
        }
    }

    fn index(&self, session: &mut Session<'_>, name: &MailboxName) -> Result<(), Error> {
        let recent = session.storage.status(name)?.recent;
        if self
            .max_recent
            .is_some_and(|most| most > 0 && recent > most)
        {
            return Ok(());
        }
        session.storage.open(name, Access::ReadOnly).map(|_| ())
    }
}

impl Action for Index {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in session.existing(&self.masks) {
            match self.index(session, &name) {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => session.fail(&format!("Syncing mailbox {name} failed"), &error),
            }
        }
        Ok(())
    }
}
