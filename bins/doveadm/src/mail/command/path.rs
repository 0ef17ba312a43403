//! `mailbox path`: where on disk a mailbox is, or would be.

use std::path::PathBuf;

use mailbox::{Error, MailboxName};

use crate::cli::mail::{MailboxPath, PathType};
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};
use crate::output::{Column, Formatter};

pub struct Path {
    name: String,
    kind: PathType,
}

impl Path {
    pub fn new(args: &MailboxPath) -> Self {
        Self {
            name: args.name.clone(),
            kind: args.kind,
        }
    }

    fn find(&self, session: &Session<'_>, name: &MailboxName) -> Result<Option<PathBuf>, Error> {
        let place = session.storage.place(name)?;
        Ok(match self.kind {
            PathType::AltDir | PathType::AltMailbox => place.alt,
            PathType::Control => Some(place.control),
            PathType::Index => place.index,
            PathType::IndexPrivate => None,
            PathType::ListIndex => session.storage.list_index(name)?,
            PathType::Dir | PathType::Mailbox => Some(place.mail),
        })
    }
}

impl Action for Path {
    fn prints(&self) -> Option<(Formatter, Vec<Column>)> {
        Some((Formatter::Flow, vec![Column::untitled("path", "path")]))
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        let what = format!("Mailbox {}", self.name);
        let Some(name) = session.name(&what, &self.name) else {
            return Ok(());
        };
        match self.find(session, &name) {
            Ok(Some(path)) => session.rows.value(path.as_os_str().as_encoded_bytes()),
            Ok(None) => Ok(()),
            Err(error) => {
                session.fail(&what, &error);
                Ok(())
            }
        }
    }
}
