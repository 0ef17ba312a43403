//! `mailbox list`: names of mailboxes, or of subscriptions.

use mailbox::{ListEntry, MailStore};

use crate::cli::mail::MailboxList;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};
use crate::output::{Column, Formatter};

pub struct List {
    masks: Vec<String>,
    subscribed: bool,
    mutf7: bool,
}

impl List {
    pub fn new(args: &MailboxList) -> Self {
        Self {
            masks: args.masks.clone(),
            subscribed: args.subscriptions,
            mutf7: args.mutf7,
        }
    }

    fn entries(&self, session: &mut Session<'_>) -> Vec<ListEntry> {
        if !self.subscribed {
            return session.list(&self.masks);
        }
        let all = vec!["*".to_owned()];
        let masks = if self.masks.is_empty() {
            &all
        } else {
            &self.masks
        };
        session
            .storage
            .list_subscribed(masks)
            .unwrap_or_else(|error| {
                session.fail("Listing mailboxes failed", &error);
                Vec::new()
            })
    }
}

impl Action for List {
    fn prints(&self) -> Option<(Formatter, Vec<Column>)> {
        Some((
            Formatter::Flow,
            vec![Column::untitled("mailbox", "mailbox")],
        ))
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for entry in self.entries(session) {
            let name = entry.name.as_str();
            match self.mutf7 {
                true => session
                    .rows
                    .value(storage::mutf7::encode(name).as_bytes())?,
                false => session.rows.value(name.as_bytes())?,
            }
        }
        Ok(())
    }
}
