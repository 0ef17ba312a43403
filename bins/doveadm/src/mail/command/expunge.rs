//! `expunge`: mails that match are removed.

use mailbox::{Access, Error, Expunges, MailStore, MailboxName};

use super::subscribe::{Wish, change};
use crate::cli::mail;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::query::Query;
use crate::mail::session::{Found, Session, Stop};

pub struct Expunge {
    query: Query,
    delete_empty: bool,
}

impl Expunge {
    pub fn new(args: &mail::Expunge) -> Result<Self, Failure> {
        let query = Query::parse(&args.searching.query)?;
        query.check_careful("expunge")?;
        Ok(Self {
            query,
            delete_empty: args.delete_empty,
        })
    }

    fn delete_if_empty(session: &mut Session<'_>, name: &MailboxName) {
        let deleted = match session.storage.status(name) {
            Ok(status) if status.messages > 0 => return,
            Ok(_) => session.storage.delete(name),
            Err(error) => Err(error),
        };
        match deleted {
            Ok(()) => change(session, name, Wish::Unsubscribe),
            Err(error) => session.fail(&format!("Deleting mailbox '{name}' failed"), &error),
        }
    }
}

/// Removes the mails that were found.
pub fn remove(found: &mut Found) -> Result<(), Error> {
    let uids = found.uids();
    found.view.remove(&uids)?;
    found.view.sync(Expunges::Show).map(|_| ())
}

impl Action for Expunge {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in session.scope(&self.query) {
            let found = session.find(&name, &self.query, Access::ReadWrite);
            if let Some(mut found) = found
                && let Err(error) = remove(&mut found)
            {
                session.fail(&format!("Expunging from mailbox {name} failed"), &error);
                continue;
            }
            if self.delete_empty {
                Self::delete_if_empty(session, &name);
            }
        }
        Ok(())
    }
}
