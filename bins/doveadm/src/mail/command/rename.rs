//! `mailbox rename`: a mailbox and those below it.

use mailbox::MailStore;

use super::subscribe::{Wish, change};
use crate::cli::mail::MailboxRename;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};

pub struct Rename {
    from: String,
    to: String,
    subscriptions: bool,
}

impl Rename {
    pub fn new(args: &MailboxRename) -> Self {
        Self {
            from: args.from.clone(),
            to: args.to.clone(),
            subscriptions: args.subscriptions,
        }
    }
}

impl Action for Rename {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        let what = format!("Can't rename mailbox {} to {}", self.from, self.to);
        let names = session
            .name(&what, &self.from)
            .zip(session.name(&what, &self.to));
        let Some((from, to)) = names else {
            return Ok(());
        };
        if let Err(error) = session.storage.rename(&from, &to) {
            session.fail(&what, &error);
        }
        if self.subscriptions {
            change(session, &from, Wish::Unsubscribe);
            change(session, &to, Wish::Subscribe);
        }
        Ok(())
    }
}
