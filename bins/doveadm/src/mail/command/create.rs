//! `mailbox create`: new mailboxes, and subscriptions to them.

use mailbox::{Guid, MailStore};

use super::subscribe::{Wish, change};
use crate::cli::mail::MailboxCreate;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};

pub struct Create {
    names: Vec<String>,
    subscribe: bool,
}

impl Create {
    pub fn new(args: &MailboxCreate) -> Result<Self, Failure> {
        if let Some(guid) = &args.guid {
            let known = Guid::from_hex(guid.as_bytes());
            return Err(Failure::Refused(match known {
                Some(_) => "mailbox create: a GUID can't be chosen here".to_owned(),
                None => format!("mailbox create: not a GUID: {guid}"),
            }));
        }
        Ok(Self {
            names: args.names.clone(),
            subscribe: args.subscriptions,
        })
    }
}

impl Action for Create {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in &self.names {
            let what = format!("Can't create mailbox {name}");
            let Some(name) = session.name(&what, name) else {
                continue;
            };
            if let Err(error) = session.storage.create(&name) {
                session.fail(&what, &error);
            }
            if self.subscribe {
                change(session, &name, Wish::Subscribe);
            }
        }
        Ok(())
    }
}
