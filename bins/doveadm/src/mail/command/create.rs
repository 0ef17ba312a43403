//! `mailbox create`: new mailboxes, and subscriptions to them.

use mailbox::{Error, Guid, MailStore, MailboxName, Update};

use super::subscribe::{Wish, change};
use crate::cli::mail::MailboxCreate;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};

pub struct Create {
    names: Vec<String>,
    guid: Option<Guid>,
    subscribe: bool,
}

impl Create {
    pub fn new(args: &MailboxCreate) -> Result<Self, Failure> {
        let guid = args.guid.as_ref().map(|guid| {
            let known = Guid::from_hex(guid.as_bytes());
            known.ok_or_else(|| Failure::Refused(format!("mailbox create: not a GUID: {guid}")))
        });
        Ok(Self {
            guid: guid.transpose()?,
            names: args.names.clone(),
            subscribe: args.subscriptions,
        })
    }

    fn create(&self, session: &mut Session<'_>, name: &MailboxName) -> Result<(), Error> {
        session.storage.create(name)?;
        let wish = Update {
            guid: self.guid,
            ..Update::default()
        };
        match self.guid {
            Some(_) => session.storage.update(name, &wish),
            None => Ok(()),
        }
    }
}

impl Action for Create {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in &self.names {
            let what = format!("Can't create mailbox {name}");
            let Some(name) = session.name(&what, name) else {
                continue;
            };
            if let Err(error) = self.create(session, &name) {
                session.fail(&what, &error);
            }
            if self.subscribe {
                change(session, &name, Wish::Subscribe);
            }
        }
        Ok(())
    }
}
