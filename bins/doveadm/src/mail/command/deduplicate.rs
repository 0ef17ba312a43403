//! `deduplicate`: of mails that are the same, the oldest stays.

use std::collections::HashSet;

use mailbox::{Access, Error, Mail};
use message::field;

use super::expunge::remove;
use crate::cli::mail;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::query::Query;
use crate::mail::session::{Found, Session, Stop};

pub struct Deduplicate {
    query: Query,
    by_message_id: bool,
}

impl Deduplicate {
    pub fn new(args: &mail::Deduplicate) -> Result<Self, Failure> {
        Ok(Self {
            query: Query::parse(&args.searching.query)?,
            by_message_id: args.by_message_id,
        })
    }

    /// What makes a mail the same as another. `None`: nothing, it stays.
    fn identity(&self, mail: &mut dyn Mail) -> Result<Option<Vec<u8>>, Error> {
        let identity = match self.by_message_id {
            false => Some(mail.guid()?.into_bytes()),
            true => message_id(mail)?,
        };
        Ok(identity.filter(|identity| !identity.is_empty()))
    }

    /// Keeps only the mails that are to go.
    fn only_doubles(&self, found: &mut Found) -> Result<(), Error> {
        let mut known = HashSet::new();
        let mut doubles = Vec::new();
        for &(seq, uid) in &found.mails {
            let mut mail = match found.view.mail(seq) {
                Ok(mail) => mail,
                Err(Error::Expunged) => continue,
                Err(error) => return Err(error),
            };
            if let Some(identity) = self.identity(&mut *mail)?
                && !known.insert(identity)
            {
                doubles.push((seq, uid));
            }
        }
        found.mails = doubles;
        Ok(())
    }
}

fn message_id(mail: &mut dyn Mail) -> Result<Option<Vec<u8>>, Error> {
    let mut body = mail.body()?;
    let fields = field::read(&mut body, |name| name.eq_ignore_ascii_case(b"Message-ID"));
    let fields = fields.map_err(Error::Input)?;
    Ok(fields.into_iter().next().map(|field| field.value))
}

impl Action for Deduplicate {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in session.scope(&self.query) {
            let Some(mut found) = session.find(&name, &self.query, Access::ReadWrite) else {
                continue;
            };
            let done = self
                .only_doubles(&mut found)
                .and_then(|()| remove(&mut found));
            if let Err(error) = done {
                session.fail(&format!("Deduplicating mailbox {name} failed"), &error);
            }
        }
        Ok(())
    }
}
