//! `copy` and `move`: mails into another mailbox.

use mailbox::{Access, Error, Expunges, MailStore, MailboxName};

use crate::cli::mail;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::query::Query;
use crate::mail::session::{Found, Session, Stop};

/// What becomes of the mails that were copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Originals {
    /// `copy`
    Stay,
    /// `move`
    Go,
}

pub struct Copy {
    to: String,
    /// Whose mails they are, if others than the destination's.
    from_user: Option<String>,
    query: Query,
    originals: Originals,
}

impl Copy {
    pub fn new(args: &mail::Copy, originals: Originals) -> Result<Self, Failure> {
        let (from_user, query) = match args.query.as_slice() {
            [word, user, query @ ..] if word.eq_ignore_ascii_case("user") => {
                if args.users.user.is_none() && !args.users.all && args.users.file.is_none() {
                    let what = "Use -u parameter to specify destination user";
                    return Err(Failure::Temporary(what.to_owned()));
                }
                (Some(user.clone()), query)
            }
            query => (None, query),
        };
        let query = Query::parse(query)?;
        if originals == Originals::Go {
            query.check_careful("move")?;
        }
        Ok(Self {
            to: args.to.clone(),
            from_user,
            query,
            originals,
        })
    }

    /// From wherever the session looks; each mailbox by itself, so that nothing is removed that was not
    /// copied.
    fn run_from(&self, source: &mut Session<'_>, to: &MailboxName) {
        let access = match self.originals {
            Originals::Stay => Access::ReadOnly,
            Originals::Go => Access::ReadWrite,
        };
        for name in source.scope(&self.query) {
            let Some(mut found) = source.find(&name, &self.query, access) else {
                continue;
            };
            if let Err(error) = self.copy(source, &mut found, to) {
                source.fail(&format!("Copying messages from '{name}' failed"), &error);
            }
        }
    }

    fn copy(
        &self,
        source: &mut Session<'_>,
        found: &mut Found,
        to: &MailboxName,
    ) -> Result<(), Error> {
        let uids = found.uids();
        let destination = source.destination.as_mut().unwrap_or(&mut source.storage);
        let copied = destination.copy(&mut *found.view, &uids, to)?;
        if self.originals == Originals::Go {
            found.view.remove(&copied.from.into_iter().collect())?;
            found.view.sync(Expunges::Show)?;
        }
        Ok(())
    }
}

impl Action for Copy {
    fn other_user(&self) -> Option<&str> {
        self.from_user.as_deref()
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        let what = format!("Can't open mailbox '{}'", self.to);
        let Some(to) = session.name(&what, &self.to) else {
            return Ok(());
        };
        if let Err(error) = session.storage.status(&to) {
            session.fail(&what, &error);
            return Ok(());
        }
        if self.from_user.is_some() && !session.look_at_other() {
            return Ok(());
        }
        self.run_from(session, &to);
        Ok(())
    }
}
