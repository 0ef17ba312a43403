//! `altmove`: mails to the alternative storage and back, where the format has one.

use mailbox::Access;
use storage::Tier;

use crate::cli::mail;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::query::Query;
use crate::mail::session::{Session, Stop};

pub struct Altmove {
    query: Query,
    to: Tier,
}

impl Altmove {
    pub fn new(args: &mail::Altmove) -> Result<Self, Failure> {
        Ok(Self {
            query: Query::parse(&args.searching.query)?,
            to: match args.reverse {
                true => Tier::Primary,
                false => Tier::Alt,
            },
        })
    }
}

impl Action for Altmove {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in session.scope(&self.query) {
            let Some(found) = session.find(&name, &self.query, Access::ReadOnly) else {
                continue;
            };
            let moved = session.storage.altmove(&name, &found.uids(), self.to);
            if let Err(error) = moved {
                session.fail(&format!("Moving mails of mailbox {name} failed"), &error);
            }
        }
        Ok(())
    }
}
