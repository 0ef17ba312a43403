//! `mailbox update`: identity and numbers of a mailbox, as they were elsewhere.

use mailbox::{Guid, ModSeq, Uid, UidValidity, Update as Wish};

use crate::cli::mailbox::MailboxUpdate;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};

pub struct Update {
    name: String,
    wish: Wish,
}

impl Update {
    pub fn new(args: &MailboxUpdate) -> Result<Self, Failure> {
        let guid = args.guid.as_ref().map(|guid| {
            let known = Guid::from_hex(guid.as_bytes());
            known.ok_or_else(|| Failure::Usage(format!("--mailbox-guid {guid}: not a GUID")))
        });
        if args.min_first_recent_uid > Some(args.min_next_uid.unwrap_or(0)) {
            let why = "min_first_recent_uid > min_next_uid";
            return Err(Failure::Data(why.to_owned()));
        }
        Ok(Self {
            name: args.name.clone(),
            // As in Dovecot, 0 is as good as nothing.
            wish: Wish {
                guid: guid.transpose()?,
                uid_validity: args.uid_validity.and_then(UidValidity::new),
                min_next_uid: args.min_next_uid.and_then(Uid::new),
                min_first_recent: args.min_first_recent_uid.and_then(Uid::new),
                min_highest_modseq: args.min_highest_modseq.and_then(ModSeq::new),
            },
        })
    }
}

impl Action for Update {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        let what = format!("Cannot update {}", self.name);
        let Some(name) = session.name(&what, &self.name) else {
            return Ok(());
        };
        if let Err(error) = session.storage.update(&name, &self.wish) {
            session.fail(&what, &error);
        }
        Ok(())
    }
}
