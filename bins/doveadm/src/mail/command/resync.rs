//! `force-resync`: mailboxes are checked against what is really there, and repaired.

use mailbox::Error;

use crate::cli::mail;
use crate::mail::action::Action;
use crate::mail::maintain;
use crate::mail::session::{Session, Stop};

pub struct Resync {
    masks: Vec<String>,
}

impl Resync {
    pub fn new(args: &mail::ForceResync) -> Self {
        Self {
            masks: args.masks.clone(),
        }
    }
}

impl Action for Resync {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in session.existing(&self.masks) {
            match maintain::force_resync(&mut session.storage, &name) {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => {
                    session.fail(
                        &format!("Forcing a resync on mailbox {name} failed"),
                        &error,
                    );
                }
            }
        }
        Ok(())
    }
}
