//! `mailbox cache`: what is cached of which mails, and what is not any more.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailbox::{Access, Error, MailboxName};
use storage::{Decided, Decision, MailboxCache, Wish};

use crate::cli::mail::Searching;
use crate::cli::mailbox::{CacheChoice, CacheDecision, CachePurge};
use crate::failure::{EX_TEMPFAIL, Failure};
use crate::mail::action::Action;
use crate::mail::query::Query;
use crate::mail::session::{Session, Stop};
use crate::output::{Column, Formatter};

/// `mailbox cache decision`
pub struct Decide {
    names: Vec<String>,
    /// `None`: all.
    fields: Option<Vec<String>>,
    wish: Wish,
}

impl Decide {
    pub fn new(args: &CacheDecision) -> Self {
        let words = |fields: &String| {
            let words = fields.split([',', ' ']);
            words
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        Self {
            names: args.names.clone(),
            fields: args.fields.as_ref().map(words),
            wish: Wish {
                decision: args.decision.map(|choice| match choice {
                    CacheChoice::No => Decision::No,
                    CacheChoice::Temp => Decision::Temp,
                    CacheChoice::Yes => Decision::Yes,
                }),
                last_used: args.last_used,
            },
        }
    }

    /// What was decided, or is from now on. `None`: nothing can be.
    fn decide(&self, cache: &MailboxCache) -> Result<Option<Vec<Decided>>, Error> {
        let known = cache.decided()?;
        if known.is_none() || self.wish == Wish::default() {
            return Ok(known);
        }
        cache.decide(&|name| self.chosen(name), self.wish)?;
        cache.decided()
    }

    fn chosen(&self, name: &str) -> bool {
        let fields = self.fields.as_ref();
        fields.is_none_or(|fields| fields.iter().any(|field| field.eq_ignore_ascii_case(name)))
    }

    fn print(&self, session: &mut Session<'_>, name: &str, known: &[Decided]) -> Result<(), Stop> {
        let find = |field: &String| {
            let mut known = known.iter();
            known.find(|decided| decided.name.eq_ignore_ascii_case(field))
        };
        let rows: Vec<(&str, Option<&Decided>)> = match &self.fields {
            None => known
                .iter()
                .map(|field| (field.name.as_str(), Some(field)))
                .collect(),
            Some(fields) => fields
                .iter()
                .map(|field| (field.as_str(), find(field)))
                .collect(),
        };
        for (field, decided) in rows {
            let decision = decided.map_or("<not found>", |decided| match decided.decision {
                Decision::No => "no",
                Decision::Temp => "temp",
                Decision::Yes => "yes",
            });
            let last_used = decided.map_or_else(String::new, |decided| local(decided.last_used));
            for value in [name, field, decision, &last_used] {
                session.rows.value(value.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Wall clock and zone here.
fn local(unix: u32) -> String {
    let time = Timestamp::from_second(unix.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    let zoned = time.to_zoned(TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

impl Action for Decide {
    fn prints(&self) -> Option<(Formatter, Vec<Column>)> {
        let columns = ["mailbox", "field", "decision", "last-used"];
        Some((Formatter::Table, columns.map(Column::named).to_vec()))
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in &self.names {
            let Some((mailbox, cache)) = open(session, name) else {
                return Ok(());
            };
            match self.decide(&cache) {
                Ok(Some(known)) => self.print(session, name, &known)?,
                Ok(None) => {
                    session.complain("Cache is unusable");
                    session.fail_with(EX_TEMPFAIL);
                }
                Err(error) => session.fail(
                    &format!("Mailbox {mailbox}: Cache can't be changed"),
                    &error,
                ),
            }
        }
        Ok(())
    }
}

/// `mailbox cache purge`
pub struct Purge(Vec<String>);

impl Purge {
    pub fn new(args: &CachePurge) -> Self {
        Self(args.names.clone())
    }
}

impl Action for Purge {
    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in &self.0 {
            let Some((mailbox, cache)) = open(session, name) else {
                return Ok(());
            };
            if let Err(error) = cache.purge() {
                session.fail(
                    &format!("Mailbox {mailbox}: Purging the cache failed"),
                    &error,
                );
            }
        }
        Ok(())
    }
}

/// `mailbox cache remove`
pub struct Remove(Query);

impl Remove {
    pub fn new(args: &Searching) -> Result<Self, Failure> {
        Query::parse(&args.query).map(Self)
    }
}

impl Action for Remove {
    fn prints(&self) -> Option<(Formatter, Vec<Column>)> {
        let columns = ["mailbox", "uid", "result"];
        Some((Formatter::Table, columns.map(Column::named).to_vec()))
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in session.scope(&self.0) {
            let Some(found) = session.find(&name, &self.0, Access::ReadOnly) else {
                continue;
            };
            let mails = found.mails;
            drop(found.view);
            let cache = session.storage.cache(&name);
            let removed = cache.and_then(|cache| cache.forget(mails.iter().map(|(_, uid)| *uid)));
            if let Err(error) = removed {
                session.fail(&format!("Mailbox {name}: Cache can't be changed"), &error);
                continue;
            }
            for (_, uid) in mails {
                for value in [name.as_str(), &uid.to_string(), "ok"] {
                    session.rows.value(value.as_bytes())?;
                }
            }
        }
        Ok(())
    }
}

/// A mailbox that is named, and its cache; the first that cannot be opened ends the command.
fn open(session: &mut Session<'_>, name: &str) -> Option<(MailboxName, MailboxCache)> {
    let what = format!("Cannot open mailbox {name}");
    let mailbox = session.name(&what, name)?;
    match session.storage.cache(&mailbox) {
        Ok(cache) => Some((mailbox, cache)),
        Err(error) => {
            session.fail(&what, &error);
            None
        }
    }
}
