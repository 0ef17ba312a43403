//! `flags add`, `flags remove`, `flags replace`.

use mailbox::{Access, Expunges, FlagChange, Flags, Keyword};

use crate::cli::mail::{self, FlagsChange};
use crate::failure::{EX_NOTPOSSIBLE, Failure};
use crate::mail::action::Action;
use crate::mail::query::Query;
use crate::mail::session::{Session, Stop};

pub struct Change {
    query: Query,
    /// `Err`: a keyword that is none; said where mails match.
    change: Result<FlagChange, &'static str>,
}

impl Change {
    pub fn new(command: &mail::Flags, args: &FlagsChange) -> Result<Self, Failure> {
        let mut flags = Flags::empty();
        let mut keywords = Vec::new();
        for word in args.flags.split(' ').filter(|word| !word.is_empty()) {
            if word.starts_with('\\') {
                flags = flags.with(system_flag(word)?);
            } else {
                keywords.push(Keyword::new(word));
            }
        }
        let change = keywords.into_iter().collect::<Result<Vec<_>, _>>();
        let change = change.map(|keywords| match command {
            mail::Flags::Add(_) => FlagChange::Add(flags, keywords),
            mail::Flags::Remove(_) => FlagChange::Remove(flags, keywords),
            mail::Flags::Replace(_) => FlagChange::Replace(flags, keywords),
        });
        Ok(Self {
            query: Query::parse(&args.query)?,
            change,
        })
    }
}

fn system_flag(word: &str) -> Result<Flags, Failure> {
    let known = Flags::NAMES
        .iter()
        .find(|(flag, name)| *flag != Flags::RECENT && name.eq_ignore_ascii_case(word));
    known
        .map(|(flag, _)| *flag)
        .ok_or_else(|| Failure::Temporary(format!("Invalid system flag: {word}")))
}

impl Action for Change {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        let change = match &self.change {
            Ok(change) => change,
            Err(why) => {
                session.complain(&format!("Invalid keywords: {why}"));
                session.fail_with(EX_NOTPOSSIBLE);
                return Ok(());
            }
        };
        for name in session.scope(&self.query) {
            let Some(mut found) = session.find(&name, &self.query, Access::ReadWrite) else {
                continue;
            };
            let uids = found.uids();
            let changed = found.view.store_flags(&uids, change);
            let changed = changed.and_then(|()| found.view.sync(Expunges::Show));
            if let Err(error) = changed {
                session.fail(&format!("Changing flags in mailbox {name} failed"), &error);
            }
        }
        Ok(())
    }
}
