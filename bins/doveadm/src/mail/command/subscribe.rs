//! `mailbox subscribe` and `mailbox unsubscribe`: names, whether there are such mailboxes or not.

use mailbox::{MailStore, MailboxName};

use crate::cli::mail::MailboxNames;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Subscribe,
    Unsubscribe,
}

pub struct Subscribe {
    names: Vec<String>,
    wish: Wish,
}

impl Subscribe {
    pub fn new(args: &MailboxNames, wish: Wish) -> Self {
        Self {
            names: args.names.clone(),
            wish,
        }
    }
}

impl Action for Subscribe {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in &self.names {
            if let Some(name) = session.name(self.wish.verb(), name) {
                change(session, &name, self.wish);
            }
        }
        Ok(())
    }
}

impl Wish {
    fn verb(self) -> &'static str {
        match self {
            Self::Subscribe => "Can't subscribe to mailbox",
            Self::Unsubscribe => "Can't unsubscribe mailbox",
        }
    }
}

/// Does it; a failure is told.
pub fn change(session: &mut Session<'_>, name: &MailboxName, wish: Wish) {
    let changed = match wish {
        Wish::Subscribe => session.storage.subscribe_anyway(name),
        Wish::Unsubscribe => session.storage.unsubscribe(name),
    };
    if let Err(error) = changed {
        session.fail(&format!("{} {name}", wish.verb()), &error);
    }
}
