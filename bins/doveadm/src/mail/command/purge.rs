//! `purge`: mails that no mailbox refers to any more are removed from disk, where the format keeps such.

use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};

pub struct Purge;

impl Action for Purge {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        let Session {
            storage, progress, ..
        } = &mut *session;
        let purged = storage.purge(&mut |done, all| match done {
            0 => progress.begin("purging", all as u64),
            _ => progress.step(),
        });
        session.progress.end();
        if let Err(error) = purged {
            session.fail("Purging failed", &error);
        }
        Ok(())
    }
}
