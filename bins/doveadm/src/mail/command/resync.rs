//! `force-resync`: mailboxes are checked against what is really there, and repaired.

use mailbox::Error;
use storage::Run;

use crate::cli::mail;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};
use crate::output::{Column, Formatter};

pub struct Resync {
    masks: Vec<String>,
    run: Run,
}

impl Resync {
    pub fn new(args: &mail::ForceResync) -> Self {
        Self {
            masks: args.masks.clone(),
            run: match args.dry_run {
                true => Run::Dry,
                false => Run::Real,
            },
        }
    }
}

impl Action for Resync {
    /// Rows only of what would be: Dovecot's prints nothing.
    fn prints(&self) -> Option<(Formatter, Vec<Column>)> {
        let columns = vec![
            Column::untitled("mailbox", "mailbox"),
            Column::untitled("repair", "repair"),
        ];
        (self.run == Run::Dry).then_some((Formatter::Tab, columns))
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        let names = session.existing(&self.masks);
        let mut found = Vec::new();
        session
            .storage
            .resync(&names, self.run, &mut |name, repairs| {
                found.push((name.clone(), repairs));
            });
        for (name, repairs) in found {
            match repairs {
                Ok(repairs) if self.run == Run::Dry => {
                    for repair in repairs {
                        session.rows.value(name.as_str().as_bytes())?;
                        session.rows.value(repair.as_bytes())?;
                    }
                }
                Ok(_) | Err(Error::NotFound { .. }) => {}
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
