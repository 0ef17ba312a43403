//! `search`: which mails match.

use mailbox::Access;

use crate::cli::mail::Searching;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::query::Query;
use crate::mail::session::{Session, Stop};
use crate::output::{Column, Formatter};

pub struct Search(Query);

impl Search {
    pub fn new(args: &Searching) -> Result<Self, Failure> {
        Query::parse(&args.query).map(Self)
    }
}

impl Action for Search {
    fn prints(&self) -> Option<(Formatter, Vec<Column>)> {
        let columns = vec![
            Column::untitled("mailbox-guid", "mailbox-guid"),
            Column::untitled("uid", "uid"),
        ];
        Some((Formatter::Flow, columns))
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in session.scope(&self.0) {
            let Some(found) = session.find(&name, &self.0, Access::ReadOnly) else {
                continue;
            };
            let Some(guid) = session.guid(&name) else {
                continue;
            };
            for (_, uid) in &found.mails {
                session.rows.value(guid.as_bytes())?;
                session.rows.value(uid.to_string().as_bytes())?;
            }
        }
        Ok(())
    }
}
