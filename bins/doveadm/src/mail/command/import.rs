//! `import`: mails from another place.

use mailbox::{Access, Error, MailStore, MailboxName};

use super::subscribe::{Wish, change};
use crate::cli::mail;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::query::Query;
use crate::mail::session::{Found, Session, Stop, separator};

pub struct Import {
    location: String,
    parent: String,
    source_user: Option<String>,
    subscribe: bool,
    query: Query,
}

impl Import {
    pub fn new(args: &mail::Import) -> Result<Self, Failure> {
        Ok(Self {
            location: args.location.clone(),
            parent: args.parent.clone(),
            source_user: args.source_user.clone(),
            subscribe: args.subscribe,
            query: Query::parse(&args.query)?,
        })
    }

    /// What a mailbox of the source is called here. `session` looks at the source.
    fn target(&self, session: &Session<'_>, name: &MailboxName) -> Result<MailboxName, Error> {
        let theirs = session.separator(name);
        let here = session.destination.as_ref().unwrap_or(&session.storage);
        let ours = match self.parent.as_str() {
            "" => separator(here, name.as_str()),
            parent => separator(here, parent),
        };
        let converted: String = name
            .as_str()
            .chars()
            .map(|letter| match letter {
                letter if letter == theirs => ours,
                letter if letter == ours => '_',
                letter => letter,
            })
            .collect();
        let full = match self.parent.as_str() {
            "" => converted,
            parent => format!("{parent}{ours}{converted}"),
        };
        MailboxName::new(&full).map_err(|why| Error::InvalidName { why })
    }

    fn import(&self, session: &mut Session<'_>, mut found: Found) -> Result<(), Error> {
        let target = self.target(session, &found.name)?;
        let uids = found.uids();
        session.at_destination(|here| {
            match here.storage.create(&target) {
                Ok(()) | Err(Error::Exists { .. }) => {}
                Err(error) => return Err(error),
            }
            if self.subscribe {
                change(here, &target, Wish::Subscribe);
            }
            here.storage.copy(&mut *found.view, &uids, &target)
        })?;
        Ok(())
    }
}

impl Action for Import {
    fn other_user(&self) -> Option<&str> {
        self.source_user.as_deref()
    }

    fn other_location(&self) -> Option<&str> {
        Some(&self.location)
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        if !session.look_at_other() {
            return Ok(());
        }
        for name in session.scope(&self.query) {
            let Some(found) = session.find(&name, &self.query, Access::ReadOnly) else {
                continue;
            };
            if let Err(error) = self.import(session, found) {
                session.fail(&format!("Importing mailbox {name} failed"), &error);
            }
        }
        Ok(())
    }
}
