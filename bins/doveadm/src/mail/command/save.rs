//! `save`: a message from a file or standard input.

use std::io::{Seek, SeekFrom};
use std::path::PathBuf;

use mailbox::{Error, MailStore, NewMail};

use crate::cli::mail;
use crate::mail::action::{Action, Input};
use crate::mail::session::{Session, Stop};

pub struct Save {
    mailbox: String,
    file: Option<PathBuf>,
}

impl Save {
    pub fn new(args: &mail::Save) -> Self {
        Self {
            mailbox: args.mailbox.clone(),
            file: args.message.clone(),
        }
    }

    fn save(session: &mut Session<'_>, name: &mailbox::MailboxName) -> Result<(), Error> {
        let Some(input) = &mut session.input else {
            return Ok(());
        };
        input.seek(SeekFrom::Start(0)).map_err(Error::Input)?;
        let mut saving = session.storage.begin_save(name)?;
        saving.save(&NewMail::default(), input)?;
        saving.commit().map(|_| ())
    }
}

impl Action for Save {
    fn reads(&self) -> Option<Input> {
        Some(match &self.file {
            Some(path) => Input::File(path.clone()),
            None => Input::Standard,
        })
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        let what = format!("Failed to open mailbox {}", self.mailbox);
        let Some(name) = session.name(&what, &self.mailbox) else {
            return Ok(());
        };
        match Self::save(session, &name) {
            Ok(()) => {}
            Err(error @ Error::NotFound { .. }) => session.fail(&what, &error),
            Err(error) => session.fail("Saving failed", &error),
        }
        Ok(())
    }
}
