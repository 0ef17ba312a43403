//! `mailbox delete`: mailboxes with their mails.

use mailbox::{Error, MailStore, MailboxName};

use super::subscribe::{Wish, change};
use crate::cli::mail::MailboxDelete;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};

pub struct Delete {
    names: Vec<String>,
    recursive: bool,
    only_empty: bool,
    unsubscribe: bool,
}

impl Delete {
    pub fn new(args: &MailboxDelete) -> Self {
        Self {
            names: args.names.clone(),
            recursive: args.recursive,
            only_empty: args.empty,
            unsubscribe: args.subscriptions,
        }
    }

    /// What is to go, children before parents.
    fn all(&self, session: &mut Session<'_>) -> Vec<MailboxName> {
        let mut all = Vec::new();
        for name in &self.names {
            let named = match name.is_empty() && self.recursive {
                true => None,
                false => session.name(&format!("Can't delete mailbox {name}"), name),
            };
            if self.recursive {
                let pattern = named.as_ref().map_or_else(
                    || "*".to_owned(),
                    |name| format!("{name}{}*", session.separator(name)),
                );
                let below = session.list(&[pattern]).into_iter();
                all.extend(below.filter(|entry| entry.exists).map(|entry| entry.name));
            }
            all.extend(named);
        }
        all.sort_by(|a, b| b.cmp(a));
        all.dedup();
        all
    }

    fn delete(&self, session: &mut Session<'_>, name: &MailboxName) -> Result<(), Error> {
        if self.only_empty && session.storage.status(name)?.messages > 0 {
            return Err(Error::NotPossible {
                why: "Mailbox isn't empty",
            });
        }
        session.storage.delete(name)
    }
}

impl Action for Delete {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in self.all(session) {
            if let Err(error) = self.delete(session, &name) {
                session.fail(&format!("Can't delete mailbox {name}"), &error);
            }
            if self.unsubscribe {
                change(session, &name, Wish::Unsubscribe);
            }
        }
        Ok(())
    }
}
