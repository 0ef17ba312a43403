//! `purge`: mails that no mailbox refers to any more are removed from disk, where the format keeps such.

use crate::mail::action::Action;
use crate::mail::maintain;
use crate::mail::session::{Session, Stop};

pub struct Purge;

impl Action for Purge {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        if let Err(error) = maintain::purge(&mut session.storage) {
            session.fail("Purging failed", &error);
        }
        Ok(())
    }
}
