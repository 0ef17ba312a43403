//! `index`: mailboxes are brought up to date, and what clients are going to ask for is cached.

use mailbox::cache::Taken;
use mailbox::{Access, Error, Lacks, MailStore, Mailbox, MailboxName, Seq};

use crate::cli::mail;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};

pub struct Index {
    masks: Vec<String>,
    max_recent: Option<u32>,
}

impl Index {
    pub fn new(args: &mail::Index) -> Self {
        Self {
            masks: args.masks.clone(),
            max_recent: args.max_recent,
        }
    }

    fn index(&self, session: &mut Session<'_>, name: &MailboxName) -> Result<(), Error> {
        let recent = session.storage.status(name)?.recent;
        if self
            .max_recent
            .is_some_and(|most| most > 0 && recent > most)
        {
            return Ok(());
        }
        let mut view = session.storage.open(name, Access::ReadOnly)?;
        session.progress.begin("indexing", view.len().into());
        for seq in (1..=view.len()).filter_map(Seq::new) {
            session.progress.step();
            match fill(&mut *view, seq) {
                Ok(()) | Err(Error::Expunged) => {}
                Err(error) => {
                    let uid = view.uid(seq).map_or(0, mailbox::Uid::get);
                    session.fail(&format!("Caching mail UID={uid} in {name} failed"), &error);
                }
            }
        }
        session.progress.end();
        Ok(())
    }
}

/// Reads what clients are likely to ask for, unless it is cached already.
fn fill(view: &mut dyn Mailbox, seq: Seq) -> Result<(), Error> {
    let mut mail = view.mail(seq)?;
    let lacks = match mail.cache() {
        Some(cache) => cache.lacks(),
        None => return Ok(()),
    };
    if lacks == Lacks::Nothing {
        return Ok(());
    }
    let taken = Taken::read(mail.body()?, lacks).map_err(Error::Input)?;
    if let (Some(taken), Some(cache)) = (taken, mail.cache()) {
        cache.learn(&taken.lesson(), &[]);
    }
    Ok(())
}

impl Action for Index {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in session.existing(&self.masks) {
            match self.index(session, &name) {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => session.fail(&format!("Syncing mailbox {name} failed"), &error),
            }
        }
        Ok(())
    }
}
